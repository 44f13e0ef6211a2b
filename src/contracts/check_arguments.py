"""Whether the arguments of an expectation are what it takes: numbers, texts, lists, words, true or false."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from finlake.config import Expectation
from finlake.errors import suggestion

_IGNORE = {
    "column_A": ("both_values_are_missing", "either_value_is_missing", "neither"),
    "column_list": ("all_values_are_missing", "any_value_is_missing", "never"),
}


def check_arguments(rule: Expectation) -> Iterator[tuple[str, str]]:
    """Problems of arguments, whatever the columns: (sentence, the argument)."""
    given = rule.arguments
    for key, (fits, words) in _TAKES.items():
        if key in given and not fits(given[key]):
            yield f"{rule.name}: {key} must be {words}, got {given[key]!r}", key
    for key, known in _IGNORE.items():
        if key in given:
            yield from _word(rule, "ignore_row_if", known)
    yield from _word(rule, "match_on", ("any", "all"))


def _word(rule: Expectation, key: str, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if key in rule.arguments and rule.arguments[key] not in known:
        word = rule.arguments[key]
        yield f"{rule.name}: unknown {key} {word!r}{suggestion(str(word), known)}", key


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_filled(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _are_texts(value: Any) -> bool:
    return _is_filled(value) and all(isinstance(one, str) for one in value)


def _are_pairs(value: Any) -> bool:
    return _is_filled(value) and all(isinstance(one, list) and len(one) == 2 for one in value)


_FLAG = (_is_flag, "true or false")
_TEXT = (_is_text, "a text")
_NUMBER = (is_number, "a number")
_TAKES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "value": (_is_count, "a whole number from 0 on"),
    "threshold": _NUMBER,
    "sum_total": _NUMBER,
    "regex": _TEXT,
    "like_pattern": _TEXT,
    "strftime_format": _TEXT,
    "condition": _TEXT,
    "strict_min": _FLAG,
    "strict_max": _FLAG,
    "or_equal": _FLAG,
    "double_sided": _FLAG,
    "ties_okay": _FLAG,
    "value_set": (_is_filled, "a list with at least one value"),
    "regex_list": (_are_texts, "a list with at least one text"),
    "value_pairs_set": (_are_pairs, "a list of pairs"),
}
