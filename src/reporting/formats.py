"""How numbers, moments and intervals are written on a page; a dash where there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from finlake.reporting.feature_charts import number as short

NONE = "–"


def number(value: Any, digits: int = 0) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def share(value: float | None, digits: int = 1) -> str:
    if value is None:
        return NONE
    if 0 < value < 0.5 * 10 ** -(digits + 2):
        return f"< {10**-digits:.{digits}f}%"
    return f"{value:.{digits}%}"


def moment(value: datetime | None) -> str:
    return NONE if value is None else f"{value.day} {value:%b %Y %H:%M} UTC"


def day(value: datetime | date | None) -> str:
    return NONE if value is None else f"{value.day} {value:%b %Y}"


def interval(found: Mapping[str, Any] | None, kind: str = "score") -> str:
    """A figure with its 95% interval, in the way its kind is read: share, value, number or score."""
    if not found or found.get("value") is None:
        return NONE
    low, high = found.get("low"), found.get("high")
    told = by_kind(found["value"], kind)
    return told + (f" [{by_kind(low, kind)} – {by_kind(high, kind)}]" if low is not None and high is not None else "")


def by_kind(value: float, kind: str) -> str:
    return {"share": f"{value:.1%}", "value": f"{value:,.0f}", "number": f"{value:,.1f}"}.get(kind, f"{value:.3f}")


def show(value: Any) -> str:
    if value is None:
        return NONE
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}"
    return moment(value) if isinstance(value, datetime) else str(value)


def words(name: str) -> str:
    """A name as it is spoken."""
    return name.replace("_", " ").replace(".", ": ")


def plural(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


FILTERS: dict[str, Callable[..., str]] = {
    "number": number, "share": share, "moment": moment, "day": day, "interval": interval, "show": show, "words": words,
    "plural": plural, "short": short,
}  # fmt: skip
