"""What became of decisions once their labels are known: value found, and value missed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.models.frames import business_day

ABOUT = (
    "What each standing decision turned out to be, as far as its label is known; a row changes only with its own label."
)
COMMENTS = {
    "outcome": "positive, negative (matured without a positive report) or unknown",
    "matured_on": "from this day on, no positive report means negative",
    "alerted": "an alert of the entity was open, or sampled, on the decision's queue day",
    "origin": "of that alert: score or sample",
    "found": "value of a positive whose entity was alerted, or that was declined",
    "missed": "value of a positive that was neither",
}
KEY = ("use_case", "decision_key")
CHANGING = ("outcome", "alerted", "origin", "found", "missed")
MONEY = "decimal(18,2)"


def outcomes_of(stands: DataFrame, known: DataFrame, alerts: DataFrame, use_case: UseCase) -> DataFrame:
    """Rows of ops.outcomes, one for each standing decision.

    Found and missed are 0 while the outcome is not positive, and null where a positive has no value.

    Args:
        stands: of `alerts.standing`.
        known: decision_key and label (1, 0 or null while unknown) as known at the step's moment.
        alerts: rows of ops.alerts of the use case.
        use_case: says when labels mature.
    """
    spans = alerts.select(
        "entity", F.col("queue_day").alias("_opened"), F.col("expires_on").alias("_expires"), "origin"
    )
    days = stands.select("queue_day", "entity").distinct().join(spans, "entity")
    inside = (F.col("queue_day") >= F.col("_opened")) & (F.col("queue_day") < F.col("_expires"))
    # where both reach the day, the score found it: of the two words "score" sorts last
    called = days.where(inside).groupBy("queue_day", "entity").agg(F.max("origin").alias("origin"))
    joined = stands.join(called, ["queue_day", "entity"], "left").join(known, "decision_key", "left")
    positive, alerted = F.col("label") == 1, F.col("origin").isNotNull()
    outcome = F.when(positive, "positive").when(F.col("label") == 0, "negative").otherwise("unknown")
    caught = alerted | (F.col("decision") == "decline")
    joined = joined.withColumn("_matures", F.col("event_ts") + F.expr(use_case.label.matures_after.interval))
    return joined.select(
        F.lit(use_case.use_case).alias("use_case"), "decision_key", "entity", "decision_ts", "event_ts", "queue_day",
        "decision", "kind", F.col("value").cast(MONEY).alias("value"), outcome.alias("outcome"),
        business_day("_matures", use_case.zone).alias("matured_on"), alerted.alias("alerted"), "origin",
        _worth(positive, caught).alias("found"), _worth(positive, ~caught).alias("missed"), "model_version",
    )  # fmt: skip


def _worth(positive: Column, counts: Column) -> Column:
    nothing = F.lit(0).cast(MONEY)
    return F.when(F.coalesce(positive, F.lit(False)) & counts, F.col("value").cast(MONEY)).otherwise(nothing)
