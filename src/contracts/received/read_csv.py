"""Reads CSV files: looks at the header on the driver, reads the rows as text with Spark."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.config.source import Read
from finlake.contracts.received import headers
from finlake.contracts.received.files import WIDE, Found, decode, encoding_name, sample, single_byte
from finlake.contracts.received.inspection import CORRUPT, Inspection, glob_safe, raw_frame
from finlake.contracts.received.quotes import follow

_OTHERS = (";", ",", "\t", "|")
_WORDS = {"\t": "a tab", ";": "a semicolon", ",": "a comma", "|": "a pipe"}
_SPARK_NAMES = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-16-le": "utf-16le", "utf-16-be": "utf-16be",
                "utf-32": "utf-32"}  # fmt: skip


def inspect(found: Found, source: Source) -> Inspection:
    """The file's header against the contract, with the reason if it cannot be read as the contract says."""
    read = source.read
    encoding = encoding_name(read.encoding)
    text, problem = decode(sample(found.path), encoding)
    if problem:
        return Inspection(problem=f"the file {problem}")
    try:
        first = _first_record(text, read, read.sep)
    except csv.Error as error:
        return Inspection(problem=f"the first line cannot be read as CSV: {error}")
    if first is None:
        return Inspection(empty=True)
    header = tuple(name.replace("\ufeff", "").strip() for name in first) if read.header else ()
    match = headers.match(first, source) if read.header else headers.in_order(len(first), source)
    if match.problem:
        columns = len(match.positions) if read.header else len(source.columns)
        return Inspection(header, match, problem=_other_delimiter(text, source, columns) or match.problem)
    quotes = follow(found.path, read, encoding, len(first), _multiline(read, encoding))
    return Inspection(header, match, problem=quotes.problem, group=header, unreadable=quotes.open)


def read_group(spark: SparkSession, source: Source, files: Sequence[Found], inspection: Inspection) -> DataFrame:
    """Rows of files that share one header, as text, in the shape of `raw_frame`."""
    read = source.read
    encoding = encoding_name(read.encoding)
    width = len(inspection.header) if read.header else len(source.columns)
    schema = ", ".join([*(f"c{place} string" for place in range(width)), f"{CORRUPT} string"])
    reader = (
        spark.read.schema(schema)
        .option("sep", read.sep)
        .option("quote", read.quote)
        .option("escape", read.escape)
        .option("header", read.header)
        .option("multiLine", _multiline(read, encoding))
        .option("encoding", _SPARK_NAMES.get(encoding, "iso-8859-1"))
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", CORRUPT)
    )
    rows = reader.csv([glob_safe(found.path) for found in files])
    match = inspection.match
    text = {place: _decoded(F.col(f"c{place}"), encoding) for place in range(width)}
    return raw_frame(
        rows,
        source,
        {column: text[place] for column, place in match.positions.items()},
        {name: text[place] for name, place in match.extra.items()},
        _decoded(F.col(CORRUPT), encoding),
    )


def _multiline(read: Read, encoding: str) -> bool:
    """Spark can only take single bytes for the end of a line."""
    return read.multiline or encoding in WIDE


def _decoded(column: Column, encoding: str) -> Column:
    """Spark reads few encodings; other single-byte ones are read as latin-1 and their upper half is translated."""
    if encoding in _SPARK_NAMES or encoding == "iso8859-1" or not single_byte(encoding):
        return column
    upper = bytes(range(128, 256))
    return F.translate(column, upper.decode("latin-1"), upper.decode(encoding, "replace"))


def _first_record(text: str, read: Read, sep: str) -> list[str] | None:
    """The first line that is not blank, or with `multiline` the first record."""
    lines = (line for line in io.StringIO(text) if line.strip())
    doubled = read.escape == read.quote
    rows = csv.reader(
        lines,
        delimiter=sep,
        quotechar=read.quote or None,
        quoting=csv.QUOTE_MINIMAL if read.quote else csv.QUOTE_NONE,
        doublequote=doubled,
        escapechar=None if doubled or not read.escape else read.escape,
    )
    return next(rows, None)


def _other_delimiter(text: str, source: Source, found: int) -> str:
    """A sentence if another delimiter would find more of the contract's columns."""
    declared = source.read.sep
    best, most = "", found if source.read.header else 1
    for other in _OTHERS:
        if other == declared:
            continue
        try:
            first = _first_record(text, source.read, other) or []
        except csv.Error:
            continue
        if source.read.header:
            count = len(headers.match(first, source).positions)
        else:
            count = len(source.columns) if len(first) == len(source.columns) else 0
        if count > most:
            best, most = other, count
    if not best:
        return ""
    return (
        f"the contract says columns are separated by {_named(declared)}, but this file seems to use {_named(best)}: "
        f"set `delimiter: {best!r}`, or ask for the file in the agreed form"
    )


def _named(sep: str) -> str:
    return f"{_WORDS[sep]} ({sep!r})" if sep in _WORDS else repr(sep)
