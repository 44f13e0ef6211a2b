"""What one decision's windows come to, over the few rows of its entity: the functions of `features.windows`, one range."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from finlake.features.windows.answers import Part


@dataclass(frozen=True)
class Rows:
    """An entity's rows in the order of their times: times, and the columns of the values; None is unknown."""

    at: Sequence[int]
    values: dict[str, Sequence[Any]]

    def answer(self, part: Part, asked_at: int) -> float | int | None:
        """The part for a decision at `asked_at`; None is unknown."""
        begin = 0 if part.low is None else bisect_left(self.at, asked_at + part.low)
        end = bisect_left(self.at, asked_at + part.high + 1)
        at, value = self.at[begin:end], self.values[part.value][begin:end]
        if part.other:
            other = self.values[part.other][begin:end]
            both = [three for three in zip(at, value, other, strict=True) if None not in three]
            at, value, other = zip(*both, strict=True) if both else ((), (), ())
            return len(value) if part.function == "count" else _correlation(value, other)
        if None in value:
            at = [moment for moment, one in zip(at, value, strict=True) if one is not None]
            value = [one for one in value if one is not None]
        if part.function in ("count", "distinct"):
            return len(value) if part.function == "count" else len(set(value))
        return _FUNCTIONS[part.function](value, at, part, asked_at) if value else None


Function = Callable[[Sequence[Any], Sequence[int], Part, int], Any]


def _deviation(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float | None:
    if len(value) < 2:
        return None
    mean = fmean(value)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in value) / (len(value) - 1))


def _correlation(x: Sequence[float], y: Sequence[float]) -> float | None:
    if len(x) < 2:
        return None
    xx, xy, yy = _products(x, y)
    return max(-1.0, min(1.0, xy / math.sqrt(xx * yy))) if xx > 0 and yy > 0 else None


def _slope(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float | None:
    xx, xy, _ = _products([moment - at[0] for moment in at], value)
    return xy / xx if xx > 0 else None


def _products(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Sums of products of the differences from the means: xx, xy, yy."""
    mx, my = fmean(x), fmean(y)
    pairs = [(a - mx, b - my) for a, b in zip(x, y, strict=True)]
    return math.fsum(a * a for a, _ in pairs), math.fsum(a * b for a, b in pairs), math.fsum(b * b for _, b in pairs)


def _decayed(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float:
    until = at[-1] if part.function == "decayed_to_last" else asked_at
    return math.fsum(one * 2.0 ** ((moment - until) / part.argument) for one, moment in zip(value, at, strict=True))


def _quantile(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float:
    ordered, place = sorted(value), part.argument * (len(value) - 1)
    below = math.floor(place)
    first, second = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return float(first + (second - first) * (place - below))


def _concentration(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float:
    return float(sum(count * count for count in Counter(value).values()) / len(value) ** 2)


def _entropy(value: Sequence[Any], at: Sequence[int], part: Part, asked_at: int) -> float:
    n = len(value)
    return math.log(n) - math.fsum(count * math.log(count) for count in Counter(value).values()) / n


_FUNCTIONS: dict[str, Function] = {
    "sum": lambda value, at, part, asked_at: sum(value),
    "min": lambda value, at, part, asked_at: min(value),
    "max": lambda value, at, part, asked_at: max(value),
    "first": lambda value, at, part, asked_at: value[0],
    "last": lambda value, at, part, asked_at: value[-1],
    "last_time": lambda value, at, part, asked_at: at[-1],
    "std": _deviation, "slope": _slope, "decayed": _decayed, "decayed_to_last": _decayed, "quantile": _quantile,
    "concentration": _concentration, "entropy": _entropy,
}  # fmt: skip
