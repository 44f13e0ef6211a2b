"""What can be told of a `python` feature's function before any data is touched: it is there, it fits, and it is pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

import numpy as np

from finlake.config.features import PythonFunction
from finlake.errors import ConfigError, FeatureError
from finlake.features.python_calls import PythonCall, find
from finlake.features.python_results import Doubles

Problems = Iterator[tuple[str, str]]  # key below the feature, message
ROWS = 24
_NUMBERS = (None, 0.0, 1.0, -1.0, 0.5, 2.0, 7.0, 12.34, -3.5, 100.0, 99_999.99, 1e-6)
_SAMPLES: dict[str, tuple[Any, ...]] = {
    "number": _NUMBERS,
    "boolean": (None, 0.0, 1.0),
    "text": (None, "", "a", "B", "some words", "12", "Ärger"),
}


def unfit(function: PythonFunction, modules: Mapping[str, str]) -> Problems:
    """A function that is not there, or does not take as many arguments as it is given."""
    try:
        made = find(function, modules)
    except ConfigError as error:
        yield "python.call", str(error)
        return
    takes = signature(made)
    try:
        takes.bind(*function.of)
    except TypeError as error:
        given = f"{len(function.of)} argument{'' if len(function.of) == 1 else 's'}"
        yield "python.of", f"{given} for {function.function}{takes}: {error}"


def impure(call: PythonCall) -> Problems:
    """Calls a function with a sample of rows: as a whole, again, in halves, and row by row.

    Says that it fails, gives no numbers, or that a value depends on more than its own row. A test, no proof: a function
    that looks at the date or at a file may pass it.
    """
    rows = sample(call.kinds)
    try:
        message = _impurity(call, rows)
    except FeatureError as error:
        message = f"with a sample of rows it {str(error).removeprefix(f'{call} ')}"
    if message:
        yield "python.call", message


def _impurity(call: PythonCall, rows: list[list[Any]]) -> str | None:
    whole = _answers(call, rows)
    if not _close(whole, _answers(call, rows)).all():
        return (
            "called again with the same rows it gives other values; chance, the time, and what it remembers from call "
            "to call may not matter"
        )
    for part, where in _parts():
        apart = _answers(call, rows[part])
        differ = np.flatnonzero(~_close(whole[part], apart))
        if len(differ):
            row = differ[0] + part.start
            return (
                f"a value may not depend on other rows: of {_shown(rows[row])} it makes {_known(whole[row])} among "
                f"{ROWS} rows, and {_known(apart[differ[0]])} {where}"
            )
    return None


def sample(kinds: tuple[str, ...]) -> list[list[Any]]:
    """The same rows each time; in the first, nothing is known."""
    draw = random.Random(7)
    return [[None] * len(kinds), *([draw.choice(_SAMPLES[kind]) for kind in kinds] for _ in range(ROWS - 1))]


def _parts() -> Iterator[tuple[slice, str]]:
    yield slice(0, ROWS // 2), f"among the first {ROWS // 2}"
    yield slice(ROWS // 2, ROWS), f"among the last {ROWS // 2}"
    for row in range(ROWS):
        yield slice(row, row + 1), "alone"


def _answers(call: PythonCall, rows: list[list[Any]]) -> Doubles:
    return call.answer(*zip(*rows, strict=True))


def _close(one: Doubles, other: Doubles) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """As near as executions must be: arithmetic on many rows at once may round otherwise than on one."""
    return np.isclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True)


def _shown(row: list[Any]) -> str:
    return f"({', '.join('unknown' if value is None else repr(value) for value in row)})"


def _known(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:g}"
