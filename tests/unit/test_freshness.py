"""Data that is missing, late or too small is red, in the zone of the contract and across clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from finlake.config.source import Arrives
from finlake.errors import ConfigError
from finlake.monitoring.freshness import due_times, judge, parse_by


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(**more: Any) -> Arrives:
    return Arrives.model_validate({"every": "day", "by": "06:00 Europe/Berlin", **more})


def test_before_the_due_time_yesterdays_data_is_enough_and_after_it_is_late() -> None:
    arrival = at("2025-10-14 01:30")
    assert judge(daily(), arrival, 10, at("2025-10-15 03:59")).verdict == "ok"
    late = judge(daily(), arrival, 10, at("2025-10-15 04:00"))
    assert (late.verdict, late.stops) == ("late", True)
    assert late.due_at == at("2025-10-15 04:00")
    assert "nothing since 2025-10-14 01:30 UTC; due every 1 day by 06:00 Europe/Berlin" in late.reason


@pytest.mark.parametrize(
    ("now", "due", "before"),
    [
        ("2025-10-26 12:00", "2025-10-26 05:00", "2025-10-25 04:00"),  # clocks went back
        ("2025-03-30 12:00", "2025-03-30 04:00", "2025-03-29 05:00"),  # clocks went forward
        ("2025-01-01 04:59", "2024-12-31 05:00", "2024-12-30 05:00"),
    ],
)
def test_the_due_time_stays_at_the_same_hour_of_the_wall_clock(now: str, due: str, before: str) -> None:
    assert due_times(daily(), at(now)) == (at(due), at(before))


def test_an_hour_that_clocks_skip_or_repeat_is_due_once() -> None:
    skipped = Arrives.model_validate({"every": "day", "by": "02:30 Europe/Berlin"})
    assert due_times(skipped, at("2025-03-30 12:00"))[0] == at("2025-03-30 01:30")
    assert due_times(skipped, at("2025-10-26 12:00"))[0] == at("2025-10-26 00:30")


def test_hours_weeks_and_months_are_counted() -> None:
    hourly = Arrives.model_validate({"every": "1h", "by": "00:15 UTC"})
    assert due_times(hourly, at("2025-10-15 10:20")) == (at("2025-10-15 10:15"), at("2025-10-15 09:15"))
    weekly = Arrives.model_validate({"every": "week", "by": "06:00 UTC"})
    assert due_times(weekly, at("2025-10-15 10:20")) == (at("2025-10-15 06:00"), at("2025-10-08 06:00"))
    monthly = Arrives.model_validate({"every": "month", "by": "06:00 UTC"})
    assert due_times(monthly, at("2025-03-31 10:20")) == (at("2025-03-31 06:00"), at("2025-02-28 06:00"))
    assert due_times(monthly, at("2025-01-15 10:20"))[1] == at("2024-12-15 06:00")


@pytest.mark.parametrize(
    ("rows", "first", "verdict", "stops"),
    [(0, False, "empty", True), (9, False, "few", True), (10, False, "ok", False), (100, False, "ok", False),
     (101, False, "many", False), (101, True, "ok", False), (9, True, "few", True)],
)  # fmt: skip
def test_rows_out_of_the_ordinary(rows: int, first: bool, verdict: str, stops: bool) -> None:
    found = judge(daily(rows=[10, 100]), at("2025-10-15 01:00"), rows, at("2025-10-15 08:00"), first_load=first)
    assert (found.verdict, found.stops) == (verdict, stops)


def test_without_a_schedule_only_nothing_at_all_is_wrong() -> None:
    assert judge(None, None, None, at("2025-10-15 08:00")).verdict == "empty"
    assert judge(None, None, None, at("2025-10-15 08:00"), required=False).verdict == "ok"
    assert judge(None, at("2001-01-01 00:00"), 0, at("2025-10-15 08:00")).verdict == "ok"


@pytest.mark.parametrize(
    ("text", "word"),
    [("6 o'clock", "time of day"), ("25:00 UTC", "time of day"), ("06:00 Europe/Berln", "Europe/Berlin")],
)
def test_a_due_time_nobody_can_read_is_a_configuration_error(text: str, word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        parse_by(text)
