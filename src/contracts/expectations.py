"""Row expectations in Great Expectations' vocabulary, compiled to Columns. What each one means: docs/contracts.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.config import Expectation, Source
from finlake.contracts.checks import Check
from finlake.contracts.conditions import condition
from finlake.contracts.contract import silver_type
from finlake.contracts.strftime import spark_pattern
from finlake.errors import ContractError

Parts = tuple[Column, Column]  # which rows count, which of them fail (null: no)
COMPLETE_ROWS = ("expect_column_values_to_be_unique", "expect_compound_columns_to_be_unique")


@dataclass(frozen=True)
class Setting:
    """What an expectation may need besides its arguments."""

    now: datetime
    types: Mapping[str, str]
    reference_flag: str = ""
    unique_flag: str = ""


def compile_expectation(rule: Expectation, setting: Setting) -> Check:
    """The check of one row expectation.

    Null in `checked` or `failed` means no. `mostly` and the severity `stop` become the batch's limit; a failing row's
    own fate follows from the severity alone.
    """
    if rule.name not in ROW_EXPECTATIONS:
        raise ContractError(f"{rule.name} is not a row expectation; it runs through Great Expectations")
    counted, failed = ROW_EXPECTATIONS[rule.name](rule.arguments, setting)
    if rule.where:
        among = F.coalesce(condition(rule.where), F.lit(False))
        counted, failed = counted & among, failed & among
    readable = F.col("_corrupt").isNull() if "_corrupt" in setting.types else F.lit(True)
    return Check(
        rule=rule.rule,
        reason=f"broken rule: {rule.rule}",
        expectation=rule.name,
        columns=rule.columns,
        checked=readable & counted,
        failed=readable & counted & failed,
        severity=rule.otherwise,
        mostly=rule.mostly,
        limit=batch_limit(rule),
    )


def batch_limit(rule: Expectation) -> float | None:
    """The share below which the batch is held: `mostly` if it is written, 1 for `stop` without it, else none."""
    if "mostly" in rule.model_fields_set:
        return rule.mostly
    return 1.0 if rule.otherwise == "stop" else None


def types_of(source: Source) -> dict[str, str]:
    """Silver name -> Spark type, and `_corrupt`, which marks rows that no rule is asked of."""
    return {**{name: silver_type(column) for name, column in source.silver_columns.items()}, "_corrupt": "string"}


def _map(build: Callable[[Column, Mapping[str, Any], str], Column]) -> Callable[[Mapping[str, Any], Setting], Parts]:
    """A rule about one column; nulls are not counted."""

    def compiled(arguments: Mapping[str, Any], setting: Setting) -> Parts:
        column = F.col(arguments["column"])
        return column.isNotNull(), ~build(column, arguments, setting.types.get(arguments["column"], ""))

    return compiled


def _not_null(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    return F.lit(True), F.col(arguments["column"]).isNull()


def _null(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    return F.lit(True), F.col(arguments["column"]).isNotNull()


def _between(column: Column, arguments: Mapping[str, Any], kind: str) -> Column:
    low, high = arguments.get("min_value"), arguments.get("max_value")
    tests = []
    if low is not None:
        bound = literal(low, kind)
        tests.append(column > bound if arguments.get("strict_min") else column >= bound)
    if high is not None:
        bound = literal(high, kind)
        tests.append(column < bound if arguments.get("strict_max") else column <= bound)
    return reduce(lambda a, b: a & b, tests)


def _lengths(column: Column, arguments: Mapping[str, Any], kind: str) -> Column:
    return _between(F.length(column), arguments, "bigint")


def _length_equal(column: Column, arguments: Mapping[str, Any], kind: str) -> Column:
    return F.length(column) == arguments["value"]


def _in_set(column: Column, arguments: Mapping[str, Any], kind: str) -> Column:
    return column.isin([literal(value, kind) for value in arguments["value_set"]])


def _regexes(column: Column, arguments: Mapping[str, Any]) -> Column:
    hits = [column.rlike(regex) for regex in arguments["regex_list"]]
    both = (lambda a, b: a & b) if arguments.get("match_on", "any") == "all" else (lambda a, b: a | b)
    return reduce(both, hits)


def _strftime(column: Column, arguments: Mapping[str, Any], kind: str) -> Column:
    return F.try_to_timestamp(column, F.lit(spark_pattern(arguments["strftime_format"]))).isNotNull()


def _pair(
    build: Callable[[Column, Column, Mapping[str, Any]], Column],
) -> Callable[[Mapping[str, Any], Setting], Parts]:
    """A rule about two columns; by default only rows without both values are not counted."""

    def compiled(arguments: Mapping[str, Any], setting: Setting) -> Parts:
        a, b = F.col(arguments["column_A"]), F.col(arguments["column_B"])
        ignored = {
            "both_values_are_missing": a.isNull() & b.isNull(),
            "either_value_is_missing": a.isNull() | b.isNull(),
            "neither": F.lit(False),
        }[arguments.get("ignore_row_if", "both_values_are_missing")]
        return ~ignored, ~build(a, b, arguments)

    return compiled


def _greater(a: Column, b: Column, arguments: Mapping[str, Any]) -> Column:
    return a >= b if arguments.get("or_equal") else a > b


def _pairs(a: Column, b: Column, arguments: Mapping[str, Any]) -> Column:
    pairs = [
        (a.eqNullSafe(F.lit(first))) & (b.eqNullSafe(F.lit(second))) for first, second in arguments["value_pairs_set"]
    ]
    return reduce(lambda one, other: one | other, pairs)


def counted_rows(columns: list[Column], ignore: str) -> Column:
    """Rows of a multi-column rule that count."""
    nulls = [column.isNull() for column in columns]
    if ignore == "never":
        return F.lit(True)
    every = ignore == "all_values_are_missing"
    return ~reduce((lambda a, b: a & b) if every else (lambda a, b: a | b), nulls)


def _sum(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    columns = [F.col(name) for name in arguments["column_list"]]
    counted = counted_rows(columns, arguments.get("ignore_row_if", "all_values_are_missing"))
    total = reduce(lambda a, b: a + b, [F.coalesce(column, F.lit(0)) for column in columns])  # as the library sums
    kinds = {setting.types.get(name, "") for name in arguments["column_list"]}
    kind = "double" if "double" in kinds else "decimal" if any(kind.startswith("decimal") for kind in kinds) else ""
    return counted, total != literal(arguments["sum_total"], kind)


def _unique(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    names = [arguments["column"]] if "column" in arguments else arguments["column_list"]
    columns = [F.col(name) for name in names]
    default = "any_value_is_missing" if "column" in arguments else "all_values_are_missing"
    return counted_rows(columns, arguments.get("ignore_row_if", default)), F.col(setting.unique_flag)


def _unique_within_record(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    columns = [F.col(name) for name in arguments["column_list"]]
    equal = [a.eqNullSafe(b) for i, a in enumerate(columns) for b in columns[i + 1 :]]
    counted = counted_rows(columns, arguments.get("ignore_row_if", "all_values_are_missing"))
    return counted, reduce(lambda a, b: a | b, equal)


def _condition(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    holds = condition(arguments["condition"])
    return holds.isNotNull(), ~holds


def _reference(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    return F.col(arguments["column"]).isNotNull() & F.col(setting.reference_flag).isNotNull(), ~F.col(
        setting.reference_flag
    )


def _not_in_future(arguments: Mapping[str, Any], setting: Setting) -> Parts:
    column = F.col(arguments["column"])
    return column.isNotNull(), column > F.lit(setting.now)


def literal(value: Any, kind: str) -> Column:
    """A bound or set member as a value of the column's type; exact for money."""
    if kind in ("timestamp", "date"):
        text = value.isoformat() if isinstance(value, date | datetime) else str(value)
        return F.lit(text).cast(kind)
    if kind.startswith("decimal") and isinstance(value, int | float):
        return F.lit(Decimal(str(value)))
    return F.lit(value)


ROW_EXPECTATIONS: dict[str, Callable[[Mapping[str, Any], Setting], Parts]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_in_set": _map(_in_set),
    "expect_column_values_to_not_be_in_set": _map(lambda column, given, kind: ~_in_set(column, given, kind)),
    "expect_column_values_to_be_between": _map(_between),
    "expect_column_value_lengths_to_be_between": _map(_lengths),
    "expect_column_value_lengths_to_equal": _map(_length_equal),
    "expect_column_values_to_match_regex": _map(lambda column, given, kind: column.rlike(given["regex"])),
    "expect_column_values_to_not_match_regex": _map(lambda column, given, kind: ~column.rlike(given["regex"])),
    "expect_column_values_to_match_regex_list": _map(lambda column, given, kind: _regexes(column, given)),
    "expect_column_values_to_not_match_regex_list": _map(
        lambda column, given, kind: ~_regexes(column, {"regex_list": given["regex_list"]})
    ),
    "expect_column_values_to_match_like_pattern": _map(lambda column, given, kind: column.like(given["like_pattern"])),
    "expect_column_values_to_not_match_like_pattern": _map(
        lambda column, given, kind: ~column.like(given["like_pattern"])
    ),
    "expect_column_values_to_match_strftime_format": _map(_strftime),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(_greater),
    "expect_column_pair_values_to_be_equal": _pair(lambda a, b, given: a.eqNullSafe(b)),
    "expect_column_pair_values_to_be_in_set": _pair(_pairs),
    "expect_multicolumn_sum_to_equal": _sum,
    "expect_select_column_values_to_be_unique_within_record": _unique_within_record,
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _unique,
    "expect_row_condition": _condition,
    "expect_reference": _reference,
    "expect_not_in_future": _not_in_future,
}
