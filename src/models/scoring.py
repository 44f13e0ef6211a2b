"""Decisions from scores: cut-offs, or the day's alert budget; each decision once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from finlake.config.use_case import UseCase
from finlake.models.artefact import Artefact
from finlake.models.frames import batch_matrix, block_day

if TYPE_CHECKING:
    import pyarrow as pa

FIRST, SHADOW, REVIEW = "first", "shadow", "review"
KEY = ("use_case", "decision_key", "decision_ts", "feature_digest", "model_version", "kind")


def probabilities(frame: DataFrame, keep: Sequence[str], artefact: Artefact) -> DataFrame:
    """`keep` columns, `raw_score` (log odds) and `probability` (calibrated), in Arrow batches.

    Raises:
        TrainingError: the frame lacks a feature of the model.
    """
    features, names = list(artefact.card.features), list(keep)
    inputs = (F.col(f"`{name}`").cast("float").alias(f"x_{name}") for name in features)
    taken = frame.select(*(F.col(f"`{name}`") for name in names), *inputs)
    added = [StructField("raw_score", DoubleType()), StructField("probability", DoubleType())]
    schema = StructType([*(taken.schema[name] for name in names), *added])

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        import pyarrow

        scorer = artefact.scorer()
        for batch in batches:
            margin = scorer.margin(batch_matrix(batch, features))
            made = [pyarrow.array(margin), pyarrow.array(scorer.probability(margin))]
            columns = [batch.column(name) for name in names]
            yield pyarrow.RecordBatch.from_arrays([*columns, *made], [*names, "raw_score", "probability"])

    return taken.mapInArrow(run, schema)


def kind_of(rows: DataFrame, earlier: DataFrame | None, *, in_charge: bool) -> DataFrame:
    """Adds `kind`: `review` unless the model is the champion; `shadow` where a first decision already stands.

    `earlier`: the use case's decision_key and kind so far; None before the first run.
    """
    if not in_charge or earlier is None:
        return rows.withColumn("kind", F.lit(FIRST if in_charge else REVIEW))
    stands = earlier.where(F.col("kind") == FIRST).select("decision_key").distinct().withColumn("_stands", F.lit(True))
    kind = F.when(F.col("_stands"), F.lit(SHADOW)).otherwise(F.lit(FIRST))
    return rows.join(stands, "decision_key", "left").withColumn("kind", kind).drop("_stands")


def decided(rows: DataFrame, use_case: UseCase, given: DataFrame | None = None) -> DataFrame:
    """Adds `decision`.

    Alert budgets: each queue day the entities with the highest scores, one alert each, its highest;
    `given` (day, kind, entity of alerts of earlier runs) uses up budget, and its entities get no second alert.
    Cut-offs: approve below, decline above, refer between.
    """
    policy = use_case.policy
    if policy.alerts_per_day is None:
        low, high = F.lit(policy.approve_below), F.lit(policy.decline_above)
        chance = F.col("probability")
        return rows.withColumn(
            "decision", F.when(chance < low, "approve").when(chance > high, "decline").otherwise("refer")
        )
    daily = rows.withColumn("_day", block_day(use_case))
    best_of = Window.partitionBy("_day", "kind", "entity").orderBy(F.desc("raw_score"), "decision_key")
    daily = daily.withColumn("_own", F.row_number().over(best_of))
    budget: Column = F.lit(policy.alerts_per_day)
    candidate = F.col("_own") == 1
    if given is not None:
        renamed = given.select(F.col("day").alias("_day"), "kind", "entity").distinct()
        called = renamed.withColumn("_called", F.lit(True))
        used = renamed.groupBy("_day", "kind").agg(F.count(F.lit(1)).alias("_used"))
        daily = daily.join(F.broadcast(called), ["_day", "kind", "entity"], "left").join(
            F.broadcast(used), ["_day", "kind"], "left"
        )
        budget = budget - F.coalesce("_used", F.lit(0))
        candidate = candidate & F.col("_called").isNull()
    order = Window.partitionBy("_day", "kind", candidate).orderBy(F.desc("raw_score"), F.xxhash64("entity", "_day"))
    place = F.row_number().over(order)
    decision = F.when(candidate & (place <= budget), "alert").otherwise("pass")
    helpers = [name for name in ("_own", "_day", "_called", "_used") if name in daily.columns]
    return daily.withColumn("decision", decision).drop(*helpers)
