"""Rules about a whole batch run through Great Expectations itself; imported only when a contract has one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Expectation, Source
from finlake.contracts.checks import BatchCounts, Check, Outcome, is_good
from finlake.contracts.expectations import batch_limit
from finlake.contracts.masking import mask_text
from finlake.contracts.vocabulary import TABLE_EXPECTATIONS

if TYPE_CHECKING:
    import pandas as pd

BOUND = 200_000  # rows up to which a batch is handed over as a pandas frame; larger ones stay in Spark
_ROW_COUNTS = ("expect_table_row_count_to_be_between", "expect_table_row_count_to_equal")


def table_rules(source: Source) -> list[Expectation]:
    """The contract's rules about whole batches."""
    return [rule for rule in source.expect if rule.name in TABLE_EXPECTATIONS]


def ask_tables(judged: DataFrame, source: Source, counts: Mapping[str, BatchCounts]) -> None:
    """Adds the outcomes of whole-table rules to the counts of each batch.

    They look at the good rows. Row counts are known already; everything else is asked of Great Expectations.
    """
    for rule in table_rules(source):
        check = _check(rule)
        for batch, found in counts.items():
            rows = found.received - found.broken
            if rule.name in _ROW_COUNTS and rule.where is None:
                found.outcomes.append(Outcome(check, rows, 0, _count_fits(rule.arguments, rows), str(rows)))
                continue
            frame = judged.where((F.col("_batch") == batch) & is_good())
            outcome = _outcome(check, rule, frame, rows)
            private = any(source.silver_columns[name].pii for name in check.columns if name in source.silver_columns)
            found.outcomes.append(replace(outcome, observed="") if private else outcome)


def _check(rule: Expectation) -> Check:
    severity = "stop" if rule.otherwise == "stop" else "warn"
    words = (F.lit(True), F.lit(False))
    limit = 1.0 if severity == "stop" else batch_limit(rule)
    return Check(rule.rule, f"broken rule: {rule.rule}", rule.name, rule.columns, *words, severity, rule.mostly, limit)


def _count_fits(arguments: Mapping[str, Any], rows: int) -> bool:
    if "value" in arguments:
        return bool(rows == arguments["value"])
    low, high = arguments.get("min_value"), arguments.get("max_value")
    above = low is None or (rows > low if arguments.get("strict_min") else rows >= low)
    below = high is None or (rows < high if arguments.get("strict_max") else rows <= high)
    return bool(above and below)


def _outcome(check: Check, rule: Expectation, frame: DataFrame, rows: int) -> Outcome:
    columns = rule.columns
    if rule.where:
        frame = frame.where(rule.where)
    narrow = frame.select(*[_plain(frame, name) for name in columns]) if columns else frame.select("_row_id")
    data = _pandas(narrow) if rows <= BOUND else narrow
    result = validate(data, rule.name, {**rule.arguments, **({"mostly": rule.mostly} if rule.mostly < 1 else {})})
    detail = result.get("result") or {}
    checked = int(detail.get("element_count") or rows)
    observed = detail.get("observed_value")
    return Outcome(check, checked, int(detail.get("unexpected_count") or 0), bool(result["success"]), _text(observed))


def validate(data: DataFrame | pd.DataFrame, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """One expectation on one frame, by Great Expectations, as its JSON."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    # Persisting is refused on serverless compute.
    store = context.data_sources
    source = store.add_spark("finlake", persist=False) if isinstance(data, DataFrame) else store.add_pandas("finlake")
    asset = source.add_dataframe_asset("batch")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": data})
    expectation = get_expectation_impl(name)(**arguments)
    found: dict[str, Any] = batch.validate(expectation, result_format="SUMMARY").to_json_dict()
    return found


def _plain(frame: DataFrame, name: str) -> Any:
    """Great Expectations compares with floats, so money is handed over as one."""
    column = F.col(name)
    return column.cast("double").alias(name) if dict(frame.dtypes)[name].startswith("decimal") else column


def _pandas(frame: DataFrame) -> pd.DataFrame:
    return frame.limit(BOUND).toPandas()


def _text(value: object) -> str:
    """What was observed, without card numbers; a float's digits are none."""
    return "" if value is None else (str(value) if isinstance(value, float) else mask_text(str(value)))[:200]
