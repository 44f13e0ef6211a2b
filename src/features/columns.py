"""Expressions -> Spark SQL Columns. Numbers are doubles; `/` and `%` by zero and casts that fail give null."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.features.expressions import EARTH_KM, ZONED, Expr

Resolve = Callable[[Expr], Column]
_WITH_OFFSET = r":[0-9]{1,2}(\.[0-9]*)?(Z| ?[+-][0-9]{1,2}(:?[0-9]{2})?)[\x00-\x20\x7f]*$"
_ZONE_NAME = "[A-Za-z]{2}"  # Spark reads texts with one; the names it knows are those of its Java
_CAST = {"number": "double", "integer": "bigint", "text": "string", "date": "date", "timestamp": "timestamp"}


def compile_expr(expr: Expr, resolve: Resolve, zone: str) -> Column:
    """The Column of an expression.

    Args:
        expr: the typed tree.
        resolve: gives the Column of a `column`, `this` or `label` node; dates as the UTC moment of local midnight.
        zone: where hours and days are counted; stored times are UTC.
    """
    if expr.op in ("column", "this", "label"):
        column = resolve(expr)
        return column.cast("double") if expr.kind == "number" else column
    if expr.op == "literal":
        return F.lit(expr.value)
    args = [compile_expr(arg, resolve, zone) for arg in expr.args]
    if expr.op in ZONED:
        args = [_local(arg, zone) for arg in args]
    if expr.op == "cast":
        return _cast(expr, args[0], zone)
    if expr.op == "round":
        digits = int(expr.args[1].value) if len(args) == 2 else 0
        return F.round(args[0], digits)
    if expr.op == "like":
        return args[0].like(str(expr.args[1].value))
    made = _OPERATIONS[expr.op](*args)
    return made.cast("double") if expr.kind == "number" else made


def _local(column: Column, zone: str) -> Column:
    return column if zone == "UTC" else F.from_utc_timestamp(column, zone)


def _cast(expr: Expr, arg: Column, zone: str) -> Column:
    """Texts of times are local unless they tell their offset; a moment cast to a date is that local day's midnight."""
    source = expr.args[0].kind
    if expr.value == "timestamp" and source == "time":
        return arg
    if expr.value == "date" and source == "time":
        return local_midnight(_local(arg, zone).cast("date"), zone)
    made = arg.try_cast(_CAST[expr.value])
    if expr.value == "date":
        return local_midnight(made, zone)
    if expr.value == "timestamp":
        local = F.to_utc_timestamp(made, zone)
        if source != "text":
            return local
        return F.when(~arg.rlike(_ZONE_NAME), F.when(arg.rlike(_WITH_OFFSET), made).otherwise(local))
    return made.cast("double") if expr.kind == "number" else made


def local_midnight(day: Column, zone: str) -> Column:
    """The UTC moment at which a calendar day begins in `zone`."""
    return F.to_utc_timestamp(day.cast("timestamp"), zone)


def _case(*parts: Column) -> Column:
    made = F.when(parts[0], parts[1])
    for condition, value in zip(parts[2:-1:2], parts[3:-1:2], strict=True):
        made = made.when(condition, value)
    return made.otherwise(parts[-1])


def _in(value: Column, *options: Column) -> Column:
    found = value == options[0]
    for option in options[1:]:
        found = found | (value == option)
    return found


def great_circle_km(*degrees: Column) -> Column:
    """Great-circle distance by the haversine formula, on a sphere of the Earth's mean radius (IUGG).

    Unknown where a coordinate is unknown or beyond 90 degrees of latitude or 180 of longitude.
    """
    lat, lon, other_lat, other_lon = (F.radians(degree) for degree in degrees)
    half = F.pow(F.sin((other_lat - lat) / 2), F.lit(2.0))
    half = half + F.cos(lat) * F.cos(other_lat) * F.pow(F.sin((other_lon - lon) / 2), F.lit(2.0))
    on_earth = (F.abs(degrees[0]) <= 90) & (F.abs(degrees[2]) <= 90)
    on_earth = on_earth & (F.abs(degrees[1]) <= 180) & (F.abs(degrees[3]) <= 180)
    return F.when(on_earth, F.asin(F.least(F.lit(1.0), F.sqrt(half))) * (2 * EARTH_KM))


_OPERATIONS: dict[str, Callable[..., Column]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": F.try_divide, "%": lambda a, b: F.when(b != 0, a % F.when(b != 0, b)),
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b, "<=>": lambda a, b: a.eqNullSafe(b),
    "and": lambda a, b: a & b, "or": lambda a, b: a | b, "not": lambda a: ~a, "negative": lambda a: -a,
    "is null": lambda a: a.isNull(), "in": _in, "case": _case,
    "abs": F.abs, "ceil": F.ceil, "floor": F.floor, "sqrt": F.sqrt, "exp": F.exp, "ln": F.ln, "log10": F.log10,
    "sin": F.sin, "cos": F.cos, "sign": F.signum, "pow": F.pow, "nullif": F.nullif, "coalesce": F.coalesce,
    "greatest": F.greatest, "least": F.least, "hour": F.hour, "minute": F.minute, "dayofweek": F.dayofweek,
    "day": F.dayofmonth, "dayofyear": F.dayofyear, "month": F.month, "quarter": F.quarter, "year": F.year,
    "datediff": F.datediff, "lower": F.lower, "upper": F.upper, "trim": F.trim, "length": F.length, "great_circle_km": great_circle_km,
}  # fmt: skip
