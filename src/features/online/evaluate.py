"""Expressions on one row without Spark: the tree of `expressions.py` -> a Python function, with Spark's answers.

Values are float, bool, str, and moments as microseconds since 1970 in UTC; None is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from finlake.features.expressions import ZONED, Expr
from finlake.features.online.casts import caster, local_time
from finlake.features.online.functions import FUNCTIONS, equal, less, rounded

Lookup = Callable[[Expr], Any]
Evaluate = Callable[[Lookup], Any]
_NAMED = ("column", "this", "label")


def evaluator(expr: Expr, zone: str) -> Evaluate:
    """A function of one row's values.

    Args:
        expr: the typed tree.
        zone: where hours and days are counted.

    Returns:
        takes what gives the value of a `column`, `this` or `label` node, and gives the expression's value.
    """
    if expr.op in _NAMED:
        return lambda lookup: lookup(expr)
    if expr.op == "literal":
        return _constant(expr.value)
    args = [evaluator(arg, zone) for arg in expr.args]
    made = _PARTIAL[expr.op](args) if expr.op in _PARTIAL else _strict(expr, args, zone)
    return made if any(node.op in _NAMED for node in expr.walk()) else _constant(made(_nothing))


def _constant(value: Any) -> Evaluate:
    return lambda lookup: value


def _nothing(expr: Expr) -> None:
    """The lookup of expressions that name nothing."""


def _strict(expr: Expr, args: Sequence[Evaluate], zone: str) -> Evaluate:
    """Unknown as soon as one argument is."""
    function = _function(expr, ZoneInfo(zone))
    if expr.op in ("cast", "like", "round") or len(args) == 1:
        return _of_one(function, args[0])
    if len(args) > 2:
        return _of_many(function, args)
    if expr.op in _BESIDE and expr.args[1].op == "literal" and expr.args[1].value is not None:
        return _of_one(_BESIDE[expr.op](expr.args[1].value), args[0])
    return _of_two(function, *args)


def _function(expr: Expr, zone: ZoneInfo) -> Callable[..., Any]:
    if expr.op == "cast":
        return caster(expr, zone)
    if expr.op == "like":
        pattern = _like(str(expr.args[1].value))
        return lambda text: pattern.fullmatch(text) is not None
    if expr.op == "round":
        digits = int(expr.args[1].value) if len(expr.args) == 2 else 0
        return lambda value: rounded(value, digits)
    return _zoned(expr.op, zone) if expr.op in ZONED else FUNCTIONS[expr.op]


def _of_one(function: Callable[[Any], Any], arg: Evaluate) -> Evaluate:
    def run(lookup: Lookup) -> Any:
        value = arg(lookup)
        return None if value is None else function(value)

    return run


def _of_two(function: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    def run(lookup: Lookup) -> Any:
        first = left(lookup)
        if first is None:
            return None
        second = right(lookup)
        return None if second is None else function(first, second)

    return run


def _of_many(function: Callable[..., Any], args: Sequence[Evaluate]) -> Evaluate:
    def run(lookup: Lookup) -> Any:
        values = [arg(lookup) for arg in args]
        return None if None in values else function(*values)

    return run


def _either(decides: bool, args: Sequence[Evaluate]) -> Evaluate:
    """`and` is false, and `or` true, whatever the other side is."""
    left, right = args

    def run(lookup: Lookup) -> bool | None:
        first = left(lookup)
        if first is decides:
            return decides
        second = right(lookup)
        return decides if second is decides else None if first is None or second is None else not decides

    return run


def _case(args: Sequence[Evaluate]) -> Evaluate:
    branches, otherwise = list(zip(args[:-1:2], args[1:-1:2], strict=True)), args[-1]

    def run(lookup: Lookup) -> Any:
        for condition, value in branches:
            if condition(lookup):
                return value(lookup)
        return otherwise(lookup)

    return run


def _in(args: Sequence[Evaluate]) -> Evaluate:
    """The options are plain values."""
    options = [option(_nothing) for option in args[1:]]
    return _of_one(lambda value: any(equal(value, option) for option in options), args[0])


def _coalesce(args: Sequence[Evaluate]) -> Evaluate:
    def run(lookup: Lookup) -> Any:
        for arg in args:
            value = arg(lookup)
            if value is not None:
                return value
        return None

    return run


def _extreme(beats: Callable[[Any, Any], bool], args: Sequence[Evaluate]) -> Evaluate:
    """The greatest or least of those that are known; the first of equals."""

    def run(lookup: Lookup) -> Any:
        best = None
        for arg in args:
            value = arg(lookup)
            if value is not None and (best is None or beats(value, best)):
                best = value
        return best

    return run


def _nullif(args: Sequence[Evaluate]) -> Evaluate:
    def run(lookup: Lookup) -> Any:
        value, other = args[0](lookup), args[1](lookup)
        return None if value is None or (other is not None and equal(value, other)) else value

    return run


def _null_safe(args: Sequence[Evaluate]) -> Evaluate:
    def run(lookup: Lookup) -> bool:
        value, other = args[0](lookup), args[1](lookup)
        return value is other if value is None or other is None else equal(value, other)

    return run


def _zoned(op: str, zone: ZoneInfo) -> Callable[..., float | None]:
    if op == "datediff":
        return partial(_days_between, zone)
    part = _PARTS[op]

    def run(micros: int) -> float | None:
        local = local_time(micros, zone)
        return None if local is None else float(part(local))

    return run


def _days_between(zone: ZoneInfo, end: int, start: int) -> float | None:
    last, first = local_time(end, zone), local_time(start, zone)
    return None if last is None or first is None else float(last.toordinal() - first.toordinal())


def _like(pattern: str) -> re.Pattern[str]:
    """`%` is any text, `_` any character, and a backslash makes the next one plain."""
    special = {"%": ".*", "_": "."}
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.compile("".join(special.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


# Comparisons with a literal, which is never NaN.
_BESIDE: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "=": lambda b: lambda a: a == b, "<>": lambda b: lambda a: a != b, "<": lambda b: lambda a: a < b,
    "<=": lambda b: lambda a: a <= b, ">": lambda b: lambda a: a > b or a != a, ">=": lambda b: lambda a: a >= b or a != a,
}  # fmt: skip
_PARTS: dict[str, Callable[[datetime], int]] = {
    "hour": lambda at: at.hour, "minute": lambda at: at.minute, "dayofweek": lambda at: at.isoweekday() % 7 + 1,
    "day": lambda at: at.day, "dayofyear": lambda at: at.timetuple().tm_yday, "month": lambda at: at.month,
    "quarter": lambda at: (at.month + 2) // 3, "year": lambda at: at.year,
}  # fmt: skip
_PARTIAL: dict[str, Callable[[Sequence[Evaluate]], Evaluate]] = {
    "and": partial(_either, False), "or": partial(_either, True), "case": _case, "in": _in, "coalesce": _coalesce,
    "nullif": _nullif, "<=>": _null_safe, "greatest": partial(_extreme, lambda a, b: less(b, a)),
    "least": partial(_extreme, less), "is null": lambda args: lambda lookup: args[0](lookup) is None,
}  # fmt: skip
