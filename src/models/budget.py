"""What a daily alert budget finds: one alert for each entity and queue day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from finlake.config.policy import Policy
from finlake.errors import ConfigError
from finlake.models.score_counts import RULE, block


@dataclass(frozen=True)
class Opening:
    """When analysts start on a day's queue: what was decided since the opening of the day before."""

    clock: str
    zone: str

    @classmethod
    def of(cls, policy: Policy, zone: str) -> Opening:
        """`07:00 Europe/Berlin`; without it, midnight of the business zone.

        Raises:
            ConfigError: not a time of day, optionally followed by a zone.
        """
        words = (policy.queue_opens or "00:00").split()
        hour, colon, minute = words[0].partition(":")
        if not (
            colon and hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60 and len(words) < 3
        ):
            raise ConfigError(
                f"policy.queue_opens {policy.queue_opens!r}: write a time and a zone, like 07:00 Europe/Berlin"
            )
        return cls(f"{int(hour):02d}:{int(minute):02d}:00", words[1] if len(words) == 2 else zone)

    def day(self, moment: str) -> Column:
        """The queue day of a UTC moment: the business day of the first opening after it."""
        hours, minutes, _ = (int(part) for part in self.clock.split(":"))
        since = F.from_utc_timestamp(F.col(moment), self.zone) - F.expr(f"INTERVAL '{hours * 60 + minutes}' MINUTE")
        return F.date_add(F.to_date(since), 1)

    def moment(self, day: Column) -> Column:
        """The UTC moment at which the queue of `day` opens."""
        local = F.concat(day.cast("string"), F.lit(f" {self.clock}"))
        return F.to_utc_timestamp(local.cast("timestamp"), self.zone)


def at_budget(frame: DataFrame, models: Sequence[str], policy: Policy, opening: Opening) -> pd.DataFrame:
    """By model, queue day, block of entities and block of (entity, day): what the alerts of a budget find.

    - `alerts`, `correct`: an alert is for an entity and a day, and correct when the entity has a positive that day.
    - `found`: value of the alerted entities' positives of the alert's day.
    - `stoppable`: value of an entity's positives that happen after the queue with its first correct alert opened: from
      then on the analyst has blocked it.
    - `positives`: entities with a positive that day, alerted or not.
    - `fresh_alerts`, `fresh_correct`: the same queue when an entity that was found on an earlier day leaves it.

    A rule calls nobody it does not flag, with a `margin` of 0.

    `frame`: day, event_ts, entity, label (0/1), value, `margin_<model>`.
    """
    calls = int(policy.alerts_per_day or 0)
    scored = F.explode(
        F.array(*(F.struct(F.lit(m).alias("model"), F.col(f"margin_{m}").alias("margin")) for m in models))
    ).alias("scored")
    positive = F.col("label") == 1
    by_entity = (
        frame.select("day", "entity", "label", "value", scored)
        .groupBy("scored.model", "day", "entity")
        .agg(
            F.max("scored.margin").alias("margin"),
            F.max("label").alias("hit"),
            F.sum(F.when(positive, F.col("value")).otherwise(0.0)).alias("found"),
        )
    )
    called = by_entity.where((F.col("model") != RULE) | (F.col("margin") > 0))
    order = Window.partitionBy("model", "day").orderBy(F.desc("margin"), F.xxhash64("entity", "day"))
    alerts = called.withColumn("place", F.row_number().over(order)).where(F.col("place") <= calls)
    blocked = (
        alerts.where("hit = 1")
        .groupBy("model", "entity")
        .agg(F.min(opening.moment(F.col("day"))).alias("blocked_from"))
    )
    stopped = (
        frame.where(positive)
        .select("entity", "day", "event_ts", "value")
        .join(blocked, "entity")
        .where(F.col("event_ts") >= F.col("blocked_from"))
    )
    keys = ["model", "day", "block", "cell"]
    parts = [
        _blocks(alerts, keys, F.count(F.lit(1)).alias("alerts"), F.sum("hit").alias("correct"), F.sum("found").alias("found")),
        _blocks(stopped, keys, F.sum("value").alias("stoppable")),
        _blocks(by_entity.where("hit = 1"), keys, F.count(F.lit(1)).alias("positives")),
        _fresh(_candidates(called, order, calls), calls),
    ]  # fmt: skip
    together = pd.concat(parts, ignore_index=True)
    return together.groupby(keys, as_index=False).sum()


def _blocks(rows: DataFrame, keys: Sequence[str], *sums: Column) -> pd.DataFrame:
    marked = rows.withColumns({"block": block("entity"), "cell": block("entity", "day")})
    return marked.groupBy(*keys).agg(*sums).toPandas()


def _candidates(called: DataFrame, order: WindowSpec, calls: int) -> pd.DataFrame:
    """Whoever may be alerted when found entities leave: bounded by the budget and by entities with several positives.

    An entity without an earlier positive never leaves. So a place in the queue can be had only by those with fewer than
    `calls` such entities above them.
    """
    earlier = Window.partitionBy("model", "entity").orderBy("day").rowsBetween(Window.unboundedPreceding, -1)
    stays = F.coalesce(F.max("hit").over(earlier), F.lit(0)) == 0
    above = F.sum(F.col("stays").cast("int")).over(order.rowsBetween(Window.unboundedPreceding, -1))
    ranked = called.withColumn("stays", stays).withColumn("above", F.coalesce(above, F.lit(0)))
    ranked = ranked.withColumn("place", F.row_number().over(order)).where(F.col("above") < calls)
    return (
        ranked.withColumns({"block": block("entity"), "cell": block("entity", "day")})
        .select("model", "day", "entity", "hit", "place", "block", "cell")
        .toPandas()
    )


def _fresh(candidates: pd.DataFrame, calls: int) -> pd.DataFrame:
    """Day after day, the first `calls` of those not found before."""
    made = []
    for _, rows in candidates.groupby("model"):
        found: set[str] = set()
        for _, today in rows.groupby("day"):
            left = today[~today["entity"].isin(found)].nsmallest(calls, "place")
            found |= set(left.loc[left["hit"] == 1, "entity"])
            made.append(left)
    if not made:
        return pd.DataFrame(columns=["model", "day", "block", "cell", "fresh_alerts", "fresh_correct"])
    alerts = pd.concat(made)
    keys = ["model", "day", "block", "cell"]
    return alerts.groupby(keys, as_index=False).agg(fresh_alerts=("hit", "size"), fresh_correct=("hit", "sum"))
