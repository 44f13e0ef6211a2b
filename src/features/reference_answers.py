"""What the rows of a window come to, with the standard library and without rounding on the way where that is possible."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import stdev
from typing import Any

from finlake.config import Feature
from finlake.features.definitions import UNITS
from finlake.features.online.functions import great_circle_km


@dataclass(frozen=True)
class Row:
    """A row in a window with what the feature measures of it; times in microseconds."""

    at: int
    since: int
    key: str
    values: Mapping[str, Any]
    measured: Any


def exact(value: Any) -> Any:
    """A number without rounding; infinities as they are, NaN is unknown."""
    if value is None or value != value:
        return None
    return value if isinstance(value, float) and math.isinf(value) else Fraction(value)


# Rows in their order, at least one; the definition; when the decision's row happened; what is measured of that row.
Answer = Callable[[list[Row], Feature, int, list[Any]], Any]


def _of(measure: Callable[[list[Any]], Any]) -> Answer:
    """An answer that needs the measured values alone."""
    return lambda rows, feature, happened, own: measure([row.measured for row in rows])


def _decaying(whole: Callable[[list[Any]], Any], decayed: Callable[[list[float], list[float]], Any]) -> Answer:
    """`decayed` of weights and values where there is a half-life; for a mean, weights count from the latest row."""

    def answer(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> Any:
        if not feature.half_life:
            return whole([row.measured for row in rows])
        latest = max(row.at for row in rows) if rows and feature.mean else happened
        weights = [2.0 ** ((row.at - latest) / feature.half_life.micros) for row in rows]
        return decayed(weights, [float(row.measured) for row in rows])

    return answer


def _total(values: Sequence[Any]) -> Any:
    return math.nan if _endless(values) else sum(values)


def _endless(values: Sequence[Any]) -> bool:
    return any(isinstance(value, float) for value in values)


def _mean(values: Sequence[Any]) -> Any:
    return _total(values) / len(values)


def _weighted(weights: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(weight * value for weight, value in zip(weights, values, strict=True))


def _weighted_mean(weights: list[float], values: list[float]) -> float | None:
    return _weighted(weights, values) / math.fsum(weights) if weights else None


def _deviation(values: list[Any]) -> float | None:
    return None if len(values) < 2 or _endless(values) else float(stdev(values))


def _z_score(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> float | None:
    values = [row.measured for row in rows]
    spread = _deviation(values)
    return float(own[0] - _mean(values)) / spread if spread and own[0] is not None else None


def _quantile(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> float:
    """Type 7 of Hyndman and Fan (1996)."""
    assert feature.quantile
    values, place = sorted(float(row.measured) for row in rows), feature.quantile[1] * (len(rows) - 1)
    low, high = values[math.floor(place)], values[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place)) if high != low else low


def _products(x: Sequence[Any], y: Sequence[Any]) -> Any:
    return sum(a * b for a, b in zip(x, y, strict=True)) - Fraction(sum(x) * sum(y), len(x))


def _correlation(pairs: list[Any]) -> float | None:
    x, y = zip(*pairs, strict=True)
    if _endless((*x, *y)) or not (varying := _products(x, x) * _products(y, y)):
        return None
    return math.copysign(math.sqrt(_products(x, y) ** 2 / varying), _products(x, y))


def _slope(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> float | None:
    days, values = [Fraction(row.at, UNITS["day"]) for row in rows], [row.measured for row in rows]
    spread = _products(days, days)
    return float(_products(days, values) / spread) if spread and not _endless(values) else None


def _shares(values: list[Any]) -> list[float]:
    return [count / len(values) for count in Counter(values).values()]


def _time_since(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> float:
    return (happened - rows[-1].at) / UNITS[feature.unit or "minutes"]


def _distance(rows: list[Row], feature: Feature, happened: int, own: list[Any]) -> float | None:
    places = [*rows[-1].measured, *own]
    km = None if None in places else great_circle_km(*map(float, places))
    return km if km is None or feature.distance else km / ((happened - rows[-1].at) / UNITS["hours"])


ANSWERS: dict[str, Answer] = {
    "count": _decaying(len, lambda weights, values: math.fsum(weights)), "sum": _decaying(_total, _weighted),
    "mean": _decaying(_mean, _weighted_mean), "share": _of(_mean), "min": _of(min), "max": _of(max),
    "first": _of(lambda values: values[0]), "last": _of(lambda values: values[-1]), "std": _of(_deviation),
    "distinct": _of(lambda values: len(set(values))), "z_score": _z_score, "quantile": _quantile, "slope": _slope,
    "correlation": _of(_correlation), "concentration": _of(lambda values: math.fsum(s * s for s in _shares(values))),
    "entropy": _of(lambda values: math.fsum(-share * math.log(share) for share in _shares(values)) + 0.0),
    "lookup": _of(lambda values: values[-1][0]), "time_since": _time_since, "distance": _distance, "speed": _distance,
}  # fmt: skip
