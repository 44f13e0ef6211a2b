"""Whether a source's data arrived when and as large as its contract says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from finlake.config.base import Duration
from finlake.config.source import Arrives
from finlake.errors import ConfigError, suggestion

Word = Literal["ok", "late", "empty", "few", "many"]
_DAY = 86_400_000_000


@dataclass(frozen=True)
class Verdict:
    """`late`, `empty` and `few` stop the step; `many` warns."""

    verdict: Word
    due_at: datetime | None
    reason: str

    @property
    def stops(self) -> bool:
        return self.verdict in ("late", "empty", "few")


def judge(
    arrives: Arrives | None,
    last_arrival: datetime | None,
    rows: int | None,
    now: datetime,
    *,
    first_load: bool = False,
    required: bool = True,
) -> Verdict:
    """Compares the last arrival with the last moment data was due.

    Data is late when nothing has arrived since the due moment before the last one. Without `arrives` only "no file has
    ever arrived" is wrong. `rows` is what the last batch held; `first_load` says that it is the whole history, which
    may exceed what is normal for one day. Unless `required`, a source may still be without any file.
    """
    due, since = due_times(arrives, now) if arrives else (None, None)
    if last_arrival is None:
        return Verdict("empty" if required else "ok", due, "no file has ever arrived")
    if arrives is None or since is None:
        return Verdict("ok", None, "the contract does not say when data must arrive")
    if last_arrival < since:
        reason = (
            f"nothing since {_show(last_arrival)}; due every {arrives.every.text} by {arrives.by}, last at {_show(due)}"
        )
        return Verdict("late", due, reason)
    if rows == 0:
        return Verdict("empty", due, f"what arrived at {_show(last_arrival)} holds no rows")
    if arrives.rows and rows is not None:
        low, high = arrives.rows
        if rows < low:
            return Verdict("few", due, f"{rows:,} rows in the last batch, at least {low:,} are normal")
        if rows > high and not first_load:
            return Verdict("many", due, f"{rows:,} rows in the last batch, at most {high:,} are normal")
    return Verdict("ok", due, "")


def due_times(arrives: Arrives, now: datetime) -> tuple[datetime, datetime]:
    """The latest due moment that is not after `now`, and the one before it, in UTC.

    Days are counted on the calendar of the contract's zone, so a due time stays at 06:00 when clocks change. An hour
    that the clocks skip is due an hour later; one that comes twice is due the first time.
    """
    at, zone = parse_by(arrives.by)
    local = now.astimezone(zone)
    if arrives.every.micros % _DAY == 0:
        day = local.date()
        due = _moment(day, at, zone)
        if due > now:
            day -= timedelta(days=1)
            due = _moment(day, at, zone)
        return due, _moment(_back(day, arrives.every), at, zone)
    step = timedelta(microseconds=arrives.every.micros)
    anchor = _moment(local.date() - timedelta(days=1), at, zone)
    due = anchor + (now - anchor) // step * step
    return due, due - step


def parse_by(text: str) -> tuple[time, ZoneInfo]:
    """`06:00 Europe/Berlin`; without a zone it is UTC.

    Raises:
        ConfigError: not a time of day, or no such zone.
    """
    found = re.fullmatch(r"\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?\s*", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise ConfigError(f"`by` is not a time of day: {text!r}; write for example 06:00 Europe/Berlin")
    name = found[3] or "UTC"
    if name not in available_timezones():
        raise ConfigError(f"`by` names no time zone: {name!r}{suggestion(name, available_timezones())}")
    return time(int(found[1]), int(found[2])), ZoneInfo(name)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _back(day: date, every: Duration) -> date:
    if not every.months:
        return day - timedelta(microseconds=every.micros)
    count = day.year * 12 + day.month - 1 - every.months
    year, month = divmod(count, 12)
    first_of_next = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=day.day - 1), first_of_next - timedelta(days=1))


def _show(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "never"
