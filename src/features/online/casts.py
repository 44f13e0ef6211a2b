"""Values of rows and their casts, as Spark has them under ANSI: text, number, moment and day.

Moments are microseconds since 1970 in UTC; those outside the years 1 to 9999 are unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from finlake.features.expressions import Expr

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_BLANK = "".join(map(chr, range(33)))
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[dDfF]?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NOT_FINITE = {
    **dict.fromkeys(("inf", "+inf", "infinity", "+infinity"), math.inf),
    **dict.fromkeys(("-inf", "-infinity"), -math.inf), "nan": math.nan,
}  # fmt: skip
_DATE = r"\+?([0-9]{4})(?:-([0-9]{1,2})(?:-([0-9]{1,2})"
_DAY = re.compile(rf"{_DATE}(?:[ T].*)?)?)?", re.DOTALL)
_OFFSET = r"(Z| ?[+-][0-9]{1,2}(?::?[0-9]{2})?)?"
_CLOCK = rf"([0-9]{{1,2}})(?::([0-9]{{1,2}})(?::([0-9]{{1,2}})(?:\.([0-9]*))?{_OFFSET})?)?"
_MOMENT = re.compile(rf"{_DATE}(?:[ T]{_CLOCK})?)?)?")


def from_raw(value: Any, column_type: str, zone: str) -> Any:
    """A silver column's value as expressions see it.

    Args:
        value: None, or what the column's type holds; timestamps without a zone are UTC.
        column_type: of the contract: money, integer, number, boolean, text, date or timestamp.
        zone: a date is the moment at which its day begins there.

    Returns:
        float, bool, str, a moment, or None.
    """
    if value is None:
        return None
    if column_type in ("money", "integer", "number"):
        return float(value)
    return day_start(value, ZoneInfo(zone)) if column_type == "date" else moment(value)


def moment(value: Any) -> Any:
    """Microseconds of a stored time; other values as they are."""
    if not isinstance(value, datetime):
        return value
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MICRO


def day_start(day: date, zone: ZoneInfo) -> int | None:
    """The moment at which a calendar day begins in `zone`."""
    return _in_calendar(lambda: _from_local(datetime.combine(day, time()), zone))


def local_time(micros: int, zone: ZoneInfo) -> datetime | None:
    """The local time of a moment, to the second."""
    try:
        return datetime.fromtimestamp(micros // 1_000_000, zone)
    except (OverflowError, ValueError):
        return None


def caster(expr: Expr, zone: ZoneInfo) -> Callable[[Any], Any]:
    """The cast of a known value; None where it fails. Texts of times are read as local, unless
    they tell their offset, and written in UTC.
    """
    given, wanted = expr.args[0].kind, str(expr.value)
    if wanted == "text":
        return text_of
    if (given, wanted) in _ZONED:
        read = _ZONED[given, wanted]
        return lambda value: _in_calendar(lambda: read(value, zone))
    return _CASTS.get((given, wanted), lambda value: value)


def text_of(value: Any) -> str:
    """A number, truth, text, or moment as the text that a cast gives."""
    if isinstance(value, float):
        return _number_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _moment_text(value)


def _in_calendar(made: Callable[[], Any]) -> Any:
    try:
        return made()
    except (OverflowError, ValueError):
        return None


def _number_text(value: float) -> str:
    """As Java writes a double: plain from 0.001 to 10 million, else with an exponent."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    first, *rest = map(str, digits)
    return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{int(exponent) + len(rest)}"


def _moment_text(micros: int) -> str:
    at = (_EPOCH + micros * _MICRO).replace(tzinfo=None).isoformat(" ")
    return at.rstrip("0") if "." in at else at


def _read_number(text: str) -> float | None:
    plain = text.strip(_BLANK)
    found = _NUMBER.fullmatch(plain)
    return float(found[1]) if found else _NOT_FINITE.get(plain.lower())


def _read_integer(text: str) -> float | None:
    plain = text.strip(_BLANK + "\x7f")
    return float(plain) if _INTEGER.fullmatch(plain) and -(2**63) <= int(plain) < 2**63 else None


def _read_day(text: str, zone: ZoneInfo) -> int | None:
    found = _DAY.fullmatch(text.strip(_BLANK + "\x7f"))
    return day_start(date(*(int(part or 1) for part in found.groups())), zone) if found else None


def _read_moment(text: str, zone: ZoneInfo) -> int | None:
    found = _MOMENT.fullmatch(text.strip(_BLANK + "\x7f"))
    if not found:
        return None
    year, month, day, hour, minute, second = (int(part or n < 3) for n, part in enumerate(found.groups()[:6]))
    micros = int((found[7] or "")[:6].ljust(6, "0"))
    local = datetime(year, month, day, hour, minute, second, micros)
    if found[8]:
        return int(moment(local - _offset(found[8])))
    return _from_local(local, zone)


def _offset(text: str) -> timedelta:
    digits = text.strip(" Z+-").replace(":", "")
    hours, minutes = int(digits[:2] or 0), int(digits[2:] or 0)
    if hours > 18 or minutes > 59:
        raise ValueError(f"no such offset from UTC: {text!r}")
    return timedelta(hours=hours, minutes=minutes) * (-1 if "-" in text else 1)


def _from_local(local: datetime, zone: ZoneInfo) -> int:
    return int(moment(local.replace(tzinfo=zone).astimezone(UTC)))


def _whole(value: float) -> float | None:
    return float(int(value)) if -(2.0**63) <= value <= 2.0**63 else None


def _seconds(value: float, zone: ZoneInfo) -> int | None:
    """Seconds since 1970, read as a local time."""
    micros = _whole(value * 1e6)
    return None if micros is None else _from_local(datetime(1970, 1, 1) + int(micros) * _MICRO, zone)


def _day_of(micros: int, zone: ZoneInfo) -> int | None:
    local = local_time(micros, zone)
    return None if local is None else day_start(local.date(), zone)


_CASTS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("text", "number"): _read_number, ("text", "integer"): _read_integer,
    ("number", "number"): float, ("number", "integer"): _whole,
    ("boolean", "number"): float, ("boolean", "integer"): float,
    ("time", "number"): lambda micros: micros / 1e6, ("time", "integer"): lambda micros: float(micros // 1_000_000),
    ("time", "timestamp"): lambda micros: micros,
}  # fmt: skip
_ZONED: dict[tuple[str, str], Callable[[Any, ZoneInfo], int | None]] = {
    ("text", "date"): _read_day, ("text", "timestamp"): _read_moment,
    ("number", "timestamp"): _seconds, ("time", "date"): _day_of,
}  # fmt: skip
