"""A search: one trial after the other in this process, by an engine that proposes the next point."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from finlake.config.use_case import Search
from finlake.errors import TrainingError
from finlake.models.boosting import Fit, fit_here
from finlake.models.metrics import exact_average_precision, exact_roc_auc
from finlake.models.sample import Rows
from finlake.models.search_engines import ENGINES, random_trials
from finlake.models.search_space import bounds, key_of, rounded
from finlake.models.search_stopping import EVERY, MedianStopping
from finlake.models.served import Scorer

OK, PRUNED, FAILED = "ok", "pruned", "failed"
_MEASURES = {"average_precision": exact_average_precision, "roc_auc": exact_roc_auc}


@dataclass(frozen=True)
class Trial:
    """One point of the search; larger metrics are better.

    Attributes:
        number: place in the search, from 0.
        parameters: what it was trained with.
        metric: on what it was judged by, the mean over folds where there are some; the best value seen when pruned.
        seconds: how long it took.
        status: ok | pruned: <reason> | failed: <reason>.
        rounds: useful rounds of its booster, the most of all folds.
        curve: the metric every ten rounds; with folds, on the latest fold.
        folds: the metric on each fold, the latest first.
    """

    number: int
    parameters: dict[str, float]
    metric: float
    seconds: float
    status: str
    rounds: int = 0
    curve: tuple[float, ...] = ()
    folds: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        return self.status.partition(":")[0]


@dataclass(frozen=True)
class Cut:
    """What a booster learns from, and later rows it is judged on."""

    learn: Rows
    held: Rows


@dataclass(frozen=True)
class Found:
    best: Trial
    trials: tuple[Trial, ...]


def search(
    cuts: Sequence[Cut],
    features: Sequence[str],
    choice: Search,
    *,
    metric: str,
    constraints: Mapping[str, int],
    threads: int = 1,
    known: Sequence[Trial] = (),
    finished: Callable[[Trial, bool], None] = lambda trial, known: None,
) -> Found:
    """The best trial by `metric`, the mean over `cuts`.

    Trials in `known`, those an earlier run of the same search finished, are not run again. Proposals and stops follow
    from the seed and the earlier trials alone, so a search that was stopped goes the same way again; the seconds of
    known trials count against the time budget as they did then.

    Args:
        cuts: train and choose, or folds; poor trials are stopped on the first.
        features: names of the matrix's columns.
        choice: engine, budgets, space, whether poor trials are stopped.
        metric: average_precision | roc_auc.
        constraints: feature -> 1 or -1.
        threads: of each fit.
        known: trials of the same study.
        finished: hears of each trial, and whether it was known.

    Raises:
        TrainingError: no trial succeeded.
        UnknownNameError: the space names a parameter that is not searched.
    """
    done: list[Trial] = []
    earlier = {(trial.number, key_of(trial.parameters)): trial for trial in known if trial.kind != FAILED}
    runner = _Runner(cuts, features, choice, metric, constraints, threads)

    def objective(point: dict[str, float]) -> float | None:
        parameters = rounded(point)
        stored = earlier.get((len(done), key_of(parameters)))
        trial = stored or runner.run(len(done), parameters, done)
        done.append(trial)
        finished(trial, stored is not None)
        return told(trial, done)

    def over() -> bool:
        return choice.seconds is not None and sum(trial.seconds for trial in done) >= choice.seconds

    ENGINES[choice.engine](bounds(choice.space), choice, objective, over)
    good = [trial for trial in done if trial.kind == OK]
    if not good:
        raise TrainingError(
            f"none of {len(done)} trials succeeded; the last one: {done[-1].status if done else 'none ran'}"
        )
    return Found(max(good, key=lambda trial: (trial.metric, -trial.number)), tuple(done))


def told(trial: Trial, done: Sequence[Trial]) -> float | None:
    """What the engine hears of a trial: its metric; of a pruned one never more than the worst finished one has."""
    if trial.kind == FAILED:
        return None
    if trial.kind == PRUNED:
        return min([trial.metric, *(other.metric for other in done if other.kind == OK)])
    return trial.metric


@dataclass(frozen=True)
class _Runner:
    cuts: Sequence[Cut]
    features: Sequence[str]
    choice: Search
    metric: str
    constraints: Mapping[str, int]
    threads: int

    def run(self, number: int, parameters: dict[str, float], done: Sequence[Trial]) -> Trial:
        started = time.monotonic()
        rule = None
        if self.choice.stop_poor and number >= random_trials(self.choice):
            rule = MedianStopping(tuple((trial.kind == OK, trial.curve) for trial in done))
        watch = _Watch(self, rule)
        found: list[float] = []
        rounds = 0
        try:
            for cut in self.cuts:
                fit = self._fit(cut, parameters, None if found else watch)
                if watch.stopped_below is not None:
                    reason = f"{max(watch.curve):.4f} after {len(watch.curve) * EVERY} rounds, median {watch.stopped_below:.4f}"
                    return Trial(
                        number, parameters, max(watch.curve), time.monotonic() - started, f"{PRUNED}: {reason}",
                        fit.rounds, tuple(watch.curve),
                    )  # fmt: skip
                found.append(self.measure(cut.held, margins(fit, cut.held.matrix)))
                rounds = max(rounds, fit.rounds)
        except (ValueError, RuntimeError) as error:
            return Trial(number, parameters, math.nan, time.monotonic() - started, f"{FAILED}: {error}"[:500])
        folds = tuple(found) if len(self.cuts) > 1 else ()
        mean = float(np.mean(found))
        return Trial(number, parameters, mean, time.monotonic() - started, OK, rounds, tuple(watch.curve), folds)

    def measure(self, held: Rows, scores: np.ndarray) -> float:
        return _MEASURES[self.metric](scores, held.labels, held.weights)

    def _fit(self, cut: Cut, parameters: dict[str, float], watch: _Watch | None) -> Fit:
        return fit_here(
            cut.learn.learnt, cut.held.learnt, self.features, parameters, seed=self.choice.seed,
            constraints=self.constraints, threads=self.threads, watch=watch,
        )  # fmt: skip


class _Watch:
    """Looks at a trial every ten rounds."""

    def __init__(self, runner: _Runner, rule: MedianStopping | None) -> None:
        self._runner, self._rule = runner, rule
        self.curve: list[float] = []
        self.stopped_below: float | None = None

    def __call__(self, rounds: int, scores: np.ndarray) -> bool:
        """Whether the trial should stop after that many rounds."""
        self.curve.append(self._runner.measure(self._runner.cuts[0].held, scores))
        if self._rule is None or not self._rule.poor(self.curve):
            return False
        self.stopped_below = self._rule.median(len(self.curve))
        return True


def measured(fit: Fit, held: Rows, metric: str) -> float:
    """A booster's metric on rows that it did not learn from."""
    return _MEASURES[metric](margins(fit, held.matrix), held.labels, held.weights)


def margins(fit: Fit, matrix: np.ndarray) -> np.ndarray:
    card = {"features": fit.features, "rounds": fit.rounds, "calibration": {"kind": "none"}}
    return Scorer(fit.booster, card).margin(matrix)


def study_of(*parts: object) -> str:
    """Digest of everything a trial's outcome depends on; only trials of the same study are used again."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
