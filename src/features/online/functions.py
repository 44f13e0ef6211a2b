"""Operators and functions of known values, with the answers of Spark and Java."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from finlake.features.expressions import EARTH_KM

_EXACT = Context(prec=800)  # enough digits for every double


def equal(a: Any, b: Any) -> bool:
    """NaN equals itself."""
    return bool(a == b or (a != a and b != b))


def less(a: Any, b: Any) -> bool:
    """NaN is above every other number."""
    return bool(a < b or (b != b and a == a))


def at_most(a: Any, b: Any) -> bool:
    return bool(a <= b or b != b)


def rounded(value: float, digits: int = 0) -> float:
    """Half away from zero, of the decimal number that a double is written as."""
    if not math.isfinite(value):
        return value
    if digits:
        return float(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _EXACT))
    whole = math.floor(abs(value))
    return math.copysign(whole + (abs(value) - whole >= 0.5), value)


def great_circle_km(lat: float, lon: float, other_lat: float, other_lon: float) -> float | None:
    """Great-circle distance by the haversine formula, on a sphere of the Earth's mean radius (IUGG).

    Unknown where a coordinate is beyond 90 degrees of latitude or 180 of longitude.
    """
    if not (abs(lat) <= 90 and abs(other_lat) <= 90 and abs(lon) <= 180 and abs(other_lon) <= 180):
        return None
    lat, lon, other_lat, other_lon = map(math.radians, (lat, lon, other_lat, other_lon))
    across = math.cos(lat) * math.cos(other_lat) * math.sin((other_lon - lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(math.sin((other_lat - lat) / 2) ** 2 + across)))


def _divide(a: float, b: float) -> float | None:
    return None if b == 0 else a / b


def _remainder(a: float, b: float) -> float | None:
    if b == 0:
        return None
    return math.nan if math.isinf(a) else math.fmod(a, b)


def _to_long(function: Callable[[float], int]) -> Callable[[float], float]:
    """Through a 64-bit integer: what is beyond is its end, NaN is 0."""

    def run(value: float) -> float:
        if abs(value) < 2.0**63:
            return float(function(value))
        return 0.0 if value != value else math.copysign(2.0**63, value)

    return run


def _or_nan(function: Callable[[float], float]) -> Callable[[float], float]:
    def run(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan

    return run


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _power(a: float, b: float) -> float:
    if b != b or (abs(a) == 1 and math.isinf(b)):
        return math.nan
    odd = b % 2 == 1
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and odd else math.inf
    except ValueError:  # zero to a negative power, or a root of a negative number
        return math.nan if a else math.copysign(math.inf, a) if odd else math.inf


def _sign(value: float) -> float:
    return math.copysign(1.0, value) if value else value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": _divide, "%": _remainder,
    "=": equal, "<>": lambda a, b: not equal(a, b), "<": less, "<=": at_most,
    ">": lambda a, b: less(b, a), ">=": lambda a, b: at_most(b, a), "not": lambda a: not a, "negative": lambda a: -a,
    "abs": abs, "ceil": _to_long(math.ceil), "floor": _to_long(math.floor), "sqrt": _or_nan(math.sqrt), "exp": _exp,
    "ln": lambda a: None if a <= 0 else math.log(a), "log10": lambda a: None if a <= 0 else math.log10(a),
    "sin": _or_nan(math.sin), "cos": _or_nan(math.cos), "pow": _power, "sign": lambda a: a if a != a else _sign(a),
    "lower": str.lower, "upper": str.upper, "trim": lambda text: text.strip(" "),
    "length": lambda text: float(len(text)), "great_circle_km": great_circle_km,
}  # fmt: skip
