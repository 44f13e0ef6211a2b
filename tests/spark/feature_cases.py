"""Random silver versions of a small payments world, and the meaning of every feature in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from finlake.config import Config, FeatureGroup, Source, Target, UseCase

START = datetime(2025, 3, 29, 12, tzinfo=UTC)  # clocks in Berlin go forward on the 30th
BERLIN = ZoneInfo("Europe/Berlin")
MICRO = timedelta(microseconds=1)
META = "event_ts timestamp, known_from timestamp, known_to timestamp"
PAYMENTS = (
    "payment_id string, card string, shop string, paid_at timestamp, amount decimal(18,2), items bigint, km double, "
    f"outcome string, sent_at timestamp, {META}"
)
REPORTS = f"report_id string, payment_id string, verdict string, told_at timestamp, {META}"


@dataclass(frozen=True)
class Version:
    """One row of silver."""

    key: str
    values: dict[str, Any]
    event: datetime
    known_from: datetime
    known_to: datetime | None

    def visible(self, at: datetime) -> bool:
        return self.known_from <= at and (self.known_to is None or at < self.known_to)


def source(name: str, columns: dict[str, dict[str, Any]], **rest: Any) -> Source:
    read = {"from": name, "format": "csv"}
    return Source.model_validate(dict(source=name, about="a", owner="o", read=read, columns=columns, **rest))


def config(features: dict[str, dict[str, dict[str, Any]]], as_of: str, **more: Any) -> Config:
    """Groups `{group: {entity, source, features}}` around one use case called fraud."""
    text, time = {"type": "text"}, {"type": "timestamp"}
    payments = source(
        "payments",
        {
            "payment_id": text, "card": text, "shop": text, "paid_at": time, "amount": {"type": "money", "currency": "EUR"},
            "items": {"type": "integer"}, "km": {"type": "number"}, "outcome": text, "sent_at": time,
        },
        key="payment_id", happened_at="paid_at", known_at="sent_at",
        known_later=[{"columns": ["outcome"], "known_at": {"sent_at plus": "1 day"}}],
    )  # fmt: skip
    reports = source(
        "reports", {"report_id": text, "payment_id": text, "verdict": text, "told_at": time},
        key="report_id", happened_at="told_at", known_at="told_at",
    )  # fmt: skip
    groups = {
        name: FeatureGroup.model_validate({"group": name, "about": "", "source": "payments", **body})
        for name, body in features.items()
    }
    settings: dict[str, Any] = {
        "use_case": "fraud", "purpose": "p", "owner": "o", "approver": "a", "materiality": "low", "zone": "UTC",
        "score": {"each": "payments", "as_of": as_of},
        "label": {
            "name": "fraud", "positive": "verdict = 'confirmed'", "from": {"source": "reports", "match": "payment_id"},
            "matures_after": "2d",
        },
        "features": [*groups, "this.amount"], "split": {"train": "9d", "choose": "2d", "test": "2d"}, "baseline_rule": "this.amount > 5",
        "policy": {"alerts_per_day": 3, "one_alert_per": "card", "value": "this.amount"},
    }  # fmt: skip
    use_case = UseCase.model_validate({**settings, **more})
    sources = {"payments": payments, "reports": reports}
    modules = {"scores.curves": Path(__file__).with_name("curves.py").read_text("utf-8")}
    return Config(Path(), Target(target="local"), sources, {}, groups, {"fraud": use_case}, modules=modules)


def versioned(received: list[Version]) -> list[Version]:
    """Received rows of one key, in their own order -> versions with known_to, as silver keeps them."""
    made = []
    for place, version in enumerate(received):
        later = [other.known_from for other in received[place + 1 :]]
        until = max(min(later), version.known_from) if later else None
        made.append(replace(version, known_to=until))
    return made


def world(seed: int, keys: int = 120) -> tuple[list[Version], list[Version]]:
    """Payments and reports with ties, corrections, late knowledge, revised verdicts and values that are missing."""
    draw = random.Random(seed)
    moments = [START + timedelta(minutes=10 * draw.randrange(500)) for _ in range(keys // 2)]
    payments: list[Version] = []
    for number in range(keys):
        event = draw.choice(moments) + draw.choice(
            [timedelta(0)] * 6 + [MICRO, -MICRO, timedelta(hours=1), timedelta(days=1)]
        )
        received: list[Version] = []
        known = event + draw.choice(
            [timedelta(0), timedelta(minutes=1), timedelta(minutes=1), timedelta(hours=30), -timedelta(hours=2)]
        )
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            values = {
                "payment_id": f"p{number}", "card": draw.choice(["c1", "c2", "c3", None]), "shop": draw.choice(["s1", "s2"]),
                "amount": draw.choice([None, Decimal("-3.50"), Decimal("0.01"), Decimal("12.34"), Decimal("99999.99")]),
                "items": draw.choice([None, 0, 1, 7]), "km": draw.choice([None, float("nan"), 0.5, 3.25]),
                "paid_at": event, "sent_at": known, "outcome": None,
            }  # fmt: skip
            if received and draw.random() < 0.7:
                values = {**received[0].values, "amount": values["amount"], "paid_at": event, "outcome": None}
            base = Version(f"p{number}", values, event, known, None)
            outcome = draw.choice(["good", "bad", None])
            received.append(base)
            if outcome:
                received.append(
                    replace(base, values={**values, "outcome": outcome}, known_from=known + timedelta(days=1))
                )
            known += draw.choice([timedelta(0), timedelta(hours=1), timedelta(days=2), -timedelta(minutes=30)])
            event += draw.choice([timedelta(0), timedelta(0), timedelta(0), -timedelta(hours=3)])
        payments += versioned(received)
    reports: list[Version] = []
    for number in range(keys // 3):
        told = START + timedelta(minutes=10 * draw.randrange(600))
        paid = f"p{draw.randrange(keys)}"
        received = []
        for _ in range(draw.choice([1, 1, 2, 3])):
            values = {
                "report_id": f"r{number}",
                "payment_id": paid,
                "verdict": draw.choice(["confirmed", "dismissed"]),
                "told_at": told,
            }
            received.append(Version(f"r{number}", values, told, told, None))
            told += draw.choice([timedelta(0), timedelta(hours=5), timedelta(days=1)])
        reports += versioned(received)
    return payments, reports


def rows(versions: list[Version], schema: str) -> list[tuple[Any, ...]]:
    names = [part.split()[0] for part in schema.split(", ")]
    meta = {"event_ts": "event", "known_from": "known_from", "known_to": "known_to"}
    return [tuple(getattr(v, meta[n]) if n in meta else v.values[n] for n in names) for v in versions]


@dataclass(frozen=True)
class Meaning:
    """A window feature in plain Python: `measure` of the rows in the window, in their order.

    With `aged` it is given (seconds before the decision's row, value) of each.
    """

    measure: Callable[[list[Any]], float | None]
    entity: str = "card"
    window: timedelta | None = None
    delay: timedelta = timedelta(0)
    row: Callable[[Version, datetime], Any] = lambda version, at: 1
    where: Callable[[Version, datetime], bool | None] = lambda version, at: True
    clock: str = "event"
    own: bool = False
    labelled: bool = False
    aged: bool = False


class Reference:
    """What each decision is, and what each feature means, by looking at every version for every decision."""

    def __init__(self, payments: list[Version], reports: list[Version], as_of: str) -> None:
        self.payments, self.reports = payments, reports
        self.decisions: dict[str, tuple[Version, datetime]] = {}
        for version in payments:
            if version.known_to is not None and version.known_to <= version.known_from:
                continue
            before = self.decisions.get(version.key)
            if before is None or version.known_from < before[0].known_from:
                self.decisions[version.key] = (version, version.event if as_of == "happened_at" else version.known_from)

    def positive(self, key: str, at: datetime) -> bool:
        return any(
            r.values["payment_id"] == key and r.values["verdict"] == "confirmed" and r.visible(at) for r in self.reports
        )

    def value(self, key: str, meaning: Meaning) -> float | None:
        this, moment = self.decisions[key]
        entity = this.values[meaning.entity]
        if entity is None:
            return None
        end = this.event - meaning.delay
        held = []
        for version in self.payments:
            if version.key == key or version.values[meaning.entity] != entity or not version.visible(moment):
                continue
            at = version.event if meaning.clock == "event" else self._known(version, moment, meaning.labelled)
            if at < end and (meaning.window is None or at >= end - meaning.window) and meaning.where(version, moment):
                held.append((at, version.known_from, version.key, meaning.row(version, moment)))
        if meaning.own and meaning.where(this, moment):
            held.append((this.event, this.known_from, this.key, meaning.row(this, moment)))
        rows = [((this.event - at).total_seconds(), value) for at, *_, value in sorted(held, key=lambda row: row[:3])]
        known = [(age, value) for age, value in rows if value is not None]
        return meaning.measure(known if meaning.aged else [value for _, value in known])

    def _known(self, version: Version, moment: datetime, labelled: bool) -> datetime:
        """When the row got what it says now: its version, or the label it has at `moment`."""
        if not labelled:
            return version.known_from
        edges = {
            e for r in self.reports if r.values["payment_id"] == version.key for e in (r.known_from, r.known_to) if e
        }
        state, since = self.positive(version.key, version.known_from), version.known_from
        for edge in sorted(e for e in edges if version.known_from < e <= moment):
            if self.positive(version.key, edge) != state:
                state, since = not state, edge
        return since
