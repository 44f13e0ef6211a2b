"""Compiled row expectations against the real Great Expectations: verdicts, counts and row ids must be the same."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import functions as F

from finlake.config import Expectation, Source
from finlake.contracts.checks import BatchCounts, ask, tally
from finlake.contracts.expectations import Setting, compile_expectation
from finlake.contracts.vocabulary import REFUSED, ROW_ARGUMENTS, TABLE_EXPECTATIONS

pytestmark = pytest.mark.long

NAN, INF = float("nan"), float("inf")
SCHEMA = "id int, n double, m double, i bigint, j bigint, t string, u string, d timestamp, e timestamp"
SOME = datetime(2025, 1, 1)
LATE = datetime(2025, 6, 1)
ROWS = [
    (1, 1.0, 2.0, 1, 2, "abc", "abc", SOME, LATE),
    (2, 5.0, 5.0, 5, 5, "2025-01-31", "b", LATE, LATE),
    (3, NAN, 1.0, None, 3, "xABCx", None, None, SOME),
    (4, None, 1.0, 7, None, None, "abc", SOME, None),
    (5, None, None, None, None, None, None, None, None),
    (6, INF, -INF, -4, 4, "", "31.01.2025", LATE, SOME),
    (7, 10.0, NAN, 10, 0, "abc", "2025-02-30", SOME, SOME),
    (8, -1.5, 1.5, 5, 5, "a b", "x1", LATE, SOME),
]
FRAMES = {
    "mixed": ROWS,
    "empty": [],
    "all null": [(n, *[None] * 8) for n in (1, 2)],
}
RULES: list[tuple[str, dict[str, Any]]] = [
    ("column_values_to_not_be_null", {"column": "n"}),
    ("column_values_to_be_null", {"column": "t"}),
    ("column_values_to_be_in_set", {"column": "t", "value_set": ["abc", "a b"]}),
    ("column_values_to_be_in_set", {"column": "n", "value_set": [1.0, 5.0]}),
    ("column_values_to_not_be_in_set", {"column": "i", "value_set": [5, 7]}),
    ("column_values_to_be_between", {"column": "n", "min_value": 1}),
    ("column_values_to_be_between", {"column": "n", "max_value": 5}),
    ("column_values_to_be_between", {"column": "n", "min_value": 1, "max_value": 10, "strict_min": True}),
    ("column_values_to_be_between", {"column": "i", "min_value": -4, "max_value": 7, "strict_max": True}),
    ("column_value_lengths_to_be_between", {"column": "t", "min_value": 1, "max_value": 3}),
    ("column_value_lengths_to_be_between", {"column": "t", "max_value": 5, "strict_max": True}),
    ("column_value_lengths_to_equal", {"column": "t", "value": 3}),
    ("column_values_to_match_regex", {"column": "t", "regex": "[A-Z]{3}|b"}),
    ("column_values_to_not_match_regex", {"column": "t", "regex": "^a"}),
    ("column_values_to_match_regex_list", {"column": "t", "regex_list": ["^a", "c$"], "match_on": "all"}),
    ("column_values_to_match_regex_list", {"column": "t", "regex_list": ["^a", "c$"]}),
    ("column_values_to_not_match_regex_list", {"column": "t", "regex_list": ["^x", "^2"]}),
    ("column_values_to_match_strftime_format", {"column": "u", "strftime_format": "%Y-%m-%d"}),
    ("column_values_to_match_strftime_format", {"column": "u", "strftime_format": "%d.%m.%Y"}),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "n", "column_B": "m"}),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "i", "column_B": "j", "or_equal": True}),
    ("column_pair_values_a_to_be_greater_than_b", {"column_A": "d", "column_B": "e"}),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "i", "column_B": "j", "ignore_row_if": "either_value_is_missing"},
    ),
    ("column_pair_values_to_be_equal", {"column_A": "i", "column_B": "j"}),
    ("column_pair_values_to_be_equal", {"column_A": "t", "column_B": "u", "ignore_row_if": "neither"}),
    ("column_pair_values_to_be_in_set", {"column_A": "i", "column_B": "j", "value_pairs_set": [(1, 2), (5, 5)]}),
    ("multicolumn_sum_to_equal", {"column_list": ["i", "j"], "sum_total": 10}),
    ("multicolumn_sum_to_equal", {"column_list": ["i", "j"], "sum_total": 3, "ignore_row_if": "any_value_is_missing"}),
    ("multicolumn_sum_to_equal", {"column_list": ["n", "m"], "sum_total": 0, "ignore_row_if": "never"}),
    ("select_column_values_to_be_unique_within_record", {"column_list": ["i", "j"]}),
    ("column_values_to_be_unique", {"column": "t"}),
    ("column_values_to_be_unique", {"column": "n"}),
    ("compound_columns_to_be_unique", {"column_list": ["i", "j"]}),
    ("compound_columns_to_be_unique", {"column_list": ["t", "u"], "ignore_row_if": "any_value_is_missing"}),
]
CONDITION = "id > 3"


def _rule(name: str, arguments: dict[str, Any], where: str | None, mostly: float) -> Expectation:
    values = {"rule": "r", "name": f"expect_{name}", "arguments": arguments, "where": where, "mostly": mostly}
    return Expectation.model_validate(values)


def _with_unique_flag(df: Any, position: int, rule: Expectation) -> Any:
    """The flag that `judge` adds: the value occurs more than once among the rows that count."""
    from pyspark.sql import Window

    from finlake.contracts.expectations import counted_rows

    given = rule.arguments
    names = [given["column"]] if "column" in given else given["column_list"]
    default = "any_value_is_missing" if "column" in given else "all_values_are_missing"
    among = counted_rows([F.col(n) for n in names], given.get("ignore_row_if", default))
    if rule.where:
        among = among & F.expr(rule.where)
    return df.withColumn(f"_unique_{position}", among & (F.count_if(among).over(Window.partitionBy(*names)) > 1))


def _ours(spark: Any) -> dict[tuple[str, int, bool], tuple[int, int, list[int]]]:
    """(frame, rule, with condition) -> rows checked, rows failed, their ids; all of it in two Spark jobs a frame."""
    found = {}
    for label, rows in FRAMES.items():
        df = spark.createDataFrame(rows, SCHEMA).coalesce(1)
        keys, checks = [], []
        for position, (name, arguments) in enumerate(RULES):
            for where in (None, CONDITION):
                rule = _rule(name, arguments, where, 1.0)
                number = position * 2 + bool(where)
                if "unique_within" not in name and name.endswith("unique"):
                    df = _with_unique_flag(df, number, rule)
                setting = Setting(datetime.now(UTC), dict(df.dtypes), unique_flag=f"_unique_{number}")
                checks.append(compile_expectation(rule, setting))
                keys.append((label, position, where is not None))
        asked = ask(df.withColumn("_batch", F.lit("b")), checks)
        failing = {row["id"]: row["_failed"] for row in asked.select("id", "_failed").collect()}
        counts = tally(asked, checks)
        for index, key in enumerate(keys):
            ids = sorted(number for number, failed in failing.items() if failed[index])
            outcome = counts["b"].outcomes[index] if counts else None
            found[key] = (outcome.checked, outcome.failed, ids) if outcome else (0, 0, [])
    return found


@pytest.fixture(scope="module")
def library(spark):
    """Great Expectations' own answers on the same frames."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_spark("spark", persist=False)
    answers = {}
    for label, rows in FRAMES.items():
        df = spark.createDataFrame(rows, SCHEMA).coalesce(1)
        definition = source.add_dataframe_asset(label).add_batch_definition_whole_dataframe("all")
        batch = definition.get_batch(batch_parameters={"dataframe": df})
        suite = gx.ExpectationSuite(name=label)
        for position, (name, arguments) in enumerate(RULES):
            for where in (None, CONDITION) if label == "mixed" else (None,):
                extra = {"row_condition": where, "condition_parser": "spark"} if where else {}
                case = {"position": position, "where": where is not None}
                suite.add_expectation(get_expectation_impl(f"expect_{name}")(**arguments, **extra, meta=case))
        form = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
        for result in batch.validate(suite, result_format=form if label == "mixed" else "BASIC").results:
            case = result.expectation_config.meta
            answers[label, case["position"], case["where"]] = result
    return answers


def test_counts_row_ids_and_verdicts_are_those_of_the_library(spark, library):
    ours = _ours(spark)
    differing = []
    assert len(library) == len(RULES) * (len(FRAMES) + 1)
    for key, result in library.items():
        checked, failed, ids = ours[key]
        if "unexpected_count" not in result.result:
            # The library itself raises for a set of pairs with a condition.
            if (RULES[key[1]][0], key[2]) != ("column_pair_values_to_be_in_set", True):
                differing.append((key, RULES[key[1]], str(result.exception_info)[-900:]))
            continue
        detail = result.result
        theirs = detail["unexpected_count"] or 0
        listed = sorted({item["id"] for item in detail.get("unexpected_index_list") or []})
        missing = detail.get("missing_count") or 0
        counted = detail["element_count"] - missing
        verdict = checked == 0 or failed == 0
        same = (failed, verdict) == (theirs, result.success) and (not listed or ids == listed)
        same = same and ("null" in RULES[key[1]][0] or checked == counted)
        if not same:
            differing.append((key, RULES[key[1]], (checked, failed, ids), (counted, theirs, listed, result.success)))
    assert not differing, "\n".join(map(str, differing))


def test_the_vocabulary_is_that_of_the_library():
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    own = {"expect_row_condition", "expect_reference", "expect_not_in_future"}
    listed = {*ROW_ARGUMENTS, *TABLE_EXPECTATIONS, *REFUSED} - own
    assert listed == set(list_registered_expectation_implementations())


def test_a_rule_about_a_whole_batch_says_the_same_of_a_small_and_a_large_one_and_nothing_private(spark):
    from finlake.contracts.gx import ask_tables, validate

    large = spark.createDataFrame([(float(n),) for n in range(10)], "x double")
    for data in (large, large.toPandas()):
        found = validate(data, "expect_column_mean_to_be_between", {"column": "x", "min_value": 5})
        assert (found["success"], found["result"]["observed_value"]) == (False, 4.5)
    contract = Source.model_validate(
        {
            "source": "s", "about": "x", "owner": "x", "read": {"from": "x", "format": "csv"}, "key": "n",
            "columns": {"n": {"type": "text", "pii": "name"}, "t": {"type": "text"}}, "happened_at": "t", "known_at": "t",
            "expect": [{"rule": c, "expect_column_most_common_value_to_be_in_set": {"column": c, "value_set": ["x"]}}
                       for c in ("n", "t")],
        }
    )  # fmt: skip
    rows = spark.sql("SELECT 'Ann' AS n, '4111111111111111' AS t, 'b' AS _batch, array() AS _reasons")
    counts = {"b": BatchCounts(1, 0, [])}
    ask_tables(rows, contract, counts)
    assert [outcome.observed for outcome in counts["b"].outcomes] == ["", "['****1111']"]
    nothing = validate(large.where("x < 0"), "expect_column_mean_to_be_between", {"column": "x", "min_value": 5})
    assert nothing["success"] is False


def test_every_whole_table_rule_can_be_asked(spark):
    from finlake.contracts.gx import validate

    frame = spark.createDataFrame([(float(n % 4), f"t{n % 2}") for n in range(8)], "x double, t string").toPandas()
    given = {
        "column": "x", "min_value": -100, "max_value": 100, "value": 8, "value_set": ["t0", "t1"], "threshold": 5,
        "double_sided": True, "ties_okay": True,
    }  # fmt: skip
    for name, (needed, allowed) in TABLE_EXPECTATIONS.items():
        arguments = {
            key: given[key] for key in (*needed, *[a for a in allowed if a in ("min_value", "max_value", "ties_okay")])
        }
        if "value_set" in arguments:
            arguments["column"] = "t"
        if "proportion" in name:
            arguments |= {"min_value": 0, "max_value": 1}
        assert validate(frame, name, arguments)["success"] is True, name
