"""One row of a source without Spark: its columns as expressions see them, and what windows measure of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from finlake.config import Source
from finlake.config.source import Column
from finlake.errors import ContractError, suggestion
from finlake.features.expressions import KINDS, Expr
from finlake.features.online.casts import from_raw, text_of
from finlake.features.online.evaluate import evaluator
from finlake.features.rows import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime | date) -> int:
    """Microseconds since 1970 in UTC; a date is its midnight, a time without zone is UTC."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


class OwnRow:
    """A row of a source. `labels` are its states, where windows look at them."""

    __slots__ = ("_columns", "_seen", "labels", "raw", "source")

    def __init__(self, source: Source, raw: Mapping[str, Any], labels: Mapping[str, float] | None = None) -> None:
        self.source, self.raw, self.labels = source, raw, labels or {}
        self._columns = source.silver_columns
        self._seen: dict[tuple[str, str], Any] = {}

    def value(self, expr: Expr, zone: str) -> Any:
        """What a `this`, `column` or `label` node of an expression stands for on this row."""
        if expr.op == "label":
            return self.labels[expr.value]
        seen = (expr.value, zone)
        if seen not in self._seen:
            kind = self._columns[expr.value].type
            self._seen[seen] = from_raw(self.raw.get(expr.value), kind, zone)
        return self._seen[seen]

    def text(self, name: str) -> str | None:
        """A column as text, as Spark casts it: entities and keys are told apart by it."""
        value, column = self.raw.get(name), self._columns[name]
        if value is None or isinstance(value, str):
            return value
        if column.type == "money":
            return f"{Decimal(value):.{column.decimals}f}"
        if column.type == "integer":
            return str(int(value))
        if column.type == "date":
            return str(value)
        kind = KINDS[column.type]
        whole = Expr("cast", "text", (Expr("column", kind, value=name),), "text")
        made = evaluator(whole, "UTC")(lambda expr: self.value(expr, "UTC"))
        return None if made is None else str(made)

    def key(self, columns: list[str]) -> str:
        """Columns of a key as one text, joined by |; unknown ones are left out."""
        return "|".join(text for text in map(self.text, columns) if text is not None)


class Measured:
    """One value of a row, None where the row does not take part: `features.row_columns.value_column` for one row."""

    def __init__(self, value: Value) -> None:
        self._value = value
        self._conditions = [evaluator(condition, value.zone) for condition in value.conditions]
        self._expr = evaluator(value.expr, value.zone) if value.expr else None

    def of(self, row: OwnRow) -> Any:
        zone = self._value.zone

        def look(expr: Expr) -> Any:
            return row.value(expr, zone)

        for condition in self._conditions:
            if not condition(look):
                return None
        if self._expr is not None:
            made = self._expr(look)
            if self._value.text:
                return None if made is None or made != made else text_of(made)
            number = _number(made)
            return math.inf if number is None and self._value.latest else number
        if self._value.column is None:
            return 1
        return row.text(self._value.column) if self._value.text else self._minor_units(row)

    def _minor_units(self, row: OwnRow) -> float | int | None:
        raw = row.raw.get(str(self._value.column))
        if raw is None or self._value.scale is None:
            return _number(raw)
        return int(Decimal(raw) * 10**self._value.scale)


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def typed(source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a caller sends it (JSON), with the contract's types; columns that are not given are unknown.

    Raises:
        ContractError: a column the contract does not have, a key or time that is missing, or a value of another type.
    """
    columns = source.silver_columns
    for name in given:
        if name not in columns:
            raise ContractError(f"{source.source} has no column {name!r}{suggestion(name, columns)}")
    for name in dict.fromkeys((*source.key, source.happened_at)):
        if given.get(name) is None:
            raise ContractError(
                f"a row of {source.source} needs {name}: it says which row this is and when it happened"
            )
    return {name: _typed(source, name, columns[name], value) for name, value in given.items()}


def _typed(source: Source, name: str, column: Column, value: Any) -> Any:
    kind = column.type
    if value is None:
        return None
    try:
        if kind == "boolean" and isinstance(value, bool):
            return value
        if kind == "money":
            return round(Decimal(str(value)), column.decimals)
        if kind == "integer" and int(value) == float(value):
            return int(value)
        if kind == "number":
            return float(value)
        if kind == "text":
            return str(value)
        if kind == "date":
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        if kind == "timestamp":
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            zone = column.zone or source.zone
            return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, TypeError, ArithmeticError):
        pass
    secret = column.pii is not None
    raise ContractError(f"{source.source}.{name} is {kind}, got {'***' if secret else repr(value)}")
