"""Reads JSON lines: every value as the text that was sent, nested ones as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.received import headers
from finlake.contracts.received.files import WIDE, Found, decode, encoding_name, sample, single_byte
from finlake.contracts.received.inspection import (
    PATH,
    Inspection,
    glob_safe,
    metadata_path,
    raw_frame,
    spark_path,
    with_decimal_mark,
)

_MOST_KEYS = 2_000
# Spark turns numbers into doubles on their way to text. So numbers are quoted first, and carry this mark, which no
# text may hold (a noncharacter of Unicode), so that nested values get their numbers back unquoted.
_MARK = "\ufdd0"
_TOKENS = r'("(?:[^"\\]++|\\.)*+")|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'


def inspect(spark: SparkSession, source: Source, files: Sequence[Found]) -> dict[Found, Inspection]:
    """The keys of each file against the contract; one pass over all files."""
    looks = {found: _beginning(found, source) for found in files}
    readable = [found for found, look in looks.items() if not look.problem and not look.empty]
    if not readable:
        return looks
    lines = _lines(spark, source, readable)
    keys = lines.select(metadata_path().alias(PATH), F.explode_outer(F.map_keys("_map")).alias("key"))
    seen = keys.groupBy(PATH).agg(F.slice(F.sort_array(F.collect_set("key")), 1, _MOST_KEYS + 1).alias("keys"))
    by_path = {row[PATH]: tuple(row["keys"]) for row in seen.collect()}
    return looks | {found: _look(by_path.get(spark_path(found.path), ()), source) for found in readable}


def read_group(spark: SparkSession, source: Source, files: Sequence[Found], inspection: Inspection) -> DataFrame:
    """Rows of files whose contract columns have the same keys, in the shape of `raw_frame`."""
    match = inspection.match
    keys = {column: inspection.header[place] for column, place in match.positions.items()}
    lines = _lines(spark, source, files)
    entry = F.col("_map")
    columns = {column: F.try_element_at(entry, F.lit(key)) for column, key in keys.items()}
    others = F.map_filter(entry, lambda key, value: ~key.isin(*keys.values()) & value.isNotNull())
    return raw_frame(lines, source, columns, others, F.when(entry.isNull(), F.col("_text")))


def _beginning(found: Found, source: Source) -> Inspection:
    encoding = encoding_name(source.read.encoding)
    if encoding in WIDE:
        return Inspection(problem=f"JSON lines cannot be read in {encoding}; ask for utf-8, which JSON requires")
    text, problem = decode(sample(found.path), encoding)
    if problem:
        return Inspection(problem=f"the file {problem}")
    start = text.lstrip()[:1]
    if start == "[":
        return Inspection(
            problem="the file is one JSON array; JSON lines holds one object on each line, without brackets"
        )
    return Inspection(empty=not start)


def _look(keys: tuple[str, ...], source: Source) -> Inspection:
    if not keys:
        return Inspection(problem="no line of the file is a JSON object")
    if len(keys) > _MOST_KEYS:
        return Inspection(
            problem=f"its objects have more than {_MOST_KEYS:,} different keys; keys must be names of columns"
        )
    match = headers.match(keys, source)
    group = tuple(sorted((column, keys[place]) for column, place in match.positions.items()))
    return Inspection(keys, match, problem=match.problem, group=group)


def _lines(spark: SparkSession, source: Source, files: Sequence[Found]) -> DataFrame:
    """Lines that are not blank: `_text`, and `_map` of key to value (null where the line is not one JSON object)."""
    encoding = encoding_name(source.read.encoding)
    lines = spark.read.text([glob_safe(found.path) for found in files]).where(F.trim("value") != "")
    text = _text(encoding)
    quoted = F.regexp_replace(text, F.lit(_TOKENS), F.lit(f"$1{_MARK}$2{_MARK}"))
    quoted = F.regexp_replace(quoted, _MARK + _MARK, "")
    quoted = F.regexp_replace(quoted, f"{_MARK}([^{_MARK}]*){_MARK}", f'"{_MARK}$1"')
    schema, bad = "row map<string,string>, bad string", {"columnNameOfCorruptRecord": "bad"}
    parsed = F.from_json(F.concat(F.lit('{"row":'), quoted, F.lit("}")), schema, bad)
    whole = F.when(parsed["bad"].isNull(), parsed["row"])
    once = F.size(F.array_distinct(F.map_keys(whole))) == F.size(whole)
    entry = F.when(once & ~text.contains(_MARK), F.transform_values(whole, lambda _, value: _unmarked(value, source)))
    return lines.withColumn("_text", text).withColumn("_map", entry)


def _text(encoding: str) -> Column:
    if encoding == "utf-8" or not single_byte(encoding):
        return F.make_valid_utf8("value")
    upper = bytes(range(128, 256))
    latin = F.decode(F.col("value").cast("binary"), "ISO-8859-1")
    return F.translate(latin, upper.decode("latin-1"), upper.decode(encoding, "replace"))


def _unmarked(value: Column, source: Source) -> Column:
    """Numbers without mark; inside nested values also without the quotes they got."""
    nested = F.regexp_replace(value, f'"{_MARK}([^"]*)"', "$1")
    number = with_decimal_mark(F.replace(value, F.lit(_MARK), F.lit("")), source)
    return F.when(value.rlike(r"^[\[{]"), nested).when(value.startswith(_MARK), number).otherwise(value)
