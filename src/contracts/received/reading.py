"""Received files of any format as one frame of text: values as received, card numbers as tokens, with their origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.masking import mask_pans
from finlake.contracts.pan import plain, sealed
from finlake.contracts.received import read_csv, read_jsonl, read_parquet, read_xml
from finlake.contracts.received.files import Found
from finlake.contracts.received.inspection import CORRUPT, EXTRA, LONGEST_TEXT, PATH, PLACE, ROW, Inspection, spark_path

_READERS = {
    "csv": read_csv.read_group,
    "jsonl": read_jsonl.read_group,
    "parquet": read_parquet.read_group,
    "xml": read_xml.read_group,
}


@dataclass(frozen=True)
class Received:
    """A file that is to be read: what was found, what its header says, its content digest and when it arrived."""

    found: Found
    inspection: Inspection
    digest: str
    arrived_at: datetime


def inspect(spark: SparkSession, source: Source, files: Sequence[Found]) -> dict[Found, Inspection]:
    """What each file's header says, before any row is read."""
    if source.read.format == "csv":
        return {found: read_csv.inspect(found, source) for found in files}
    if source.read.format == "parquet":
        return {found: read_parquet.inspect(found, source) for found in files}
    return (read_jsonl if source.read.format == "jsonl" else read_xml).inspect(spark, source, files)


def read_batch(
    spark: SparkSession, source: Source, batch: str, files: Sequence[Received], key: bytes | None
) -> DataFrame:
    """One frame of all files of a batch. Files with the same header are read together.

    `key` is needed if a column of the contract is `pii: pan`.
    """
    groups: dict[tuple[object, ...], list[Received]] = {}
    for file in files:
        groups.setdefault(file.inspection.group, []).append(file)
    frames = [
        _READERS[source.read.format](spark, source, [file.found for file in group], group[0].inspection)
        for group in groups.values()
    ]
    rows = reduce(lambda one, other: one.unionByName(other), frames)
    return _with_origin(spark, _private(rows, source, key), source, batch, files)


def _private(rows: DataFrame, source: Source, key: bytes | None) -> DataFrame:
    """Tokens for card numbers; unknown columns and raw text are masked."""
    words = tuple(source.read.null_words)
    pans = [name for name, column in source.columns.items() if column.pii == "pan"]
    if pans:  # Spark Connect refuses to add no columns
        rows = rows.withColumns({name: plain(F.col(f"`{name}`")) for name in pans})
    changed = {name: sealed(F.col(f"`{name}`"), key or b"", words) for name in pans}
    changed[CORRUPT] = F.left(mask_pans(F.col(CORRUPT)), F.lit(LONGEST_TEXT))
    changed[EXTRA] = F.map_from_entries(F.transform(F.map_entries(EXTRA), _masked_entry))
    return rows.withColumns(changed)


def _masked_entry(entry: Column, place: Column) -> Column:
    """A key that holds a card number gets its place as well, because masked keys may be alike."""
    key = mask_pans(entry["key"])
    told_apart = F.when(key == entry["key"], key).otherwise(F.concat(key, F.lit(" #"), place))
    return F.struct(told_apart.alias("key"), mask_pans(entry["value"]).alias("value"))


def _with_origin(
    spark: SparkSession, rows: DataFrame, source: Source, batch: str, files: Sequence[Received]
) -> DataFrame:
    """Source, batch, file, row number within the file, and arrival."""
    origin = spark.createDataFrame(
        [(n, spark_path(f.found.path), f.found.file, f.digest, f.arrived_at) for n, f in enumerate(files)],
        f"_n int, {PATH} string, _file string, _file_digest string, _arrived_at timestamp",
    )
    lost = F.raise_error(F.concat(F.lit("a row came from a file that was not listed: "), F.col(PATH)))
    rows = rows.join(F.broadcast(origin), PATH, "left")
    if ROW not in rows.columns:
        rows = rows.withColumn(ROW, F.row_number().over(Window.partitionBy("_n").orderBy(*PLACE)).cast("bigint"))
    rows = _without_unreadable(spark, rows, source, files)
    return rows.select(
        F.lit(source.source).alias("_source"),
        F.lit(batch).alias("_batch"),
        F.coalesce("_file", lost).alias("_file"),
        "_file_digest",
        ROW,
        "_arrived_at",
        *(f"`{name}`" for name in source.columns),
        EXTRA,
        CORRUPT,
    )


def _without_unreadable(spark: SparkSession, rows: DataFrame, source: Source, files: Sequence[Received]) -> DataFrame:
    """Rows of which the inspection knows that they were read wrongly keep only their text."""
    known = [(n, row, text) for n, file in enumerate(files) for row, text in file.inspection.unreadable]
    if not known:
        return rows
    texts = F.broadcast(spark.createDataFrame(known, f"_n int, {ROW} bigint, _text string"))
    readable = F.col("_text").isNull()
    return rows.join(texts, ["_n", ROW], "left").withColumns(
        {name: F.when(readable, F.col(f"`{name}`")) for name in [*source.columns, EXTRA]}
        | {CORRUPT: F.coalesce("_text", CORRUPT)}
    )
