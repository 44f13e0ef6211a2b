"""Quartz expressions: six or seven fields that begin with seconds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from finlake.errors import suggestion

_FIELDS = (("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12),
           ("day of week", 1, 7), ("year", 1970, 2099))  # fmt: skip
_NAMES = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT"
_PART = re.compile(rf"^(\*|\d+|{_NAMES})(-(\d+|{_NAMES}))?(/\d+)?$")
_SPECIAL = {
    "day of month": re.compile(r"^(\?|L|LW|\d+W|L-\d+)$"),
    "day of week": re.compile(rf"^(\?|L|([1-7]|{_NAMES})(L|#[1-5]))$"),
}


def cron_problems(schedule: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of what a workspace would refuse, or fire at another time than was meant."""
    if not schedule:
        return
    text = str(schedule.get("quartz_cron_expression", ""))
    fields = text.upper().split()
    if len(fields) not in (6, 7):
        yield (
            "quartz_cron_expression",
            f"{text!r} has {len(fields)} fields; it takes seconds minutes hours day month weekday",
        )
        return
    if (fields[3] == "?") == (fields[5] == "?"):
        yield "quartz_cron_expression", f"{text!r}: exactly one of day of month and day of week must be ?"
    for field, (name, low, high) in zip(fields, _FIELDS, strict=False):
        for part in field.split(","):
            special = _SPECIAL.get(name)
            if special and special.match(part):
                continue
            numbers = [int(number) for number in re.findall(r"\d+", part.partition("/")[0])]
            if not _PART.match(part) or any(not low <= number <= high for number in numbers):
                yield "quartz_cron_expression", f"{text!r}: {part!r} is no {name}, which goes from {low} to {high}"
    zone = str(schedule.get("timezone_id", ""))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield "timezone_id", f"{zone!r} is no time zone{suggestion(zone, available_timezones())}"
