"""The batch execution: versions and decisions of an entity side by side, in Arrow batches."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DoubleType, LongType, StructField, StructType

from finlake.features.rows import RowSet
from finlake.features.windows.known import answer_batches


def window_components(rows: DataFrame, asked: DataFrame, row_set: RowSet, own_early: bool) -> DataFrame:
    """`_brought` and the components of each decision, from what was known at its moment.

    One sort by entity and time; the work grows with the rows, whatever the windows hold. What decisions bring passes
    through, because finding it again by a join would shuffle and sort it once more.

    Args:
        rows: `_entity, _at, _from, _until, _key` and the values, one for each version; with labels also
            `_version_from, _version_until`, because versions are cut where a label changed.
        asked: `_id, _entity, _at, _moment, _first, _brought` (a struct), one for each decision.
        row_set: the components.
        own_early: whether a decision's own row may have been known before it happened.
    """
    names = row_set.values()
    parts = row_set.parts()
    whole = [name for component, name in row_set.components.items() if component.whole]
    taking_part = reduce(or_, (F.col(name).isNotNull() for name in names.values()))
    asking = asked.select(
        "_entity", "_at", F.col("_moment").alias("_from"), F.col("_first").alias("_until"), "_id", "_brought"
    )
    both = rows.where(taking_part).unionByName(asking, allowMissingColumns=True)
    # A report about a row does not move it among the rows of its moment.
    known = F.coalesce("_version_from", "_from") if row_set.labels and row_set.clock == "event" else F.col("_from")
    placed = both.repartition("_entity").sortWithinPartitions("_entity", "_at", known, "_key")
    made = StructType(
        [
            StructField("_brought", asked.schema["_brought"].dataType),
            *(StructField(part.name, LongType() if part.name in whole else DoubleType()) for part in parts),
        ]
    )
    run = partial(answer_batches, parts=parts, own_early=own_early, schema=to_arrow_schema(made))
    return placed.mapInArrow(run, made)
