"""Windows of accounts at moments, by the kernel that computes the windows of decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType

from finlake.features.windows.answers import Part
from finlake.features.windows.known import Asking, answer_batches

Run = Callable[..., Iterator[pa.RecordBatch]]


def windows_at(rows: DataFrame, asked: DataFrame, parts: Sequence[Part], real: Sequence[str] = ()) -> DataFrame:
    """The parts for each account and moment, from the rows that were known then.

    Args:
        rows: account, at, since, until (microseconds) and the values.
        asked: account, as_of (microseconds).
        parts: what to compute; frames end before the moment.
        real: parts that are no whole numbers.

    Returns:
        as_of, account and a column for each part: BIGINT, or DOUBLE for `real`.
    """
    run = partial(_kernel, parts=parts)
    placed = rows.withColumn("_key", F.lit(None).cast("string"))
    return asked_batches(placed, asked, run, {part.name: part.name not in real for part in parts}, ())


def asked_batches(
    rows: DataFrame, asked: DataFrame, run: Run, whole: dict[str, bool], order: Sequence[str]
) -> DataFrame:
    """Rows and questions of an account side by side, sorted by account, time and `order`, in Arrow batches.

    Args:
        rows: account, at, since, until (microseconds) and more.
        asked: account, as_of (microseconds).
        run: takes batches with `_entity, _at, _from, _until, _id` and the rest of `rows`, and the `schema` to answer in.
        whole: the columns of the answer, and whether they are whole numbers.
        order: columns that order rows of one time.
    """
    seen = rows.withColumnsRenamed({"account": "_entity", "at": "_at", "since": "_from", "until": "_until"})
    asking = asked.select(
        F.col("account").alias("_entity"),
        *(F.col("as_of").alias(name) for name in ("_at", "_from", "_until")),
        F.concat_ws("|", F.col("as_of").cast("string"), "account").alias("_id"),
    )
    both = seen.unionByName(asking, allowMissingColumns=True)
    sorted_rows = both.repartition("_entity").sortWithinPartitions("_entity", "_at", *order)
    fields = [StructField(name, LongType() if integer else DoubleType()) for name, integer in whole.items()]
    kinds = [(name, pa.int64() if integer else pa.float64()) for name, integer in whole.items()]
    made = sorted_rows.mapInArrow(
        partial(run, schema=pa.schema([("_id", pa.string()), *kinds])),
        StructType([StructField("_id", StringType()), *fields]),
    )
    split = F.instr("_id", "|")
    return made.select(
        F.substring("_id", F.lit(1), split - 1).cast("bigint").alias("as_of"),
        F.expr("substring(_id, instr(_id, '|') + 1)").alias("account"),
        *whole,
    )


def _kernel(batches: Iterable[pa.RecordBatch], schema: pa.Schema, parts: Sequence[Part]) -> Iterator[pa.RecordBatch]:
    return answer_batches(batches, parts, schema, Asking())
