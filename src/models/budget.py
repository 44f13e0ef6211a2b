"""What a daily alert budget finds: one alert for each entity and queue day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config.policy import Policy
from finlake.errors import ConfigError


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
    """By model and day: alerts, correct alerts, value found, value stoppable.

    An alert is correct when the entity has a positive that day; it *finds* the value of the entity's positives of that
    day. *Stoppable* is the value of an entity's positives that happen after the queue with its first correct alert
    opened: from then on the analyst has blocked it. Nothing with a score of `margin` ≤ 0 of a rule is called.

    `frame`: day, event_ts, entity, label (0/1), value, `margin_<model>`.
    """
    calls = F.lit(policy.alerts_per_day)
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
        .where((F.col("model") != "baseline_rule") | (F.col("margin") > 0))
    )
    order = Window.partitionBy("model", "day").orderBy(F.desc("margin"), F.xxhash64("entity", "day"))
    alerts = by_entity.withColumn("place", F.row_number().over(order)).where(F.col("place") <= calls)
    daily = alerts.groupBy("model", "day").agg(
        F.count(F.lit(1)).alias("alerts"), F.sum("hit").alias("correct"), F.sum("found").alias("found")
    )
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
        .groupBy("model", "day")
        .agg(F.sum("value").alias("stoppable"))
    )
    return daily.join(stopped, ["model", "day"], "full").fillna(0).toPandas()
