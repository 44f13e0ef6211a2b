"""A few entities a day that are queued by chance: only what was alerted gets verdicts, so the rest must be looked at too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.models.alert_states import CONFIRMED, SAMPLE, SCORE, SETTLED
from finlake.models.alerts import highest
from finlake.models.periods import wilson


def covered(rows: DataFrame, alerts: DataFrame) -> DataFrame:
    """queue_day and entity of those days on which an alert that a score opened was waiting for a verdict, once each.

    `alerts`: entity, queue_day, expires_on (dates) and origin; an alert counts until it expires, settled or not: from its
    verdict on the bank knows about the entity.
    """
    spans = alerts.where(F.col("origin") == SCORE).select(
        "entity", F.col("queue_day").alias("_opened"), F.col("expires_on").alias("_expires")
    )
    days = rows.select("queue_day", "entity").distinct().join(spans, "entity")
    inside = (F.col("queue_day") >= F.col("_opened")) & (F.col("queue_day") < F.col("_expires"))
    return days.where(inside).select("queue_day", "entity").distinct()


def drawn(rows: DataFrame, alerts: DataFrame, use_case: UseCase) -> DataFrame:
    """Candidates by chance: of each queue day so many entities outside the queue that `sample_per_day` is reached.

    Drawn by hash of the seed, the day and the entity, so that a repeated run draws the same ones.

    Args:
        rows: standing decisions of the days to draw from.
        alerts: rows of ops.alerts with those just opened; samples drawn before use up the day's number.
        use_case: with `policy.sample_per_day`.
    """
    policy = use_case.policy
    sampled = alerts.where(F.col("origin") == SAMPLE).select("queue_day", "entity")
    used = sampled.groupBy("queue_day").agg(F.count(F.lit(1)).alias("_used"))
    outside = highest(rows).join(covered(rows, alerts), ["queue_day", "entity"], "left_anti")
    outside = outside.join(sampled, ["queue_day", "entity"], "left_anti").join(used, "queue_day", "left")
    chance = F.xxhash64(F.lit(policy.sample_seed), F.lit(use_case.use_case), "queue_day", "entity")
    place = F.row_number().over(Window.partitionBy("queue_day").orderBy(chance, "entity"))
    left = F.lit(policy.sample_per_day) - F.coalesce("_used", F.lit(0))
    chosen = outside.withColumn("_place", place).where(F.col("_place") <= left)
    return chosen.drop("_place", "_used").withColumn("origin", F.lit(SAMPLE))


def sampled_days(rows: DataFrame, alerts: DataFrame) -> DataFrame:
    """queue_day, outside (entities outside the queue), answered and positive (sampled ones with a verdict), by day."""
    settled = F.col("state").isin(*SETTLED)
    answers = alerts.where((F.col("origin") == SAMPLE) & settled)
    told = answers.groupBy("queue_day").agg(
        F.count(F.lit(1)).alias("answered"), F.sum((F.col("state") == CONFIRMED).cast("int")).alias("positive")
    )
    days = rows.join(F.broadcast(told.select("queue_day")), "queue_day", "left_semi")
    outside = days.select("queue_day", "entity").distinct()
    outside = outside.join(covered(days, alerts), ["queue_day", "entity"], "left_anti")
    counted = outside.groupBy("queue_day").agg(F.count(F.lit(1)).alias("outside"))
    return counted.join(told, "queue_day")


@dataclass(frozen=True)
class Outside:
    """What the queue misses: positives among entities and days outside it, with 95% intervals."""

    answered: int
    share: float
    low: float
    high: float
    a_day: float  # entities outside the queue, on average of the days looked at


def outside_of(days: Sequence[tuple[int, int, int]]) -> Outside | None:
    """From (entities outside, answered, positive) of each day; None before the first answer.

    Each day is a stratum with a weight of its entities outside; the interval is Wilson's at Kish's effective number of
    answers, (sum of weights)^2 / sum of squared weights, which is sound for few answers and for no positive at all.
    """
    told = [(outside, answered, positive) for outside, answered, positive in days if answered > 0]
    total = sum(outside for outside, _, _ in told)
    if not total:
        return None
    share = sum(outside * positive / answered for outside, answered, positive in told) / total
    effective = total**2 / sum(outside**2 / answered for outside, answered, _ in told)
    low, high = wilson(share * effective, effective)
    return Outside(sum(answered for _, answered, _ in told), share, low, high, total / len(told))
