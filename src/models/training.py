"""From a training set to an artefact with its evaluation: search, final fit, calibration, comparison."""

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
from finlake.models.boosting import check_rows, check_slots, constraints_of, fit_here
from finlake.models.final import THREADS, final_fit, refuse_sample, verified
from finlake.models.folds import cuts_of, fold_bounds
from finlake.models.frames import Margin, booster_margin
from finlake.models.measured import measure
from finlake.models.sample import Rows, bounded_rows
from finlake.models.search import Cut, Trial, measured, search
from finlake.models.weights import weighted


@dataclass(frozen=True)
class Trained:
    artefact: Artefact
    evaluation: ev.Evaluation
    best: Trial
    searched_metric: float  # on choose, of a booster fitted in this process with the best trial's parameters
    chosen_metric: float  # on choose, of the final fit, to hold against it
    champion_compared: str = ""
    trials: tuple[Trial, ...] = ()


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
    known: Sequence[Trial] = (),
    champion: tuple[str, Artefact] | None = None,
    trace: Mapping[str, Any] | None = None,
    verify: bool = False,
) -> Trained:
    """Trains on a stored training set; it is read several times, so it must not be a plan that is computed anew.

    Args:
        frame: decision_key, event_ts, decision_ts, label, part (train | choose | test), the policy's columns, features.
        rule: the baseline rule as a number over the frame; null counts as 0.
        champion: version and artefact of the model in charge, measured on the same test rows; it must have learnt from
            the same definitions.
        trace: further fields of the card: definition, as_of, tables, split.
        verify: also make the final fit a second time and compare the digests.

    Raises:
        TrainingError: the data or the cluster do not allow a sound fit, or it does not repeat.
    """
    choice, metric = use_case.model, tuning_metric(use_case)
    constraints = constraints_of(features, choice.only_increases_with, choice.only_decreases_with)
    frame = checked(frame, use_case)
    parts = bounded_rows(frame, features, choice.search.rows, use_case.zone)
    refuse_sample(parts, choice)
    cuts, judged = _cuts(parts, use_case)
    progress.say(
        f"search: {choice.search.trials} trials of {choice.search.engine} on {len(parts['train'].labels):,} training rows, "
        f"judged by {metric} on {judged}"
    )
    found = search(
        cuts, features, choice.search,
        metric=metric, constraints=constraints, threads=THREADS, known=known, finished=progress.finished,
    )  # fmt: skip
    best, searched = found.best, found.best.metric
    if choice.search.folds:
        alone = fit_here(
            parts["train"].learnt, parts["choose"].learnt, features, best.parameters,
            seed=choice.search.seed, constraints=constraints, threads=THREADS,
        )  # fmt: skip
        searched = measured(alone, parts["choose"], metric)
    where = f"with {choice.workers} workers" if choice.fit == "distributed" else "on the driver"
    progress.say(f"final fit {where}, parameters of trial {best.number + 1}")
    fit = final_fit(frame, parts, features, best.parameters, choice, constraints)
    if verify:
        progress.say("fitting again, to compare")
        verified(fit.digest, lambda: final_fit(frame, parts, features, best.parameters, choice, constraints))
    progress.say(f"fitted {fit.rounds} rounds, digest {fit.digest[:12]}; evaluating")
    logistic = fit_logistic(parts["train"].part, seed)
    models: dict[str, tuple[Sequence[str], Callable[[], Margin]]] = {
        ev.MODEL: (features, booster_margin(fit.booster, features, fit.rounds)),
        ev.LOGISTIC: (features, lambda: logistic.margin),
    }
    if champion is not None:
        card = champion[1].card
        models[ev.CHAMPION] = (card.features, booster_margin(champion[1].booster, card.features, card.rounds))
    compared = champion[0] if champion is not None else ""
    progress.test_read(fit.digest)
    tested = measure(frame, models, use_case, rule, seed)
    card = Card(
        use_case=use_case.use_case, features=list(features), rounds=fit.rounds, digest=fit.digest,
        calibration=tested.calibration, policy=use_case.policy.model_dump(), parameters=dict(best.parameters),
        usual=usual_values(parts["train"].part, features), **dict(trace or {}),
    )  # fmt: skip
    chosen = ev.chosen_metric(tested.counts, metric)
    return Trained(Artefact(fit.booster, card), tested.evaluation, best, searched, chosen, compared, found.trials)


def checked(frame: DataFrame, use_case: UseCase) -> DataFrame:
    """The frame with the loss's weights, once it is sure that a sound fit is possible.

    Raises:
        TrainingError: the data or the cluster do not allow one.
    """
    choice = use_case.model
    workers = choice.workers if choice.fit == "distributed" else 1
    if choice.fit == "distributed":
        check_slots(frame.sparkSession, workers)
    check_rows(frame.where(F.col("part").isin("train", "choose") & F.col("label").isNotNull()), "decision_key", workers)
    return weighted(frame, use_case)


def _cuts(parts: Mapping[str, Rows], use_case: UseCase) -> tuple[list[Cut], str]:
    """What trials learn from and are judged on, and in words."""
    folds = use_case.model.search.folds
    if folds is None:
        return [Cut(parts["train"], parts["choose"])], "choose"
    made = fold_bounds(*parts["train"].span, folds, use_case.label.matures_after)
    return cuts_of(parts["train"], made), f"{len(made)} {folds.kind} folds"
