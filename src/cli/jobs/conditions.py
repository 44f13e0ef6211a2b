"""condition_task: text is compared for equality, numbers for order, as in a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from finlake.errors import JobError, UnknownNameError

_ORDER: dict[str, Callable[[float, float], bool]] = {
    "GREATER_THAN": lambda left, right: left > right,
    "GREATER_THAN_OR_EQUAL": lambda left, right: left >= right,
    "LESS_THAN": lambda left, right: left < right,
    "LESS_THAN_OR_EQUAL": lambda left, right: left <= right,
}
OPERATORS = ("EQUAL_TO", "NOT_EQUAL", *_ORDER)


def holds(condition: Mapping[str, Any]) -> bool:
    """Whether a condition holds; `12.0` and `12` are not equal, but neither is greater.

    Raises:
        UnknownNameError: an operator there is not.
        JobError: an order asked of something that is no number.
    """
    operator, left, right = (str(condition.get(key, "")) for key in ("op", "left", "right"))
    if operator not in OPERATORS:
        raise UnknownNameError("operator", operator, OPERATORS, "condition_task")
    if operator in ("EQUAL_TO", "NOT_EQUAL"):
        return (left == right) == (operator == "EQUAL_TO")
    try:
        return _ORDER[operator](float(left), float(right))
    except ValueError as error:
        raise JobError(f"condition_task: {operator} compares numbers, got {left!r} and {right!r}") from error
