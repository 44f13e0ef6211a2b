"""What windows run over: the versions of one source with entity, times in microseconds and the values needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StructType

from finlake.config import Source
from finlake.features.columns import Resolve, compile_expr, local_midnight
from finlake.features.expressions import Expr
from finlake.features.windows import NEVER


@dataclass(frozen=True)
class Value:
    """One value of a row, null where the row does not take part.

    `column` is measured as it is: money in minor units (`scale` digits), integers, doubles, or any other as `text`.
    None counts rows.
    """

    column: str | None
    conditions: tuple[Expr, ...]
    zone: str
    scale: int | None = None
    text: bool = False

    @property
    def labelled(self) -> bool:
        """It depends on what was reported about the row."""
        return any(condition.names("label") for condition in self.conditions)


@dataclass(frozen=True)
class Component:
    """One aggregate of a value over a frame [low, high] in microseconds from the decision's row; low None: all before."""

    function: str  # of windows.functions
    value: Value
    low: int | None
    high: int
    other: Value | None = None
    argument: float = 0.0


@dataclass
class RowSet:
    """Windows that share entity, source and clock, so that one pass computes them all."""

    source: Source
    entity: str
    clock: str
    labels: dict[str, None] = field(default_factory=dict)
    components: dict[Component, str] = field(default_factory=dict)

    def add(self, component: Component, prefix: str) -> str:
        """The column that will hold the component."""
        return self.components.setdefault(component, f"{prefix}{len(self.components)}")

    @property
    def reach(self) -> timedelta | None:
        """How long before a decision's row its windows begin; None: they have no beginning."""
        lows = [component.low for component in self.components]
        known = [low for low in lows if low is not None]
        return timedelta(microseconds=-min(known)) if len(known) == len(lows) else None

    def values(self) -> dict[Value, str]:
        """Distinct values and their column names."""
        used = (value for c in self.components for value in (c.value, c.other) if value)
        return {value: f"_v{n}" for n, value in enumerate(dict.fromkeys(used))}

    def columns(self) -> set[str]:
        """Source columns that the values look at."""
        looked = {value.column for value in self.values() if value.column}
        return looked | {n for v in self.values() for e in v.conditions for n in e.names("column")} | {self.entity}


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
    if value.column is None:
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
