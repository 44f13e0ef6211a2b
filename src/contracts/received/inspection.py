"""What is known of a file before its rows are read, and the shape all readers give rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from finlake.config import Source
from finlake.contracts.masking import mask_text
from finlake.contracts.received.headers import Match

CORRUPT, EXTRA = "_corrupt", "_extra"
PATH, ROW = "_path", "_row"
PLACE = ("_block", "_id")  # in this order rows stand in their file
LONGEST_TEXT = 10_000


@dataclass(frozen=True)
class Inspection:
    """`header` is as received; files of one batch with the same `group` are read together.

    `unreadable` are rows that Spark reads without complaint but wrongly: their number and masked text.
    """

    header: tuple[str, ...] = ()
    match: Match = field(default_factory=lambda: Match({}, {}, ()))
    problem: str = ""
    empty: bool = False
    group: tuple[Any, ...] = ()
    schema: StructType | None = None
    unreadable: tuple[tuple[int, str], ...] = ()


def glob_safe(path: Path) -> str:
    """A path for a Spark reader, which takes some characters as wildcards."""
    return re.sub(r"([\\\[\]{}*?^])", r"\\\1", str(path))


def spark_path(path: Path) -> str:
    """The path as Spark shows it in `_metadata.file_path`, without scheme."""
    return re.sub(
        r"[\s%#?\[\]{}^\"\\<>`|]", lambda found: "".join(f"%{byte:02X}" for byte in found.group().encode()), str(path)
    )


def metadata_path() -> Column:
    """The file a row came from, in the form of `spark_path`."""
    return F.regexp_replace("_metadata.file_path", "^[a-z0-9]+:/+", "/")


def with_decimal_mark(number: Column, source: Source) -> Column:
    """The text of a value that came as a number, not as text, with the mark that the contract's numbers have."""
    return F.replace(number, F.lit("."), F.lit(",")) if source.read.decimal == "," else number


def raw_frame(
    rows: DataFrame,
    source: Source,
    columns: Mapping[str, Column],
    extra: Mapping[str, Column] | Column,
    corrupt: Column,
    row: Column | None = None,
) -> DataFrame:
    """The contract's columns as text (null where the file has none), `_extra`, `_corrupt`, path and place of the row.

    A row that did not parse keeps only its raw text. A row with characters that could not be decoded keeps its values
    and says so in `_corrupt`. `row` is the row's number in its file where the reader knows it.
    """
    given = {name: columns.get(name, F.lit(None)).cast("string") for name in source.columns}
    damaged = F.concat_ws("", *given.values()).contains("\ufffd")
    parsed = corrupt.isNull()
    kept = _kept(extra) if isinstance(extra, Mapping) else extra
    block, number = PLACE
    place = [F.col("_metadata.file_block_start").alias(block), F.monotonically_increasing_id().alias(number)]
    return rows.select(
        *(F.when(parsed, value).alias(name) for name, value in given.items()),
        F.when(parsed & (F.size(kept) > 0), kept).alias(EXTRA),
        F.when(parsed & damaged, F.lit(f"not valid {source.read.encoding}")).otherwise(corrupt).alias(CORRUPT),
        metadata_path().alias(PATH),
        *(place if row is None else [row.alias(ROW)]),
    )


def _kept(extra: Mapping[str, Column]) -> Column:
    """Unknown columns that hold something, by their masked name."""
    if not extra:
        return F.lit(None).cast("map<string,string>")
    entries = (
        F.struct(F.lit(mask_text(name)).alias("k"), value.cast("string").alias("v")) for name, value in extra.items()
    )
    return F.map_from_entries(F.filter(F.array(*entries), lambda entry: entry["v"].isNotNull()))
