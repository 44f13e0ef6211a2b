"""Whether a feature's values are as its definition expects, in one period."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from finlake.config import Feature
from finlake.config.expect import Expect
from finlake.monitoring.findings import EXPECTATION, Finding, shown

_FROM_ZERO: tuple[float | None, float | None] = (0.0, None)
_BY_MEANING: dict[str, tuple[float | None, float | None]] = {
    "share": (0.0, 1.0),
    "concentration": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
    **dict.fromkeys(("count", "distinct", "entropy", "std", "time_since", "distance", "speed"), _FROM_ZERO),
}
_ROUNDING = 1e-9  # sums of doubles


def by_meaning(feature: Feature | None, *, yes_or_no: bool = False) -> tuple[float | None, float | None] | None:
    """Lowest and highest value that the kind of a feature allows; None where any number may be right."""
    if yes_or_no:
        return (0.0, 1.0)
    return _BY_MEANING.get(feature.kind) if feature else None


def unmet(
    name: str, expect: Expect | None, meaning: tuple[float | None, float | None] | None, profile: Mapping[str, Any]
) -> list[Finding]:
    """What does not hold in the period of `profile`, a row of ops.feature_profiles. Unknown values break no bounds."""
    return list(_unmet(name, expect or Expect.model_construct(), meaning, profile))


def _unmet(
    name: str, expect: Expect, meaning: tuple[float | None, float | None] | None, profile: Mapping[str, Any]
) -> Iterator[Finding]:
    yield from _inside(name, "meaning", meaning, profile["min"], profile["max"], "by its kind values are")
    yield from _inside(name, "between", expect.between, profile["min"], profile["max"], "values must be")
    yield from _inside(name, "mean_between", expect.mean_between, profile["mean"], profile["mean"], "its mean must be")
    for effect, limit, value, what in (
        ("unknown_below", expect.unknown_below, profile["unknown"], "of its values are unknown"),
        ("zeros_below", expect.zeros_below, profile["zeros"], "of its known values are zero"),
    ):
        if limit is not None and value is not None and value >= limit:
            text = f"{value:.1%} {what}, less than {limit:.1%} is expected"
            yield Finding(name, EXPECTATION, effect, float(value), float(limit), text, blocking=True)


def _inside(
    name: str, effect: str, span: tuple[float | None, float | None] | None, low: float | None, high: float | None,
    must: str,
) -> Iterator[Finding]:  # fmt: skip
    if span is None or low is None or high is None:
        return
    for value, end, broken, words in (
        (low, span[0], span[0] is not None and low < span[0] - _ROUNDING * max(abs(span[0]), 1), "at least"),
        (high, span[1], span[1] is not None and high > span[1] + _ROUNDING * max(abs(span[1]), 1), "at most"),
    ):
        if broken and end is not None:
            text = f"there is {shown(value)}, {must} {words} {shown(end)}"
            if effect == "mean_between":
                text = f"its mean is {shown(value)}, {words} {shown(end)} is expected"
            yield Finding(name, EXPECTATION, effect, float(value), float(end), text, blocking=True)
