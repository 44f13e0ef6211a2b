"""What decisions by cut-offs or costs come to on the test period, by day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.policy import Costs, Policy
from finlake.models.scoring import by_cut_offs
from finlake.models.served import calibrated
from finlake.models.thresholds import fixed_thresholds

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA = "day date, label int, value double, probability double"


def at_cut_offs(frame: DataFrame, calibration: dict[str, Any], policy: Policy) -> pd.DataFrame:
    """By day and decision (approve, refer, decline) of the finlake model: rows, positives, `lost` and `cost`.

    - `lost`: value of the positives.
    - `cost`: what the decisions cost by `policy.costs`, labels being known; 0 where the policy has none.

    `frame`: day, label (0/1), value, `margin_finlake`.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        import pyarrow

        for batch in batches:
            chance = calibrated(calibration, batch.column("margin_finlake").to_numpy(zero_copy_only=False))
            names = ["day", "label", "value"]
            columns = [*(batch.column(name) for name in names), pyarrow.array(chance)]
            yield pyarrow.RecordBatch.from_arrays(columns, [*names, "probability"])

    taken = frame.select("day", F.col("label").cast("int"), "value", "margin_finlake")
    rows = taken.mapInArrow(run, _SCHEMA).withColumns(fixed_thresholds(policy))
    decided = rows.withColumn("decision", by_cut_offs(policy.costs))
    positive = F.col("label") == 1
    return (
        decided.groupBy("day", "decision")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.sum("label").alias("positives"),
            F.sum(F.when(positive, F.col("value")).otherwise(0.0)).alias("lost"),
            F.sum(_cost(policy.costs, positive)).alias("cost"),
        )
        .toPandas()
    )


def _cost(costs: Costs | None, positive: Column) -> Column:
    """What one decision turned out to cost."""
    if costs is None:
        return F.lit(0.0)
    missed = F.col("value") if costs.false_negative == "value" else F.lit(float(costs.false_negative))
    approved, declined = F.col("decision") == "approve", F.col("decision") == "decline"
    cost = F.when(approved & positive, missed).when(declined & ~positive, costs.false_positive)
    return cost.when(~approved & ~declined, F.lit(costs.review or 0.0)).otherwise(0.0)
