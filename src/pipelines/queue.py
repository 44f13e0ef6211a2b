"""Step: the queue of alerts, with what analysts said about each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.lakehouse import scratch
from finlake.models import alerts as queueing
from finlake.models.sampling import drawn, outside_of, sampled_days
from finlake.pipelines.step import Step, Values

ALERTS, EVENTS = "ops.alerts", "ops.alert_events"
_ABOUT = "The queue: one alert a day for each entity, what it stands for, and what became of it."
_EVENTS_ABOUT = "Every state an alert was ever in, as it became known."
_COMMENTS = {
    "queue_day": "the day it was queued for; its age counts from here",
    "decision_key": "the highest decision it stands for; later ones of the same entity are carried by the open alert",
    "origin": "score: by the policy; sample: drawn by chance among what was not alerted",
    "state": "new, in_work, confirmed, dismissed or expired",
    "expires_on": "from this day on it no longer waits, and the entity may get a new alert",
}
_CHANGING = (
    "decision_key", "event_ts", "decision_ts", "probability", "raw_score", "value", "expected_loss", "reasons",
    "model_name", "model_version", "origin", "state", "state_since", "verdict_by",
)  # fmt: skip


def queue(step: Step, use_case: str = "all") -> Values:
    """Opens alerts from standing decisions, carries open ones over, and takes in analysts' verdicts.

    Nothing known after the step's moment is used, and a queue that was brought to a later moment stays as it is. Rows
    are merged by key: a repeated run changes nothing, and one that was killed is made good by the next.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"alerts": {name: _bring_to_now(step, step.config.use_case(name)) for name in names}}


def _bring_to_now(step: Step, chosen: UseCase) -> int:
    lake, name = step.lake, chosen.use_case
    if not lake.exists(f"scores.{name}"):
        step.say(f"{name}: nothing is scored yet, so nobody is queued")
        return 0
    if later := _brought_to(step, name):
        step.say(f"{name}: the queue stands at {later:%d %b %Y %H:%M} already, so nothing is changed")
        return alerts_of_use_case(step, chosen).count()
    scores = lake.read(f"scores.{name}").where(F.col("scored_at") <= F.lit(step.now))
    stands = queueing.standing(scores, chosen)
    told = _verdicts(step, chosen, stands)
    usable = told.where("entity IS NOT NULL AND day IS NOT NULL AND state IS NOT NULL")
    unknown = _take_up(step, chosen, stands, queueing.candidates(stands), usable)
    if chosen.policy.sample_per_day:
        last = step.now.date() - timedelta(days=chosen.policy.expires_days)
        recent = stands.where(F.col("queue_day") > F.lit(last))
        _take_up(step, chosen, stands, drawn(recent, alerts_of_use_case(step, chosen), chosen), usable)
    return _summary(step, chosen, stands, told, unknown)


def _brought_to(step: Step, use_case: str) -> datetime | None:
    """The moment of an earlier run, if it is later than this step's: states follow knowledge, which only grows."""
    if not step.lake.exists("ops.figures"):
        return None
    mine = (F.col("use_case") == use_case) & (F.col("figure") == "queue.alerts")
    found = step.lake.read("ops.figures").where(mine & (F.col("as_of") > F.lit(step.now)))
    last = found.agg(F.max("as_of").alias("last")).first()
    return last["last"] if last else None


def alerts_of_use_case(step: Step, chosen: UseCase) -> DataFrame:
    lake = step.lake
    lake.create(ALERTS, lake.spark.createDataFrame([], queueing.ALERTS), about=_ABOUT, comments=_COMMENTS)
    return lake.read(ALERTS).where(F.col("use_case") == chosen.use_case)


def _verdicts(step: Step, chosen: UseCase, stands: DataFrame) -> DataFrame:
    lake, given = step.lake, chosen.policy.verdicts
    empty = "entity string, day int, grace int, state string, at bigint, known_from bigint, known_to bigint, by string, note string"
    if given is None:
        return lake.spark.createDataFrame([], empty)
    table = f"silver.{given.source}"
    if not lake.exists(table):
        source = step.config.sources.get(given.source)
        (step.say if source and not source.read.required else step.warn)(
            f"{chosen.use_case}: no verdicts, because there is no {table} yet"
        )
        return lake.spark.createDataFrame([], empty)
    return queueing.verdict_rows(lake.read(table), given, chosen, stands, step.now)


def _take_up(step: Step, chosen: UseCase, stands: DataFrame, asked: DataFrame, told: DataFrame) -> int:
    """Brings both tables to the step's moment; how many verdicts are about no alert."""
    lake, known = step.lake, alerts_of_use_case(step, chosen)
    with scratch(lake, f"queue_{chosen.use_case}") as keep:
        made = keep("alerts", queueing.queued(chosen, known, asked, told, step.now))
        rows = queueing.alert_rows(made, stands, chosen, step.run_id)
        lake.merge(ALERTS, rows, on=["alert_id"], update=_CHANGING)
        events = queueing.event_rows(made, chosen)
        lake.merge(EVENTS, events, on=["alert_id", "state", "at"], about=_EVENTS_ABOUT)
        found = made.agg(F.sum("unknown").alias("unknown")).first()
    return int(found["unknown"] or 0) if found else 0


def _summary(step: Step, chosen: UseCase, stands: DataFrame, told: DataFrame, unknown: int) -> int:
    name, alerts = chosen.use_case, alerts_of_use_case(step, chosen)
    counted = {
        (row["origin"], row["state"]): row["count"] for row in alerts.groupBy("origin", "state").count().collect()
    }
    about: dict[str, Any] = {"use_case": name, "tables": [ALERTS]}
    step.figure("queue.alerts", sum(counted.values()), unit="alerts", **about)
    for (origin, state), count in sorted(counted.items()):
        step.figure(f"queue.{origin}.{state}", count, unit="alerts", **about)
    states: dict[str, int] = {}
    for (_, state), count in sorted(counted.items()):
        states[state] = states.get(state, 0) + count
    waiting = alerts.where(F.col("state").isin("new", "in_work"))
    age = waiting.agg(F.max(F.datediff(F.lit(step.now).cast("date"), "queue_day")).alias("age")).first()
    if age and age["age"] is not None:
        step.figure("queue.oldest", age["age"], unit="days", **about)
    said = ", ".join(f"{count:,} {state}" for state, count in states.items()) or "nobody is queued"
    if not states and stands.isEmpty():
        said += ", because no champion has scored yet; `finlake promote` says what keeps a model from being one"
    step.say(f"{ALERTS} of {name}: {said}")
    _unmatched(step, chosen, told, unknown)
    if chosen.policy.sample_per_day:
        _outside(step, chosen, stands, alerts)
    return sum(counted.values())


def _unmatched(step: Step, chosen: UseCase, told: DataFrame, unknown: int) -> None:
    """Verdicts that changed no alert stay in silver, are counted, and are taken up once their alert is there."""
    given = chosen.policy.verdicts
    if given is None:
        return
    visible = told.where(
        F.col("known_to").isNull() | (F.col("known_to") > F.lit(round(step.now.timestamp() * 1_000_000)))
    )
    lost = visible.agg(
        F.count_if(F.col("state").isNull()).alias("words"),
        F.count_if(F.col("state").isNotNull() & (F.col("entity").isNull() | F.col("day").isNull())).alias("keys"),
    ).first()
    words, keys = (int(lost["words"]), int(lost["keys"])) if lost else (0, 0)
    name, source = chosen.use_case, given.source
    about: dict[str, Any] = {"use_case": name, "unit": "verdicts", "tables": [f"silver.{source}"]}
    step.figure("queue.verdicts_without_alert", unknown + keys, **about)
    step.figure("queue.verdicts_not_understood", words, **about)
    if unknown + keys:
        step.warn(f"{name}: {unknown + keys:,} verdicts of {source} are about no alert; they stay in silver.{source}")
    if words:
        known = ", ".join(given.states)
        step.warn(f"{name}: {words:,} verdicts of {source} say in {given.state!r} something else than {known}")


def _outside(step: Step, chosen: UseCase, stands: DataFrame, alerts: DataFrame) -> None:
    rows = sampled_days(stands, alerts).select("outside", "answered", "positive").collect()
    found = outside_of([(row["outside"], row["answered"], row["positive"]) for row in rows])
    if found is None:
        step.say(
            f"{chosen.use_case}: no verdict on a sampled entity yet, so nothing is known about what the queue misses"
        )
        return
    about: dict[str, Any] = {"use_case": chosen.use_case, "tables": [ALERTS]}
    step.figure("queue.outside.answered", found.answered, unit="verdicts", **about)
    step.figure("queue.outside.share", found.share, low=found.low, high=found.high, **about)
    a_day = [found.a_day * share for share in (found.share, found.low, found.high)]
    step.figure("queue.outside.positives_a_day", a_day[0], low=a_day[1], high=a_day[2], unit="entities", **about)
    step.say(
        f"{chosen.use_case}: outside the queue {100 * found.share:.2g}% are positive ({100 * found.low:.2g} to "
        f"{100 * found.high:.2g}%), about {a_day[0]:.3g} entities a day, by {found.answered:,} verdicts on a random sample"
    )
