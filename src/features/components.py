"""The batch execution: versions and decisions of an entity side by side, in Arrow batches."""

from __future__ import annotations

from functools import partial, reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DoubleType, LongType, StructField, StructType

from finlake.features.rows import RowSet
from finlake.features.windows.known import Asking, answer_batches

BROUGHT = ("_id", "_at", "_from", "_until", "_brought")


def window_components(rows: DataFrame, asked: DataFrame, row_set: RowSet, asking: Asking) -> DataFrame:
    """`BROUGHT` and the components of each decision, from what was known at its moment.

    Spark brings the rows of an entity together, by one number: it sorts numbers by their digits, and rows of several
    columns by comparing them. Within an entity the kernel sorts. The work grows with the rows, whatever the windows hold. What decisions
    bring passes through, because finding it again by a join would shuffle and sort it once more.

    Args:
        rows: `_entity, _at, _from, _until, _key` and the values, one for each version; with labels also
            `_version_from, _version_until`, because versions are cut where a label changed.
        asked: `_entity` and `BROUGHT`, one for each decision: `_from` is its moment, `_until` when its row was first
            known, `_brought` a struct.
        row_set: the components.
        asking: how decisions look at the rows.
    """
    names = row_set.values()
    parts = row_set.parts()
    whole = [name for component, name in row_set.components.items() if component.whole]
    taking_part = reduce(or_, (F.col(name).isNotNull() for name in names.values()))
    both = rows.where(taking_part).unionByName(asked, allowMissingColumns=True)
    both = both.withColumn("_together", F.xxhash64("_entity"))
    made = StructType(
        [
            *(asked.schema[name] for name in BROUGHT),
            *(StructField(part.name, LongType() if part.name in whole else DoubleType()) for part in parts),
        ]
    )
    run = partial(answer_batches, parts=parts, schema=to_arrow_schema(made), asking=asking, together="_together")
    return both.repartition("_together").sortWithinPartitions("_together").mapInArrow(run, made)
