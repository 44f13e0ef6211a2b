"""The fast path: Spark SQL range windows over versions and decisions of one entity together.

Aggregates run over current versions. Each frame also takes the latest moment at which one of its versions was settled:
a current one when it became known, a replaced one when it was replaced. If that lies after the decision, the frame is
not what was known then, and `repair.py` computes the decision exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from finlake.features.decisions import NEVER
from finlake.features.rows import Component, RowSet


def fast_path(rows: DataFrame, asked: DataFrame, row_set: RowSet, own_early: bool) -> DataFrame:
    """Components of every decision, and `_unsettled` where they are not yet what was known.

    Args:
        rows: `_entity, _at, _from, _until, _version_from, _version_until, _key` and the values, one for each version;
            versions are cut where a label changed, and what does not depend on labels is settled with the whole version.
        asked: `_id, _entity, _at, _moment, _first`, one for each decision.
        row_set: the components.
        own_early: whether a decision's own row may have been known before it happened.
    """
    values = list(row_set.values().values())
    current = F.col("_until") == NEVER
    settled = F.when(current, F.col("_from")).otherwise(F.col("_until"))
    replaced = F.col("_version_until") != NEVER
    version_settled = F.when(replaced, F.col("_version_until")).otherwise(F.when(current, F.col("_version_from")))
    known = rows.where(reduce(or_, (F.col(v).isNotNull() for v in values))).select(
        F.when(current, F.col("_key")).alias("_id"), "_entity", "_at",
        settled.alias("_settled"), version_settled.alias("_version_settled"),
        *(F.when(current, F.col(v)).alias(v) for v in values),
    )  # fmt: skip
    # A frame ends before the decision's own row, so that row and decision may be one: half the rows, a quarter of the work.
    both = known.join(asked, ["_id", "_entity", "_at"], "full_outer")
    names = row_set.values()
    made = {
        name: aggregate(
            c.function, F.col("_at") if c.function == "last" else F.col(names[c.value]), F.col(names[c.value])
        )
        .over(frame(c.low, c.high))
        .alias(name)
        for c, name in row_set.components.items()
    }
    late = []
    for column, labelled in (("_version_settled", False), ("_settled", True)):
        alike = [component for component in row_set.components if component.value.labelled is labelled]
        late += [F.max(column).over(frame(low, high)) > F.col("_moment") for low, high in widest(alike)]
    if own_early:
        late.append(F.col("_first") < F.col("_at"))
    unsettled = reduce(or_, (F.coalesce(condition, F.lit(False)) for condition in late))
    found = both.select("_id", "_entity", "_at", "_moment", unsettled.alias("_unsettled"), *made.values())
    return found.filter(F.col("_moment").isNotNull())


def aggregate(function: str, column: Column, value: Column) -> Column:
    """Count counts values that are there; last is the latest time of a row whose value is there."""
    if function == "last":
        return F.max(F.when(value.isNotNull(), column))
    return {"count": F.count, "sum": F.sum, "min": F.min, "max": F.max}[function](column)


def frame(low: int | None, high: int) -> WindowSpec:
    start = Window.unboundedPreceding if low is None else low
    return Window.partitionBy("_entity").orderBy("_at").rangeBetween(start, high)


def widest(components: Iterable[Component]) -> list[tuple[int | None, int]]:
    """For each end of a frame the earliest beginning: what settles it settles all with that end."""
    found: dict[int, int | None] = {}
    for component in components:
        before = found.get(component.high, component.low)
        found[component.high] = None if before is None or component.low is None else min(before, component.low)
    return [(low, high) for high, low in found.items()]
