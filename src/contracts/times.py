"""Dates and timestamps by their contract's format and zone; everything becomes UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.config import Column as ColumnContract

_ISO_TIME = r"\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
_OFFSET = r"(Z|z|[+-]\d{2}(:?\d{2})?)"
_ISO = rf"^\d{{4}}-\d{{2}}-\d{{2}}([T ]{_ISO_TIME}( ?{_OFFSET})?)?$"
_AS_CAST = (
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z?)?$"  # what most files hold, and Spark reads as it is
)
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}([T ]00:00(:00([.,]0{1,9})?)?(Z|[+-]00(:?00)?)?)?$"
_HAS_OFFSET = rf"^.{{11}}.*{_OFFSET}$"
_TWO_DIGITS, _PIVOT = re.compile(r"(?<!y)yy(?!y)"), 2069  # POSIX: 69 to 99 are years of the last century
_LAST_SECOND = 253_402_300_799  # of the year 9999, the last one Spark knows
_UTC = ("UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "Zulu", "UCT", "Universal")

Words = tuple[str, str, Column]  # rule, reason, where it is broken


@dataclass
class TimeReading:
    """Value in UTC, helper columns in layers, flaws that lose the cell and doubts that keep it."""

    value: Column
    layers: list[dict[str, Column]] = field(default_factory=list)
    flaws: list[Words] = field(default_factory=list)
    doubts: list[Words] = field(default_factory=list)


def read_time(name: str, text: Column, column: ColumnContract, zone: str) -> TimeReading:
    """Reads one date or timestamp column.

    A time without offset is taken in `zone`. Where the clocks go back, a time that happened twice is taken as the
    earlier one (a doubt); where they go forward, a time that did not happen is a flaw.
    """
    form = column.format or "iso"
    kind = "a date" if column.type == "date" else "a timestamp"
    rule, reason = f"is {kind}", f"is not {kind} {_like(form, column.type)}"
    if column.type == "date":
        return TimeReading(
            F.col(f"_w_{name}"), [{f"_w_{name}": _day(text, form)}], [(rule, reason, F.col(f"_w_{name}").isNull())]
        )
    wall, utc = F.col(f"_w_{name}"), F.col(f"_u_{name}")
    unread: Words = (rule, reason, wall.isNull())
    absolute = _is_absolute(text, form)
    parsed = {f"_w_{name}": _moment(text, form)}
    if absolute is True or zone in _UTC:
        return TimeReading(wall, [parsed], [unread])
    naive = F.lit(True) if absolute is False else ~absolute
    layers = [{**parsed, f"_naive_{name}": naive}]
    naive = F.col(f"_naive_{name}")
    layers.append({f"_u_{name}": F.when(naive, F.to_utc_timestamp(wall, zone)).otherwise(wall)})
    exists = ~naive | (F.from_utc_timestamp(utc, zone) == wall)
    again = [F.from_utc_timestamp(utc + F.expr(f"INTERVAL {minutes} MINUTES"), zone) == wall for minutes in (30, 60)]
    skipped: Words = (f"exists in {zone}", f"does not exist in {zone} (clock change)", ~exists)
    twice: Words = (
        f"happened once in {zone}",
        f"happened twice in {zone} (clock change); the earlier is taken",
        naive & (again[0] | again[1]),
    )
    return TimeReading(F.when(exists, utc), layers, [unread, skipped], [twice])


def _like(form: str, kind: str) -> str:
    examples = {"iso": "like 2025-10-15" if kind == "date" else "like 2025-10-15 06:30:00"}
    epochs = {"epoch_s": "in seconds since 1970", "epoch_ms": "in milliseconds since 1970"}
    return {**examples, **epochs}.get(form, f"like {form}")


def _is_absolute(text: Column, form: str) -> bool | Column:
    """Whether the text itself says its offset: always, never, or row by row."""
    if form in ("epoch_s", "epoch_ms"):
        return True
    if form == "iso":
        return text.rlike(_HAS_OFFSET)
    return bool(set(re.sub(r"'[^']*'", "", form)) & set("XxZzVO"))


def _moment(text: Column, form: str) -> Column:
    """The instant, or for naive texts the time on the wall as if the wall were in UTC; null if it cannot be read."""
    if form in ("epoch_s", "epoch_ms"):
        number = text.try_cast("decimal(38,6)")
        seconds = number if form == "epoch_s" else number / 1000
        micros = (seconds * 1_000_000).try_cast("bigint")
        return F.timestamp_micros(F.when(F.abs(seconds) <= _LAST_SECOND, micros))
    if form != "iso":
        found = F.try_to_timestamp(text, F.lit(form))
        if not _TWO_DIGITS.search(re.sub(r"'[^']*'", "", form)):
            return found
        return F.when(F.year(found) >= _PIVOT, found - F.expr("INTERVAL 100 YEARS")).otherwise(found)
    dotted = F.translate(text, ",z", ".Z")
    spaced = F.regexp_replace(dotted, " (Z|[+-])", "$1")
    with_colon = F.regexp_replace(spaced, r"([+-]\d{2}):?(\d{2})$", "$1:$2")
    return F.when(text.rlike(_AS_CAST), text).when(text.rlike(_ISO), with_colon).try_cast("timestamp")


def _day(text: Column, form: str) -> Column:
    if form == "iso":
        return F.when(text.rlike(_ISO_DAY), F.left(text, F.lit(10))).try_cast("date")
    return _moment(text, form).cast("date")
