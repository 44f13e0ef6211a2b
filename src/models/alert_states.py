"""The alerts of one entity: which decisions open one, which are carried by an open one, and what became of each.

Days count as whole days since 1970, moments as microseconds since then (UTC), so that no session's time zone matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW, IN_WORK, CONFIRMED, DISMISSED, EXPIRED = "new", "in_work", "confirmed", "dismissed", "expired"
SCORE, SAMPLE = "score", "sample"
SETTLED = (CONFIRMED, DISMISSED)
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Candidate:
    """The highest standing decision of an entity and queue day that asks for somebody's look.

    `asked_at`: when the first decision of that entity and day was scored that does.
    """

    queue_day: int
    decision_key: str
    probability: float
    raw_score: float
    scored_at: int
    asked_at: int
    origin: str = SCORE


@dataclass(frozen=True)
class Verdict:
    """One version of what an analyst found; `day` is the queue day it can be about, `grace` days later it is too late."""

    day: int
    grace: int
    state: str
    at: int
    known_from: int
    known_to: int | None = None
    by: str = ""
    note: str = ""


@dataclass(frozen=True)
class Event:
    state: str
    at: int
    by: str = ""
    note: str = ""


@dataclass
class Alert:
    """`decision` is the highest so far; the alert keeps the queue day it was opened for.

    `asked_at`: when that day was first asked for; decisions scored before are not carried by it.
    """

    queue_day: int
    decision: Candidate
    expires_on: int
    queued_at: int
    origin: str = SCORE
    asked_at: int = 0
    state: str = NEW
    state_since: int = 0
    verdict_by: str = ""
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """`opens`: queue day -> the moment its queue opens; `now`: the moment the run stands at."""

    now: int
    expires_days: int
    opens: Callable[[int], int]


def alert_id(use_case: str, queue_day: int, entity: str) -> str:
    text = f"{use_case}|{day_text(queue_day)}|{entity}"
    return hashlib.sha256(text.encode()).hexdigest()


def day_text(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def opening(clock: str, zone: str) -> Callable[[int], int]:
    """The moment at which the queue of a day opens, by the clock on the wall of the zone."""
    hour, minute, _ = (int(part) for part in clock.split(":"))
    where = ZoneInfo(zone)

    def moment(day: int) -> int:
        local = datetime.combine(_EPOCH + timedelta(days=day), datetime.min.time(), where)
        return int(local.replace(hour=hour, minute=minute).astimezone(UTC).timestamp()) * 1_000_000

    return moment


def alerts_of(
    known: Sequence[Alert], candidates: Sequence[Candidate], verdicts: Sequence[Verdict], rules: Rules
) -> tuple[list[Alert], int]:
    """An entity's alerts with their states, and how many verdicts are about none of them.

    Decisions are taken up in the order they were scored in. One that falls on a day on which an alert of the entity is
    open gets no second one: the open one takes over the higher score. Open is what is neither settled, by what was
    known when the decision was scored, nor expired; an alert of a later day carries only what was scored after it.
    Alerts opened by earlier runs stand. A sampled entity with an open alert is not queued again; a sampled alert that a
    score reaches too counts as opened by the score.

    Of verdicts about one alert the one known last counts. A settled alert is not expired, also where the verdict came
    after the day on which it had expired.
    """
    first = {c.queue_day: c.asked_at for c in candidates}
    alerts = [
        replace(alert, events=[], asked_at=min(alert.queued_at, first.get(alert.queue_day, alert.queued_at)))
        for alert in known
    ]
    for candidate in sorted(candidates, key=lambda c: (c.scored_at, c.queue_day, c.decision_key)):
        moment = min(candidate.scored_at, rules.opens(candidate.queue_day))
        carrier = _carrier(alerts, candidate, verdicts, moment)
        if carrier is None:
            expires = candidate.queue_day + rules.expires_days
            alerts.append(
                Alert(candidate.queue_day, candidate, expires, rules.now, candidate.origin, candidate.asked_at)
            )
        elif candidate.origin == SCORE:
            carrier.origin = SCORE
            carrier.decision = max(carrier.decision, candidate, key=_height)
    about = [_about(alerts, verdict) for verdict in verdicts]
    for alert in alerts:
        _settle(alert, [v for v, other in zip(verdicts, about, strict=True) if other is alert], rules)
    unknown = sum(other is None and _visible(v, rules.now) for v, other in zip(verdicts, about, strict=True))
    return alerts, unknown


def _carrier(alerts: list[Alert], candidate: Candidate, verdicts: Sequence[Verdict], moment: int) -> Alert | None:
    """The alert that already covers the candidate's day: that day's own, else the newest."""
    own = next((alert for alert in alerts if alert.queue_day == candidate.queue_day), None)
    if own is not None:
        return own
    for alert in sorted(alerts, key=lambda a: -a.queue_day):
        opened_after = alert.queue_day > candidate.queue_day and alert.asked_at >= candidate.asked_at
        if candidate.queue_day >= alert.expires_on or (opened_after and candidate.origin == SCORE):
            continue
        seen = [v for v in verdicts if _visible(v, moment) and _about(alerts, v) is alert]
        if not seen or max(seen, key=_newest).state not in SETTLED:
            return alert
    return None


def _about(alerts: Sequence[Alert], verdict: Verdict) -> Alert | None:
    """The last alert opened up to the verdict's day, if that is not too long ago."""
    before = [alert for alert in alerts if alert.queue_day <= verdict.day]
    last = max(before, key=lambda a: a.queue_day, default=None)
    return last if last is not None and verdict.day < last.expires_on + verdict.grace else None


def _settle(alert: Alert, verdicts: Sequence[Verdict], rules: Rules) -> None:
    """State and history from the verdicts known now, and from the day the alert expires."""
    alert.events = [Event(NEW, alert.queued_at)]
    told = sorted((v for v in verdicts if v.known_from <= rules.now), key=_newest)
    alert.events += [Event(v.state, v.at, v.by, v.note) for v in told]
    alert.state, alert.state_since, alert.verdict_by = NEW, alert.queued_at, ""
    visible = [v for v in told if _visible(v, rules.now)]
    if visible:
        last = visible[-1]
        alert.state, alert.state_since, alert.verdict_by = last.state, last.at, last.by
    over = rules.opens(alert.expires_on)
    if over <= rules.now and alert.state not in SETTLED:
        alert.state, alert.state_since = EXPIRED, over
    before = [v for v in told if _visible(v, over)]
    if over <= rules.now and not (before and before[-1].state in SETTLED):
        alert.events.append(Event(EXPIRED, over))


def _visible(verdict: Verdict, moment: int) -> bool:
    return verdict.known_from <= moment and (verdict.known_to is None or verdict.known_to > moment)


def _newest(verdict: Verdict) -> tuple[int, int, str]:
    return verdict.known_from, verdict.at, verdict.state


def _height(candidate: Candidate) -> tuple[float, float, str]:
    return candidate.probability, candidate.raw_score, candidate.decision_key
