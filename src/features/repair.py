"""The exact path: the few decisions whose windows held a version that was not settled, from all versions at once."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.features.rows import RowSet
from finlake.features.windows import aggregate


def repair(fast: DataFrame, rows: DataFrame, row_set: RowSet) -> DataFrame:
    """`_id` and the components; unsettled decisions are computed from the versions visible at their moment.

    One pass: settled decisions join nothing and keep what they have.

    Args:
        fast: of `fast_path`.
        rows: `_entity, _at, _from, _until, _key` and the values.
        row_set: the components.
    """
    names = row_set.values()
    asks = F.when(F.col("_unsettled"), F.col("_entity")).otherwise(F.concat(F.lit("\0"), F.col("_id")))
    left = fast.withColumn("_joins", asks).alias("d")
    right = rows.select(
        *(F.col(c).alias(f"{c}_v") for c in ("_entity", "_at", "_from", "_until", "_key")), *names.values()
    )
    at, row_at = F.col("_at"), F.col("_at_v")
    lows = [c.low for c in row_set.components]
    visible = (
        (F.col("_joins") == F.col("_entity_v"))
        & (F.col("_from_v") <= F.col("_moment"))
        & (F.col("_until_v") > F.col("_moment"))
        & (row_at <= at + max(c.high for c in row_set.components))
        & ~F.col("_key_v").eqNullSafe(F.col("_id"))
    )
    if None not in lows:
        visible = visible & (row_at >= at + min(low for low in lows if low is not None))
    joined = left.join(right, visible, "left")
    kept = [F.first(name).alias(name) for name in row_set.components.values()]
    exact = [
        _framed(c.function, row_at, F.col(names[c.value]), at, c.low, c.high).alias(f"{name}_x")
        for c, name in row_set.components.items()
    ]
    both = joined.groupBy("_id").agg(F.first("_unsettled").alias("_unsettled"), *kept, *exact)
    chosen = [
        F.when(F.col("_unsettled"), F.col(f"{name}_x")).otherwise(F.col(name)).alias(name)
        for name in row_set.components.values()
    ]
    return both.select("_id", *chosen)


def _framed(function: str, row_at: Column, value: Column, at: Column, low: int | None, high: int) -> Column:
    inside = row_at <= at + high
    if low is not None:
        inside = inside & (row_at >= at + low)
    held = F.when(inside, value)
    return aggregate(function, row_at if function == "last" else held, held)
