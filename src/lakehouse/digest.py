"""Order-free digests of tables: the same rows in any order and layout give the same digest."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType


def table_digest(df: DataFrame, exclude: Sequence[str] = ()) -> str:
    """`<rows>-<hash>`; `exclude` holds names or patterns of volatile columns.

    A row's hash covers its values and their null flags, because xxhash64 skips nulls; the sum is DECIMAL, because a
    BIGINT sum overflows.
    """
    fields = [f for f in sorted(df.schema.fields, key=lambda f: f.name) if not any(fnmatch(f.name, p) for p in exclude)]
    values = [_hashable(F.col(f"`{f.name}`"), f.dataType) for f in fields]
    flags = [F.col(f"`{f.name}`").isNull() for f in fields]
    row = F.xxhash64(*values, *flags).cast("decimal(38,0)")
    found = df.agg(F.count(F.lit(1)).alias("rows"), F.sum(row).alias("hash")).first()
    if found is None or not found["rows"]:
        return "0-0"
    return f"{found['rows']}-{int(found['hash']) % 2**64:016x}"


def _hashable(column: Column, kind: DataType) -> Column:
    """Maps cannot be hashed, at any depth."""
    if isinstance(kind, MapType):
        return F.array_sort(F.map_entries(column))
    if isinstance(kind, ArrayType | StructType) and "map<" in kind.simpleString():
        return F.to_json(column)
    return column
