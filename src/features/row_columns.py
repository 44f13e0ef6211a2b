"""Values of a source's rows as Columns, and its versions with times in microseconds."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StructType

from finlake.features.columns import Resolve, compile_expr, local_midnight
from finlake.features.expressions import Expr
from finlake.features.rows import Value
from finlake.features.windows import NEVER


def resolver(frame: DataFrame, zone: str, prefix: str = "", labels: Mapping[str, Column] | None = None) -> Resolve:
    """Columns of a frame (or of its struct `prefix`) by name; dates become the moment their day begins in `zone`."""
    kind = frame.schema[prefix].dataType if prefix else frame.schema
    dates = {f.name for f in kind.fields if isinstance(f.dataType, DateType)} if isinstance(kind, StructType) else set()

    def resolve(expr: Expr) -> Column:
        if expr.op == "label":
            return (labels or {})[expr.value]
        column = F.col(prefix)[expr.value] if prefix else F.col(f"`{expr.value}`")
        return local_midnight(column, zone) if expr.value in dates else column

    return resolve


def value_column(value: Value, resolve: Resolve) -> Column:
    """A value on one row."""
    if value.expr is not None:
        made = compile_expr(value.expr, resolve, value.zone)
        number = minor_units(made, None) if value.expr.kind == "number" or not value.text else made
        made = number.cast("string") if value.text else number
        made = F.coalesce(made, F.lit(float("inf"))) if value.latest else made
    elif value.column is None:
        made = F.lit(1).cast("bigint")
    elif value.text:
        made = resolve(Expr("column", "", value=value.column)).cast("string")
    else:
        made = minor_units(resolve(Expr("column", "", value=value.column)), value.scale)
    for condition in value.conditions:
        made = F.when(compile_expr(condition, resolve, value.zone), made)
    return made


def minor_units(column: Column, scale: int | None) -> Column:
    """Money as BIGINT cents, integers as BIGINT, other numbers as doubles; NaN is unknown."""
    if scale is None:
        number = column.cast("double")
        return F.when(~F.isnan(number), number)
    return (column * F.lit(10**scale)).cast("bigint") if scale else column.cast("bigint")


def version_rows(versions: DataFrame) -> DataFrame:
    """Adds `_from` and `_until` in microseconds; labels narrow them, and `_version_from`, `_version_until` stay."""
    since, until = F.unix_micros("known_from"), F.coalesce(F.unix_micros("known_to"), F.lit(NEVER))
    return versions.withColumns({"_from": since, "_until": until, "_version_from": since, "_version_until": until})
