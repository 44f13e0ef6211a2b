"""What can be said about a contract's expectations without data: every problem, with the keys that lead to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from finlake.config import Expectation, Source
from finlake.contracts.check_arguments import check_arguments, is_number
from finlake.contracts.strftime import spark_pattern
from finlake.contracts.vocabulary import REFUSED, ROW_ARGUMENTS, TABLE_EXPECTATIONS
from finlake.errors import ContractError, suggestion

Found = Iterator[tuple[str, tuple[object, ...]]]
_NUMERIC = ("integer", "number", "money")
_TIMES = ("date", "timestamp")
_ON_TEXT = ("regex", "regex_list", "like_pattern", "strftime_format")


def check_expectations(
    source: Source, sources: Mapping[str, Source] | None = None
) -> list[tuple[str, tuple[object, ...]]]:
    """Problems of a contract's expectations: (sentence, keys in the file). Needs no Spark.

    Names of columns and sources are resolved by `finlake.config.check`; a rule with an unknown one is left to it.
    With `sources`, the column that a reference names in another contract is resolved too.
    """
    found: list[tuple[str, tuple[object, ...]]] = []
    seen: dict[str, int] = {}
    for position, rule in enumerate(source.expect):
        where = ("expect", position)
        if rule.rule in seen:
            found.append(
                (f"expect: the sentence {rule.rule!r} is used twice; each rule needs its own", (*where, "rule"))
            )
        seen[rule.rule] = position
        found += [(message, (*where, *keys)) for message, keys in _rule(rule, source, sources or {})]
    if source.latest_by in source.later_columns:
        found.append(
            (
                f"latest_by: {source.latest_by!r} is under known_later; the order of versions is needed at once",
                ("latest_by",),
            )
        )
    return found


def _rule(rule: Expectation, source: Source, sources: Mapping[str, Source]) -> Found:
    known = {**ROW_ARGUMENTS, **TABLE_EXPECTATIONS}
    if rule.name in REFUSED:
        yield f"{rule.name} is not offered: {REFUSED[rule.name]}", (rule.name,)
        return
    if rule.name not in known:
        yield f"unknown expectation {rule.name!r}{suggestion(rule.name, known)}", (rule.name,)
        return
    needed, allowed = known[rule.name]
    names = list(dict.fromkeys([*needed, *allowed]))
    for argument in rule.arguments:
        if argument not in names:
            yield f"{rule.name} has no argument {argument!r}{suggestion(argument, names)}", (rule.name, argument)
    missing = [name for name in needed if name not in rule.arguments]
    for name in missing:
        yield f"{rule.name} needs `{name}`", (rule.name,)
    if missing or not all(name in source.silver_columns for name in rule.columns):
        return
    shapes = [(message, (rule.name, key)) for message, key in check_arguments(rule)]
    if shapes:
        yield from shapes
        return
    if len(rule.arguments.get("column_list", "ab")) < 2:
        yield f"{rule.name}: column_list needs at least two columns", (rule.name, "column_list")
    if rule.name in TABLE_EXPECTATIONS and rule.otherwise == "quarantine" and "otherwise" in rule.model_fields_set:
        yield (
            f"{rule.name} judges a whole batch, so it cannot quarantine rows; write otherwise: warn or stop",
            ("otherwise",),
        )
    yield from _values(rule, source)
    if rule.name == "expect_reference":
        yield from _reference(rule, source, sources)
    if "condition" in rule.arguments:
        yield from _condition(rule.arguments["condition"], source, (rule.name, "condition"))


def _values(rule: Expectation, source: Source) -> Found:
    given = rule.arguments
    kind = source.silver_columns[given["column"]].type if "column" in given else ""
    if "value_set" in given:
        yield from _set(rule, kind)
    if "min_value" in {**ROW_ARGUMENTS, **TABLE_EXPECTATIONS}[rule.name][1]:
        yield from _bounds(rule, kind)
    for key in _ON_TEXT:
        if key in given and kind and kind != "text":
            yield f"{rule.name}: {given['column']} is {kind}, and {key} is asked of texts only", (rule.name, key)
    yield from _patterns(rule)
    if "length" in rule.name and kind != "text":
        yield f"{rule.name}: {given['column']} is {kind}; lengths are asked of texts only", (rule.name, "column")
    if "threshold" in given and kind not in _NUMERIC:
        yield f"{rule.name}: {given['column']} is {kind}; z-scores are asked of numbers only", (rule.name, "column")
    if rule.name == "expect_not_in_future" and kind not in _TIMES:
        yield f"{rule.name}: {given['column']} is {kind}, not a date or timestamp", (rule.name, "column")


def _patterns(rule: Expectation) -> Found:
    given = rule.arguments
    for regex in [given["regex"]] if "regex" in given else given.get("regex_list", []):
        yield from _regex(rule, regex)
    if "strftime_format" in given:
        try:
            spark_pattern(given["strftime_format"])
        except ContractError as error:
            yield f"{rule.name}: {error}", (rule.name, "strftime_format")


def _set(rule: Expectation, kind: str) -> Found:
    values = rule.arguments["value_set"]
    if any(value is None for value in values):
        yield (
            f"{rule.name}: null in value_set would let every row pass; take it out (nulls are never counted)",
            (rule.name, "value_set"),
        )
    wrong = [value for value in values if value is not None and not _fits(value, kind)]
    if wrong:
        yield (
            f"{rule.name}: {rule.arguments['column']} is {kind}, and {wrong[0]!r} in value_set is not",
            (rule.name, "value_set"),
        )


def _bounds(rule: Expectation, kind: str) -> Found:
    low, high = rule.arguments.get("min_value"), rule.arguments.get("max_value")
    if low is None and high is None:
        yield f"{rule.name} needs min_value or max_value", (rule.name,)
        return
    counts = any(word in rule.name for word in ("length", "count", "proportion"))
    as_kind = "number" if counts or any(word in rule.name for word in ("mean", "median", "stdev", "sum_")) else kind
    if as_kind in ("text", "boolean"):
        yield (
            f"{rule.name}: {rule.arguments['column']} is {kind}, which has no order; use a set, a length or a regex",
            (rule.name, "column"),
        )
        return
    for key, bound in (("min_value", low), ("max_value", high)):
        if bound is not None and not _fits(bound, as_kind):
            yield f"{rule.name}: {key} {bound!r} is not a {as_kind} like the column it bounds", (rule.name, key)
    if low is not None and high is not None and is_number(low) and is_number(high) and low > high:
        yield f"{rule.name}: min_value {low} lies above max_value {high}", (rule.name, "min_value")


def _fits(value: Any, kind: str) -> bool:
    if kind in _NUMERIC:
        return is_number(value)
    if kind in _TIMES:
        return isinstance(value, date) or _is_time(str(value))
    return isinstance(value, bool if kind == "boolean" else str)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _regex(rule: Expectation, regex: str) -> Found:
    try:
        re.compile(regex)
    except re.error as error:
        yield f"{rule.name}: {regex!r} is not a regular expression: {error}", (rule.name, "regex")


def _reference(rule: Expectation, source: Source, sources: Mapping[str, Source]) -> Found:
    other = sources.get(str(rule.arguments["in"]))
    key = rule.arguments.get("key")
    if other is None:
        return
    if key is None and len(other.key) > 1:
        yield (
            f"expect_reference: {other.source} has the key {', '.join(other.key)}; say which column with `key`",
            (rule.name, "in"),
        )
    if key is not None and key not in other.silver_columns:
        yield (
            f"expect_reference: no column {key!r} in {other.source}{suggestion(str(key), other.silver_columns)}",
            (rule.name, "key"),
        )


def _condition(text: str, source: Source, keys: tuple[object, ...]) -> Found:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        parsed = sqlglot.parse_one(text, dialect="databricks")
    except SqlglotError as error:
        yield f"condition: {text!r} is not SQL: {str(error).splitlines()[0]}", keys
        return
    if isinstance(parsed, exp.Query) or next(parsed.find_all(exp.AggFunc, exp.Window), None) is not None:
        yield f"condition: {text!r} must be a condition on one row, without SELECT, aggregates or windows", keys
    for column in dict.fromkeys(column.name for column in parsed.find_all(exp.Column)):
        if column not in source.silver_columns:
            yield f"condition: no column {column!r} in {source.source}{suggestion(column, source.silver_columns)}", keys
