"""Received files of any format as one frame of text: values as received, card numbers tokenised, where each row is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts import read_csv
from finlake.contracts.files import Found
from finlake.contracts.inspection import CORRUPT, EXTRA, LONGEST_TEXT, PATH, PLACE, Inspection, spark_path
from finlake.contracts.masking import mask_pans
from finlake.contracts.pan import tokenise


@dataclass(frozen=True)
class Received:
    """A file that is to be read: what was found, what its header says, its content digest and when it arrived."""

    found: Found
    inspection: Inspection
    digest: str
    arrived_at: datetime


def inspect(spark: SparkSession, source: Source, files: Sequence[Found]) -> dict[Found, Inspection]:
    """What each file's header says, before any row is read."""
    return {found: read_csv.inspect(found, source) for found in files}


def read_batch(spark: SparkSession, source: Source, batch: str, files: Sequence[Received], key: bytes | None) -> DataFrame:
    """One frame of all files of a batch. Files with the same header are read together.

    `key` is needed if a column of the contract is `pii: pan`.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Received]] = {}
    for file in files:
        groups.setdefault((file.inspection.kind, file.inspection.header), []).append(file)
    frames = [
        read_csv.read_group(spark, source, [file.found for file in group], group[0].inspection) for group in groups.values()
    ]
    rows = reduce(lambda one, other: one.unionByName(other), frames)
    return _with_origin(spark, _private(rows, source, key), source, batch, files)


def _private(rows: DataFrame, source: Source, key: bytes | None) -> DataFrame:
    """Tokens for card numbers; unknown columns and raw text are masked."""
    words = tuple(source.read.null_words)
    changed = {
        name: tokenise(F.col(f"`{name}`"), key or b"", words) for name, column in source.columns.items() if column.pii == "pan"
    }
    changed[CORRUPT] = F.left(mask_pans(F.col(CORRUPT)), F.lit(LONGEST_TEXT))
    changed[EXTRA] = F.transform_values(EXTRA, lambda _, value: mask_pans(value))
    return rows.withColumns(changed)


def _with_origin(spark: SparkSession, rows: DataFrame, source: Source, batch: str, files: Sequence[Received]) -> DataFrame:
    """Source, batch, file, row number within the file, and arrival."""
    origin = spark.createDataFrame(
        [(spark_path(file.found.path), file.found.file, file.digest, file.arrived_at) for file in files],
        f"{PATH} string, _file string, _file_digest string, _arrived_at timestamp",
    )
    number = F.row_number().over(Window.partitionBy(PATH).orderBy(PLACE)).cast("bigint")
    lost = F.raise_error(F.concat(F.lit("a row came from a file that was not listed: "), F.col(PATH)))
    return (
        rows.withColumn("_row", number)
        .join(F.broadcast(origin), PATH, "left")
        .select(
            F.lit(source.source).alias("_source"),
            F.lit(batch).alias("_batch"),
            F.coalesce("_file", lost).alias("_file"),
            "_file_digest",
            "_row",
            "_arrived_at",
            *(f"`{name}`" for name in source.columns),
            EXTRA,
            CORRUPT,
        )
    )
