"""From a training set to an artefact with its evaluation: search, distributed fit, calibration, comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.models import evaluation as ev
from finlake.models.artefact import Artefact, Card
from finlake.models.baselines import fit_logistic, usual_values
from finlake.models.boosting import check_rows, check_slots, constraints_of, fit_distributed
from finlake.models.frames import Margin, booster_margin, bounded_parts
from finlake.models.measured import measure
from finlake.models.search import Trial, search

_THREADS = 2  # of trials; fixed, so that a search does not depend on the machine's cores


@dataclass(frozen=True)
class Trained:
    artefact: Artefact
    evaluation: ev.Evaluation
    best: Trial
    chosen_metric: float  # of the distributed fit, to hold against the best trial's
    champion_compared: str = ""


@dataclass(frozen=True)
class Progress:
    """Who hears of the work; each may be left out."""

    say: Callable[[str], None] = lambda text: None
    finished: Callable[[Trial, bool], None] = lambda trial, known: None
    test_read: Callable[[str], None] = lambda digest: None


def tuning_metric(use_case: UseCase) -> str:
    """Alert budgets look at the top of the ranking, cut-offs at all of it."""
    return "average_precision" if use_case.policy.alerts_per_day else "roc_auc"


def train_model(
    frame: DataFrame,
    features: Sequence[str],
    use_case: UseCase,
    rule: Column,
    *,
    seed: int,
    progress: Progress,
    known: Mapping[str, Trial] | None = None,
    champion: tuple[str, Artefact] | None = None,
    trace: Mapping[str, Any] | None = None,
) -> Trained:
    """Trains on a stored training set; it is read several times, so it must not be a plan that is computed anew.

    Args:
        frame: decision_key, event_ts, decision_ts, label, part (train | choose | test), the policy's columns, features.
        rule: the baseline rule as a number over the frame; null counts as 0.
        champion: version and artefact of the model in charge, measured on the same test rows; it must have learnt from
            the same definitions.
        trace: further fields of the card: definition, as_of, tables, split.

    Raises:
        TrainingError: the data or the cluster do not allow a sound fit.
    """
    choice, metric = use_case.model, tuning_metric(use_case)
    constraints = constraints_of(features, choice.only_increases_with, choice.only_decreases_with)
    labelled = frame.where(F.col("part").isin("train", "choose") & F.col("label").isNotNull())
    check_slots(frame.sparkSession, choice.workers)
    check_rows(labelled, "decision_key", choice.workers)
    parts = bounded_parts(frame, features, choice.search.rows)
    sampled = len(parts["train"][1])
    progress.say(f"search: {choice.search.trials} trials on {sampled:,} training rows, judged by {metric} on choose")
    best = search(
        parts["train"], parts["choose"], features, choice.search,
        metric=metric, constraints=constraints, threads=_THREADS, known=known, finished=progress.finished,
    )  # fmt: skip
    progress.say(f"distributed fit with {choice.workers} workers, parameters of trial {best.number + 1}")
    fit = fit_distributed(
        frame, features, best.parameters, workers=choice.workers, seed=choice.search.seed, constraints=constraints
    )
    progress.say(f"fitted {fit.rounds} rounds, digest {fit.digest[:12]}; evaluating")
    logistic = fit_logistic(parts["train"], seed)
    models: dict[str, tuple[Sequence[str], Callable[[], Margin]]] = {
        ev.MODEL: (features, booster_margin(fit.booster, features, fit.rounds)),
        ev.LOGISTIC: (features, lambda: logistic.margin),
    }
    if champion is not None:
        card = champion[1].card
        models[ev.CHAMPION] = (card.features, booster_margin(champion[1].booster, card.features, card.rounds))
    compared = champion[0] if champion is not None else ""
    progress.test_read(fit.digest)
    measured = measure(frame, models, use_case, rule, seed)
    card = Card(
        use_case=use_case.use_case, features=list(features), rounds=fit.rounds, digest=fit.digest,
        calibration=measured.calibration, policy=use_case.policy.model_dump(), parameters=dict(best.parameters),
        usual=usual_values(parts["train"], features), **dict(trace or {}),
    )  # fmt: skip
    artefact, counts = Artefact(fit.booster, card), measured.counts
    return Trained(artefact, measured.evaluation, best, ev.chosen_metric(counts, metric), compared)
