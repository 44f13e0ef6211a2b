"""The alert queue from standing decisions and analysts' verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.policy import Policy, Verdicts
from finlake.config.use_case import UseCase
from finlake.models.alert_states import SCORE, Alert, Candidate, Rules, Verdict, alert_id, alerts_of, opening
from finlake.models.budget import Opening
from finlake.models.frames import block_day, business_day

ALERTS = (
    "alert_id string, use_case string, queue_day date, entity string, decision_key string, event_ts timestamp, "
    "decision_ts timestamp, probability double, raw_score double, value decimal(18,2), expected_loss double, reasons "
    "array<struct<rank:int,feature:string,value:double,contribution:double,text:string>>, model_name string, "
    "model_version string, origin string, state string, state_since timestamp, verdict_by string, expires_on date, "
    "queued_at timestamp, run_id string"
)
EVENTS = "alert_id string, use_case string, state string, at timestamp, by string, note string"
ACTED = ("alert", "refer")  # decisions that ask for somebody's look
_BUCKETS = 64  # groups of entities that are worked on together
_OUT = {
    "alert_id": "string", "entity": "string", "queue_day": "int", "decision_key": "string", "origin": "string",
    "state": "string", "state_since": "bigint", "verdict_by": "string", "expires_on": "int", "queued_at": "bigint",
    "unknown": "bigint", "events": "array<struct<state:string,at:bigint,by:string,note:string>>",
}  # fmt: skip
_SCHEMA = ", ".join(f"{name} {kind}" for name, kind in _OUT.items())


def standing(scores: DataFrame, use_case: UseCase) -> DataFrame:
    """Decisions that stand, with their `queue_day`."""
    return scores.where("kind = 'first'").withColumn("queue_day", block_day(use_case))


def highest(rows: DataFrame) -> DataFrame:
    """queue_day, entity, decision_key, probability, raw_score, scored_at of each entity's highest decision of a day.

    `asked_at`: when the first decision of that entity and day was scored.
    """
    best = F.max(F.struct("probability", "raw_score", "decision_key", "scored_at")).alias("best")
    first = F.min("scored_at").alias("asked_at")
    return rows.groupBy("queue_day", "entity").agg(best, first).select("queue_day", "entity", "best.*", "asked_at")


def candidates(stands: DataFrame) -> DataFrame:
    """What asks for an alert: the highest alerted or referred decision of each entity and queue day."""
    return highest(stands.where(F.col("decision").isin(*ACTED))).withColumn("origin", F.lit(SCORE))


def verdict_rows(
    versions: DataFrame, given: Verdicts, use_case: UseCase, stands: DataFrame, now: datetime
) -> DataFrame:
    """Every version of every verdict that was known by `now`: entity, day, grace, state (null: a word nobody mapped), at,
    known_from, known_to, by, note; times in microseconds, days since 1970.

    A verdict by row key is about the queue day of that row's decision, one by entity about the last queue that had opened
    when it was given. A verdict by a key without a decision has no entity.
    """
    opens = Opening.of(use_case.policy, use_case.zone)
    known = versions.where(
        (F.col("known_from") <= F.lit(now)) & F.coalesce(F.col("known_to") > F.col("known_from"), F.lit(True))
    )
    found = F.col(f"`{given.at}`") if given.at else F.col("event_ts")
    states = F.lit(None).cast("string")
    for word, state in given.states.items():
        states = F.when(F.col(f"`{given.state}`") == word, F.lit(state)).otherwise(states)
    rows = known.select(
        F.col(f"`{given.entity or given.match}`").cast("string").alias("entity"),
        states.alias("state"),
        F.least(found, "known_from").alias("_at"),
        F.unix_micros(F.least(found, "known_from")).alias("at"),
        F.unix_micros("known_from").alias("known_from"),
        F.unix_micros("known_to").alias("known_to"),
        _text(given.by).alias("by"),
        _text(given.note).alias("note"),
    )
    if given.entity:
        budget = use_case.policy.alerts_per_day
        opened = F.date_sub(opens.day("_at"), 1) if budget else business_day("_at", use_case.zone)
        return rows.select(
            "entity", F.unix_date(opened).alias("day"), F.lit(use_case.policy.expires_days).alias("grace"), *_TOLD
        )
    decided = stands.select(F.col("decision_key").alias("_key"), F.col("entity").alias("_entity"), "queue_day")
    joined = rows.join(decided, F.col("entity") == F.col("_key"), "left")
    return joined.select(
        F.col("_entity").alias("entity"), F.unix_date("queue_day").alias("day"), F.lit(0).alias("grace"), *_TOLD
    )


_TOLD = ("state", "at", "known_from", "known_to", "by", "note")


def _text(name: str | None) -> Column:
    return F.coalesce(F.col(f"`{name}`").cast("string"), F.lit("")) if name else F.lit("")


def queued(use_case: UseCase, known: DataFrame, asked: DataFrame, verdicts: DataFrame, now: datetime) -> DataFrame:
    """Alerts with their states and history, as `alert_states.alerts_of` gives them, a row for each alert.

    Rows of entities whose verdicts are about no alert have a null `alert_id` and say how many those are.

    Args:
        use_case: whose queue it is.
        known: rows of ops.alerts.
        asked: candidates (queue_day, entity, decision_key, probability, raw_score, scored_at, asked_at, origin).
        verdicts: of `verdict_rows`, with entity, day and state.
        now: the moment the run stands at.
    """
    named = (F.col(name) for name in ("entity", "decision_key", "probability", "raw_score"))
    of_decision = [F.unix_date("queue_day").alias("queue_day"), *named]
    fresh = asked.select(
        *of_decision, F.unix_micros("scored_at").alias("scored_at"), F.unix_micros("asked_at").alias("asked_at"),
        F.col("origin"), F.lit(None).cast("int").alias("expires_on"),
        F.lit(None).cast("bigint").alias("queued_at"),
    )  # fmt: skip
    queued_at = F.unix_micros("queued_at")
    held = known.select(
        *of_decision, queued_at.alias("scored_at"), queued_at.alias("asked_at"), F.col("origin"),
        F.unix_date("expires_on").alias("expires_on"), queued_at.alias("queued_at"),
    )  # fmt: skip
    bucket = F.pmod(F.xxhash64("entity"), F.lit(_BUCKETS)).alias("bucket")
    left = held.unionByName(fresh).select(bucket, "*").groupBy("bucket")
    right = verdicts.select(bucket, "entity", "day", "grace", *_TOLD).groupBy("bucket")
    work = _Work(use_case.use_case, use_case.policy, use_case.zone, _micros(now), bool(use_case.policy.alerts_per_day))

    def run(rows: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
        return work.of_bucket(rows, told)

    return left.cogroup(right).applyInPandas(run, _SCHEMA)


class _Work:
    """What a worker does with one bucket of entities."""

    def __init__(self, name: str, policy: Policy, zone: str, now: int, budget: bool) -> None:
        opens = Opening.of(policy, zone)
        self.name, self.now, self.days = name, now, policy.expires_days
        self.clock, self.zone = (opens.clock, opens.zone) if budget else ("00:00:00", zone)

    def of_bucket(self, rows: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
        rules = Rules(self.now, self.days, opening(self.clock, self.zone))
        by_entity: dict[str, tuple[list[Alert], list[Candidate], list[Verdict]]] = {}
        for row in rows.to_dict("records"):
            alerts, asked, _ = by_entity.setdefault(row["entity"], ([], [], []))
            candidate = Candidate(
                int(row["queue_day"]), row["decision_key"], float(row["probability"]), float(row["raw_score"]),
                int(row["scored_at"]), int(row["asked_at"]), row["origin"],
            )  # fmt: skip
            if pd.isna(row["queued_at"]):
                asked.append(candidate)
            else:
                day, when = int(row["expires_on"]), int(row["queued_at"])
                alerts.append(Alert(candidate.queue_day, candidate, day, when, candidate.origin))
        for row in told.to_dict("records"):
            by_entity.setdefault(row["entity"], ([], [], []))[2].append(_verdict(row))
        made = [out for entity, parts in by_entity.items() for out in self._rows(entity, *parts, rules)]
        return pd.DataFrame(made, columns=list(_OUT))

    def _rows(
        self, entity: str, known: list[Alert], asked: list[Candidate], verdicts: list[Verdict], rules: Rules
    ) -> Iterable[tuple[Any, ...]]:
        alerts, unknown = alerts_of(known, asked, verdicts, rules)
        for a in alerts:
            events = {(event.state, event.at): vars(event) for event in a.events}
            yield (
                alert_id(self.name, a.queue_day, entity), entity, a.queue_day, a.decision.decision_key, a.origin, a.state,
                a.state_since, a.verdict_by, a.expires_on, a.queued_at, 0, list(events.values()),
            )  # fmt: skip
        if unknown:
            yield None, entity, 0, "", "", "", 0, "", 0, 0, unknown, []


def _verdict(row: Mapping[Any, Any]) -> Verdict:
    until = None if pd.isna(row["known_to"]) else int(row["known_to"])
    return Verdict(
        int(row["day"]),
        int(row["grace"]),
        row["state"],
        int(row["at"]),
        int(row["known_from"]),
        until,
        row["by"],
        row["note"],
    )


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def alert_rows(made: DataFrame, stands: DataFrame, use_case: UseCase, run_id: str) -> DataFrame:
    """Rows of ops.alerts: what each alert stands for comes from its decision's score."""
    name = use_case.use_case
    decided = stands.select(
        "decision_key", "event_ts", "decision_ts", "probability", "raw_score", "value", "expected_loss", "reasons",
        "model_name", "model_version",
    )  # fmt: skip
    joined = made.where(F.col("alert_id").isNotNull()).join(decided, "decision_key")
    return joined.select(
        "alert_id", F.lit(name).alias("use_case"), _day("queue_day"), "entity", "decision_key", "event_ts", "decision_ts",
        "probability", "raw_score", "value", "expected_loss", "reasons", "model_name", "model_version", "origin", "state",
        F.timestamp_micros("state_since").alias("state_since"), "verdict_by", _day("expires_on"),
        F.timestamp_micros("queued_at").alias("queued_at"), F.lit(run_id).alias("run_id"),
    )  # fmt: skip


def event_rows(made: DataFrame, use_case: UseCase) -> DataFrame:
    """Rows of ops.alert_events."""
    each = made.where(F.col("alert_id").isNotNull()).select("alert_id", F.explode("events").alias("e"))
    return each.select(
        "alert_id", F.lit(use_case.use_case).alias("use_case"), "e.state", F.timestamp_micros("e.at").alias("at"),
        "e.by", "e.note",
    )  # fmt: skip


def _day(name: str) -> Column:
    return F.date_from_unix_date(name).alias(name)
