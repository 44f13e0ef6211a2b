"""Hyperopt behind a small interface: TPE over a space in YAML, one trial after the other in this process."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from finlake.config.use_case import Search
from finlake.errors import TrainingError, UnknownNameError
from finlake.models.boosting import Fit, fit_here
from finlake.models.metrics import exact_average_precision, exact_roc_auc
from finlake.models.served import Scorer

Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # matrix, labels, weights

# parameter -> (how it is drawn, lowest, highest). Many histogram bins matter for rare events: few blur sharp limits.
SPACE: dict[str, tuple[str, float, float]] = {
    "max_depth": ("whole", 3, 8),
    "learning_rate": ("log", 0.03, 0.3),
    "min_child_weight": ("log", 1, 50),
    "subsample": ("even", 0.6, 1.0),
    "colsample_bytree": ("even", 0.5, 1.0),
    "reg_lambda": ("log", 0.1, 30),
    "max_bin": ("power", 256, 4096),
    "rounds": ("whole", 400, 400),
    "gamma": ("even", 0, 0),
    "reg_alpha": ("even", 0, 0),
}


@dataclass(frozen=True)
class Trial:
    """One point of the search; `metric` is on choose, larger is better."""

    number: int
    parameters: dict[str, float]
    metric: float
    seconds: float
    status: str  # ok | failed: <reason>
    rounds: int = 0


def search(
    train: Part,
    choose: Part,
    features: Sequence[str],
    choice: Search,
    *,
    metric: str,
    constraints: Mapping[str, int],
    threads: int = 1,
    known: Mapping[str, Trial] | None = None,
    finished: Callable[[Trial, bool], None] = lambda trial, known: None,
) -> Trial:
    """The best trial by `metric` on choose. Trials in `known` (by `key_of` their parameters) are not run again.

    TPE's proposals follow from the seed and the metrics alone, so a search that was stopped goes the same way again.

    Raises:
        TrainingError: no trial succeeded.
        UnknownNameError: the space names a parameter that is not searched.
    """
    from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, tpe
    from hyperopt.exceptions import AllTrialsFailed

    done: list[Trial] = []
    measure = {"average_precision": exact_average_precision, "roc_auc": exact_roc_auc}[metric]

    def objective(point: dict[str, Any]) -> dict[str, Any]:
        parameters = {name: round(float(value), 6) for name, value in sorted(point.items())}
        earlier = (known or {}).get(key_of(parameters))
        if earlier is not None:
            trial = Trial(len(done), parameters, earlier.metric, earlier.seconds, earlier.status, earlier.rounds)
        else:
            trial = _run(len(done), parameters)
        done.append(trial)
        finished(trial, earlier is not None)
        if trial.status != "ok":
            return {"status": STATUS_FAIL}
        return {"status": STATUS_OK, "loss": -trial.metric}

    def _run(number: int, parameters: dict[str, float]) -> Trial:
        started = time.monotonic()
        try:
            fit = fit_here(
                train, choose, features, parameters, seed=choice.seed, constraints=constraints, threads=threads
            )
            found = measure(margins(fit, choose[0]), choose[1], choose[2])
        except (ValueError, RuntimeError) as error:
            return Trial(number, parameters, math.nan, time.monotonic() - started, f"failed: {error}"[:500])
        return Trial(number, parameters, found, time.monotonic() - started, "ok", fit.rounds)

    try:
        fmin(
            objective,
            _space(choice.space),
            algo=partial(tpe.suggest, n_startup_jobs=max(4, choice.trials // 3)),
            max_evals=choice.trials,
            timeout=choice.seconds,
            trials=Trials(),
            rstate=np.random.default_rng(choice.seed),
            show_progressbar=False,
            verbose=False,
        )
    except AllTrialsFailed:
        pass
    good = [trial for trial in done if trial.status == "ok"]
    if not good:
        raise TrainingError(
            f"none of {len(done)} trials succeeded; the last one: {done[-1].status if done else 'none ran'}"
        )
    return max(good, key=lambda trial: (trial.metric, -trial.number))


def margins(fit: Fit, matrix: np.ndarray) -> np.ndarray:
    card = {"features": fit.features, "rounds": fit.rounds, "calibration": {"kind": "none"}}
    return Scorer(fit.booster, card).margin(matrix)


def key_of(parameters: Mapping[str, float]) -> str:
    return json.dumps({name: f"{value:.6g}" for name, value in parameters.items()}, sort_keys=True)


def study_of(*parts: object) -> str:
    """Digest of everything a trial's outcome depends on; only trials of the same study are used again."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def bounds(given: Mapping[str, Sequence[float]]) -> dict[str, tuple[str, float, float]]:
    """The space with the use case's own bounds."""
    made = dict(SPACE)
    for name, ends in given.items():
        if name not in SPACE:
            raise UnknownNameError("search parameter", name, SPACE, "model.search.space")
        if len(ends) != 2 or ends[0] > ends[1]:
            raise TrainingError(f"model.search.space.{name} must be [low, high], got {list(ends)}")
        made[name] = (SPACE[name][0], float(ends[0]), float(ends[1]))
    return made


def _space(given: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    from hyperopt import hp
    from hyperopt.pyll import scope

    made: dict[str, Any] = {}
    for name, (kind, low, high) in bounds(given).items():
        if low == high:
            made[name] = low
        elif kind == "log":
            made[name] = hp.loguniform(name, math.log(low), math.log(high))
        elif kind == "whole":
            made[name] = scope.int(hp.quniform(name, low, high, 1))
        elif kind == "power":
            powers = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
            made[name] = hp.choice(name, [min(max(2**power, low), high) for power in powers])
        else:
            made[name] = hp.uniform(name, low, high)
    return made
