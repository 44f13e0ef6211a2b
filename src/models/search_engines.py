"""Who proposes the next point: Hyperopt's or Optuna's tree-structured Parzen estimator, in this process.

Both are driven one point after the other, without their own storage: what they propose follows from the seed and from
what they were told, so a search that is told the same goes the same way.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from finlake.config.use_case import Search
from finlake.models.search_space import powers

Bounds = Mapping[str, tuple[str, float, float]]
Objective = Callable[[dict[str, float]], float | None]  # larger is better; None: the point failed
Engine = Callable[[Bounds, Search, Objective, Callable[[], bool]], None]


def with_hyperopt(space: Bounds, choice: Search, objective: Objective, over: Callable[[], bool]) -> None:
    from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, tpe
    from hyperopt.exceptions import AllTrialsFailed

    logging.getLogger("hyperopt").setLevel(logging.WARNING)

    def loss(point: dict[str, Any]) -> dict[str, Any]:
        found = objective(point)
        return {"status": STATUS_FAIL} if found is None else {"status": STATUS_OK, "loss": -found}

    try:
        fmin(
            loss,
            _hyperopt_space(space),
            algo=partial(tpe.suggest, n_startup_jobs=random_trials(choice)),
            max_evals=choice.trials,
            early_stop_fn=lambda trials, *state: (over(), state),
            trials=Trials(),
            rstate=np.random.default_rng(choice.seed),
            show_progressbar=False,
            verbose=False,
        )
    except AllTrialsFailed:
        return  # the search itself says so, with the reason of the last one


def with_optuna(space: Bounds, choice: Search, objective: Objective, over: Callable[[], bool]) -> None:
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=choice.seed, n_startup_trials=random_trials(choice))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    drawn = _optuna_space(space)
    fixed = {name: low for name, (_, low, high) in space.items() if low == high}
    for _ in range(choice.trials):
        asked = study.ask(drawn)
        found = objective({**fixed, **asked.params})
        if found is None:
            study.tell(asked, state=TrialState.FAIL)
        else:
            study.tell(asked, found)
        if over():
            return


ENGINES: dict[str, Engine] = {"hyperopt": with_hyperopt, "optuna": with_optuna}


def random_trials(choice: Search) -> int:
    """Trials at the beginning that are drawn by chance: nothing is known yet, neither to propose nor to stop by."""
    return max(4, choice.trials // 3)


def _hyperopt_space(space: Bounds) -> dict[str, Any]:
    from hyperopt import hp
    from hyperopt.pyll import scope

    made: dict[str, Any] = {}
    for name, (kind, low, high) in space.items():
        if low == high:
            made[name] = low
        elif kind == "log":
            made[name] = hp.loguniform(name, math.log(low), math.log(high))
        elif kind == "whole":
            made[name] = scope.int(hp.quniform(name, low, high, 1))
        elif kind == "power":
            made[name] = hp.choice(name, powers(low, high))
        else:
            made[name] = hp.uniform(name, low, high)
    return made


def _optuna_space(space: Bounds) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    made: dict[str, Any] = {}
    for name, (kind, low, high) in space.items():
        if low == high:
            continue
        if kind == "whole":
            made[name] = IntDistribution(int(low), int(high))
        elif kind == "power":
            made[name] = CategoricalDistribution(powers(low, high))
        else:
            made[name] = FloatDistribution(low, high, log=kind == "log")
    return made
