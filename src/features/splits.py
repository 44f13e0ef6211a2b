"""Train, choose and test in time, in whole days of the business zone."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from finlake.config import Duration, UseCase
from finlake.config.use_case import Period
from finlake.errors import ConfigError, TrainingError


@dataclass(frozen=True)
class Span:
    """Moments [since, until) in UTC; since None: from the beginning."""

    since: datetime | None
    until: datetime

    def days(self, zone: str) -> tuple[date | None, date]:
        """First and last day, both included."""
        local = ZoneInfo(zone)
        last = (self.until - timedelta(microseconds=1)).astimezone(local).date()
        return (self.since.astimezone(local).date() if self.since else None), last


@dataclass(frozen=True)
class Bounds:
    """The three parts; what lies between them are the gaps."""

    train: Span
    choose: Span
    test: Span


def split_bounds(
    use_case: UseCase, as_of: datetime, first_event: datetime | None = None, last_event: datetime | None = None
) -> Bounds:
    """Where the parts lie.

    Lengths are laid back from the last day whose labels have all matured at `as_of`, and on which there still were
    events; before choose and before test lies a gap. Periods are taken as they are.

    Args:
        use_case: zone, split and label maturity.
        as_of: aware moment the training set stands at.
        first_event: the earliest event, to say clearly when there is too little history.
        last_event: the latest event.

    Raises:
        ConfigError: a length that is not whole days or months.
        TrainingError: train would end before the first event.
    """
    zone, split = ZoneInfo(use_case.zone), use_case.split
    if isinstance(split.test, Period):
        spans = [_period(part, zone) for part in (split.train, split.choose, split.test) if isinstance(part, Period)]
        return Bounds(*spans)
    gap = whole_days(split.gap_before_each, "gap_before_each")
    until = matured_until(use_case, as_of)
    if last_event is not None:
        until = min(until, last_event.astimezone(zone).date() + timedelta(days=1))
    test_from = back(until, split.test, "test")
    choose_until = back(test_from, gap, "gap_before_each")
    choose_from = back(choose_until, split.choose, "choose")
    train_until = back(choose_from, gap, "gap_before_each")
    train_from = back(train_until, split.train, "train")
    if first_event is not None and train_until <= first_event.astimezone(zone).date():
        raise TrainingError(
            f"{use_case.use_case}: train would be {train_from} to {train_until}, before the first event "
            f"({first_event.astimezone(zone).date()}); labels are mature up to {until}. Shorten the split, or wait"
        )
    parts = [(train_from, train_until), (choose_from, choose_until), (test_from, until)]
    return Bounds(*(Span(_midnight(a, zone), _midnight(b, zone)) for a, b in parts))


def short_gaps(bounds: Bounds, use_case: UseCase) -> list[str]:
    """Parts that begin before the labels of the part before them had matured: what a person could not have known then."""
    zone, matures, found = ZoneInfo(use_case.zone), use_case.label.matures_after, []
    for early, late in (("train", "choose"), ("choose", "test")):
        since, until = getattr(bounds, late).since, getattr(bounds, early).until
        if since and _back(since.astimezone(zone).date(), matures) < until.astimezone(zone).date():
            days = (since - until).days
            found.append(
                f"{late} begins {days} days after {early} ends, and labels mature after {matures.text}: on its first day "
                f"some labels of {early} were not known yet; lengthen the gap, or read the figures as too good"
            )
    return found


def matured_until(use_case: UseCase, as_of: datetime) -> date:
    """The day after the last one whose events all have mature labels at `as_of`."""
    zone, matures = ZoneInfo(use_case.zone), use_case.label.matures_after
    if matures.months:
        return _months_back(as_of.astimezone(zone).date(), matures.months)
    return (as_of - timedelta(microseconds=matures.micros)).astimezone(zone).date()


def whole_days(length: Duration | Period, name: str) -> Duration:
    """The length itself, refused unless it is whole days or months.

    Raises:
        ConfigError: it has hours or minutes.
    """
    if not isinstance(length, Duration) or (length.micros % 86_400_000_000):
        raise ConfigError(f"split.{name}: {getattr(length, 'text', length)} is not whole days or months")
    return length


def back(day: date, length: Duration | Period, name: str) -> date:
    return _back(day, whole_days(length, name))


def _back(day: date, length: Duration) -> date:
    return _months_back(day, length.months) if length.months else day - timedelta(microseconds=length.micros)


def _months_back(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _period(part: Period, zone: ZoneInfo) -> Span:
    return Span(_midnight(part.from_, zone) if part.from_ else None, _midnight(part.until + timedelta(days=1), zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
