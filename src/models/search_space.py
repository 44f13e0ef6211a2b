"""What a search draws from: bounds of each parameter, with the use case's own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from finlake.errors import TrainingError, UnknownNameError

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


def bounds(given: Mapping[str, Sequence[float]]) -> dict[str, tuple[str, float, float]]:
    """The space with the use case's own bounds.

    Raises:
        UnknownNameError: the space names a parameter that is not searched.
        TrainingError: bounds that are no bounds.
    """
    made = dict(SPACE)
    for name, ends in given.items():
        if name not in SPACE:
            raise UnknownNameError("search parameter", name, SPACE, "model.search.space")
        if len(ends) != 2 or ends[0] > ends[1]:
            raise TrainingError(f"model.search.space.{name} must be [low, high], got {list(ends)}")
        kind = SPACE[name][0]
        if kind in ("log", "power") and ends[0] <= 0 and ends[0] < ends[1]:
            raise TrainingError(f"model.search.space.{name} is drawn by its logarithm, so low must be above 0: {ends}")
        made[name] = (kind, float(ends[0]), float(ends[1]))
    return made


def powers(low: float, high: float) -> list[float]:
    """Powers of two from `low` to `high`; the ends themselves where they are none."""
    exponents = range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)
    return [min(max(2.0**exponent, low), high) for exponent in exponents]


def rounded(point: Mapping[str, float]) -> dict[str, float]:
    """Parameters as they are trained with and stored."""
    return {name: round(float(value), 6) for name, value in sorted(point.items())}


def key_of(parameters: Mapping[str, float]) -> str:
    return json.dumps({name: f"{value:.6g}" for name, value in parameters.items()}, sort_keys=True)
