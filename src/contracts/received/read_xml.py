"""Reads XML with Spark's own reader: one element is one row; attributes and child elements are its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.parsers import expat

from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from finlake.config import Source
from finlake.contracts.received import headers
from finlake.contracts.received.files import Found, chunks, encoding_name, sample
from finlake.contracts.received.inspection import (
    CORRUPT,
    PATH,
    Inspection,
    glob_safe,
    metadata_path,
    raw_frame,
    spark_path,
)
from finlake.errors import suggestion

_VALUE = "_VALUE"
_ELEMENTS = 1_000
_SPARK_NAMES = {"utf-8": "UTF-8", "iso8859-1": "ISO-8859-1", "utf-16": "UTF-16"}


def inspect(spark: SparkSession, source: Source, files: Sequence[Found]) -> dict[Found, Inspection]:
    """The columns of each file against the contract. A file that is not well-formed XML is refused as a whole."""
    looks = {found: _beginning(found, source) for found in files}
    readable = [found for found, look in looks.items() if not look.problem and not look.empty]
    if not readable:
        return looks
    rows = _reader(spark, source).load([glob_safe(found.path) for found in readable])
    columns = flat(rows.schema)
    counted = rows.groupBy(metadata_path().alias(PATH)).agg(
        *(F.count(value).alias(f"n{i}") for i, value in enumerate(columns.values()))
    )
    names = list(columns)
    seen = {row[PATH]: tuple(name for i, name in enumerate(names) if row[f"n{i}"]) for row in counted.collect()}
    for found in readable:
        header = seen.get(spark_path(found.path), ())
        match = headers.match(header, source)
        group = tuple(sorted((column, header[place]) for column, place in match.positions.items()))
        looks[found] = Inspection(header, match, problem=match.problem, group=group, schema=rows.schema)
    return looks


def read_group(spark: SparkSession, source: Source, files: Sequence[Found], inspection: Inspection) -> DataFrame:
    """Rows of files whose contract columns have the same elements, in the shape of `raw_frame`."""
    schema = inspection.schema or T.StructType()
    if CORRUPT not in schema.names:
        schema = T.StructType([*schema.fields, T.StructField(CORRUPT, T.StringType())])
    rows = _reader(spark, source).schema(schema).load([glob_safe(found.path) for found in files])
    columns = flat(schema)
    header = inspection.header
    mine = {column: columns[header[place]] for column, place in inspection.match.positions.items()}
    used = {header[place] for place in inspection.match.positions.values()}
    others = {name: value for name, value in columns.items() if name not in used}
    return raw_frame(rows, source, mine, others, F.col(CORRUPT))


def flat(schema: T.StructType) -> dict[str, Column]:
    """Column name -> its text. The attribute `id` is `id`; `<amount currency="EUR">5</amount>` is `amount` and
    `amount_currency`; anything deeper, and an element that a row has several times, is JSON. Where a row has both the
    attribute and the element `id`, the attribute is `_id`.
    """
    made: dict[str, Column] = {}
    fields = (field for field in schema.fields if field.name != CORRUPT)
    for field in sorted(fields, key=lambda field: field.name.startswith("_")):
        plain = "value" if field.name == _VALUE else field.name.removeprefix("_")
        for name, value in _texts(plain, F.col(f"`{field.name}`"), field.dataType).items():
            if name in made:
                made[f"_{name}"] = F.when(made[name].isNotNull(), value)
                made[name] = F.coalesce(made[name], value)
            else:
                made[name] = value
    return made


def _texts(name: str, value: Column, kind: T.DataType) -> dict[str, Column]:
    """One element as text, and its attributes. One row in which it is repeated makes it an array in all of them."""
    if isinstance(kind, T.ArrayType):
        many = F.size(value) > 1
        texts = {n: F.when(~many, text) for n, text in _texts(name, F.get(value, F.lit(0)), kind.elementType).items()}
        return texts | {name: F.when(many, F.to_json(value)).otherwise(texts[name])}
    if not isinstance(kind, T.StructType):
        return {name: value}
    if _VALUE not in kind.names:
        return {name: F.to_json(value)}
    inner = {inner: value[inner].cast("string") for inner in kind.names if inner != _VALUE}
    return {name: value[_VALUE]} | {f"{name}_{inner.removeprefix('_')}": text for inner, text in inner.items()}


def _reader(spark: SparkSession, source: Source) -> DataFrameReader:
    return (
        spark.read.format("xml")
        .option("rowTag", source.read.row_tag or "")
        .option("inferSchema", False)
        .option("ignoreNamespace", True)
        .option("encoding", _SPARK_NAMES[encoding_name(source.read.encoding)])
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", CORRUPT)
    )


def _beginning(found: Found, source: Source) -> Inspection:
    encoding = encoding_name(source.read.encoding)
    if encoding not in _SPARK_NAMES:
        return Inspection(problem=f"XML cannot be read in {encoding}; use utf-8, utf-16 or latin-1")
    start = sample(found.path)
    said = re.match(rb"\s*(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([A-Za-z0-9._-]+)", start)
    if said and encoding_name(said[1].decode()) != encoding:
        return Inspection(
            problem=f"the file says it is {said[1].decode()}, the contract {source.read.encoding}; set `encoding`"
        )
    return _well_formed(found, source.read.row_tag or "", None if said else encoding)


def _well_formed(found: Found, row_tag: str, encoding: str | None) -> Inspection:
    """Reads the file to its end without keeping anything; says where it breaks, or that it holds no row element."""
    parser = expat.ParserCreate(encoding)
    names: list[str] = []

    def element(name: str, _: dict[str, str]) -> None:
        names.append(name.rpartition(":")[2])
        if names[-1] == row_tag or len(names) > _ELEMENTS:
            parser.StartElementHandler = None

    parser.StartElementHandler = element
    try:
        for chunk in chunks(found.path):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        why = f"not well-formed XML: {expat.ErrorString(error.code)} at line {error.lineno}, column {error.offset}"
        return Inspection(problem=f"the file is {why}; send it again")
    if row_tag in names:
        return Inspection()
    if len(names) == 1:
        return Inspection(empty=True)
    if len(names) > _ELEMENTS:
        return Inspection()
    return Inspection(problem=f"there is no element <{row_tag}>{suggestion(row_tag, names)}")
