"""Reads Parquet files: typed values become text in which no digit is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finlake.config import Source
from finlake.contracts.masking import mask_text
from finlake.contracts.received import headers
from finlake.contracts.received.files import Found
from finlake.contracts.received.inspection import Inspection, glob_safe, raw_frame, with_decimal_mark

_TIME = "yyyy-MM-dd HH:mm:ss.SSSSSS"
_EXACT = 2**53
_FOREIGN = (pa.types.is_time, pa.types.is_float16, pa.types.is_decimal256, pa.types.is_duration)


def inspect(found: Found, source: Source) -> Inspection:
    """The footer's columns against the contract; no row is read."""
    try:
        schema = pq.ParquetFile(found.path).schema_arrow
    except (pa.ArrowException, OSError) as error:
        return Inspection(
            problem=f"the file is not whole, readable Parquet: {str(error).partition('.')[0]}; send it again"
        )
    for field in schema:
        if any(foreign(field.type) for foreign in _FOREIGN):
            return Inspection(
                tuple(schema.names),
                problem=f"column {mask_text(field.name)!r} has the type {field.type}, which Spark cannot read; ask for text",
            )
    match = headers.match(schema.names, source)
    group = tuple((field.name, str(field.type)) for field in schema)
    return Inspection(tuple(schema.names), match, problem=match.problem, group=group)


def read_group(spark: SparkSession, source: Source, files: Sequence[Found], inspection: Inspection) -> DataFrame:
    """Rows of files that share one schema, as text, in the shape of `raw_frame`."""
    kinds = [kind for _, kind in inspection.group]
    if any(_nanoseconds(kind) for kind in kinds):
        spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
    rows = spark.read.parquet(*[glob_safe(found.path) for found in files])
    types = {field.name: field.dataType for field in rows.schema.fields}
    header, match = inspection.header, inspection.match
    text = {}
    for place, name in enumerate(header):
        value, kind = F.col(_quoted(name)), types[name]
        text[place] = _text(value, kind, kinds[place])
        if isinstance(kind, T.FractionalType):
            text[place] = with_decimal_mark(text[place], source)
    return raw_frame(
        rows,
        source,
        {column: text[place] for column, place in match.positions.items()},
        {name: text[place] for name, place in match.extra.items()},
        F.lit(None).cast("string"),
        row=F.col("_metadata.row_index") + 1,
    )


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _nanoseconds(kind: str) -> bool:
    return kind.startswith("timestamp[ns")


def _text(value: Column, kind: T.DataType, arrow: str) -> Column:
    """One column as text. Instants end in Z, times without zone do not; whole doubles lose their `.0`."""
    if isinstance(kind, T.LongType) and _nanoseconds(arrow):
        return _from_nanoseconds(value, "tz=" in arrow)
    if isinstance(kind, T.TimestampType):
        return F.date_format(value, f"{_TIME}'Z'")
    if isinstance(kind, T.TimestampNTZType):
        return F.date_format(value.cast("timestamp"), _TIME)
    if isinstance(kind, T.DoubleType | T.FloatType):
        whole = (value == F.floor(value)) & (F.abs(value) < _EXACT)
        return F.when(whole, value.try_cast("bigint").cast("string")).otherwise(value.cast("string"))
    if isinstance(kind, T.BinaryType):
        return F.coalesce(F.try_validate_utf8(value.cast("string")), F.hex(value))
    if isinstance(kind, T.StructType | T.ArrayType | T.MapType | T.VariantType):
        return F.to_json(value)
    return value.cast("string")


def _from_nanoseconds(value: Column, instant: bool) -> Column:
    second = F.floor(value / F.lit(10**9).cast("decimal(20,0)")).cast("bigint")
    rest = F.lpad(F.pmod(value, F.lit(10**9)).cast("string"), 9, "0")
    moment = F.date_format(F.timestamp_seconds(second), "yyyy-MM-dd HH:mm:ss")
    return F.concat(moment, F.lit("."), F.regexp_replace(rest, "^([0-9]{6})000$", "$1"), F.lit("Z" if instant else ""))
