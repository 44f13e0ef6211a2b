"""What there is to say about a feature in a period: drift and broken expectations, with figure and limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finlake.monitoring.drift import LIMITS, Effect, Shape, judge

DRIFT, EXPECTATION = "drift", "expectation"


@dataclass(frozen=True)
class Finding:
    """One effect above its limit, or one expectation that does not hold; `blocking` stops an online publication."""

    feature: str
    kind: str
    effect: str
    value: float
    limit: float
    text: str
    blocking: bool


def shape_of(profiles: Sequence[Mapping[str, Any]]) -> Shape:
    """Rows of ops.feature_profiles of one feature, with the same edges."""
    mean, std = (
        np.array([math.nan if row[name] is None else row[name] for row in profiles], dtype="float64")
        for name in ("mean", "std")
    )
    return Shape(mean, std, np.array([row["counts"] for row in profiles], dtype="float64"))


def drifted(name: str, reference: Sequence[Mapping[str, Any]], now: Mapping[str, Any]) -> list[Finding]:
    """Effects of the period `now` that are above their limits and beyond chance, the gross ones first."""
    effects = [effect for effect in judge(shape_of(reference), shape_of([now])) if effect.notable]
    effects.sort(key=lambda effect: not effect.gross)
    return [Finding(name, DRIFT, e.name, e.value, LIMITS[e.name].notable, _words(e), blocking=e.gross) for e in effects]


def _words(effect: Effect) -> str:
    value, limit = effect.value, LIMITS[effect.name].notable
    way = "higher" if value > 0 else "lower"
    if effect.name == "unknown":
        more = "more" if value > 0 else "less"
        return (
            f"unknown in {100 * abs(value):.1f} points of a hundred {more} (limit {100 * limit:g}, "
            f"{100 * effect.usual:.1f} at most between earlier periods)"
        )
    if math.isinf(value):
        return f"it always was one value, and now is one that is {way}"
    said = {
        "psi": f"its distribution moved: PSI {value:.2f}",
        "mean": f"its mean is {abs(value):.2f} standard deviations {way}",
        "rank": f"its values are {way}: Cliff's delta {value:+.2f}",
    }[effect.name]
    return f"{said} (limit {limit:g}, {effect.usual:.2f} at most between earlier periods)"


def shown(value: float) -> str:
    """A number for people: six digits at most."""
    return f"{value:,.6g}"
