"""Decisions from scores: cut-offs, costs, or the day's alert budget; each decision once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config.policy import Costs
from finlake.config.use_case import UseCase
from finlake.models.artefact import Artefact
from finlake.models.frames import block_day
from finlake.models.served import clean
from finlake.models.top import Top

FIRST, SHADOW, REVIEW = "first", "shadow", "review"
_KINDS = (FIRST, SHADOW, REVIEW)
VALUES = "_values"  # the features of a row whose reasons are told, in the model's order
ALERT, WATCH, PASS = "alert", "watch", "pass"


def probabilities(frame: DataFrame, keep: Sequence[str], artefact: Artefact, highest: int | None = None) -> DataFrame:
    """`keep` columns, `raw_score` (log odds), `probability` (calibrated) and `_values` (the features).

    With `highest`, only rows that can be among so many highest entities of their group have `_values`, and `_top` is
    true for them: a row without it has so many entities of its group above it. The frame then needs `_group` (int),
    `_entity` and `_shift` (log odds taken off before rows are compared).
    """
    width = len(artefact.card.features)
    # what the booster takes crosses to Python, as one array, which is faster than many columns; the rest stays in Spark
    given, fields = [VALUES], "raw_score double, probability double"
    if highest is not None:
        given, fields = [VALUES, "_group", "_entity", "_shift"], f"{fields}, _top boolean"

    def run(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        scorer = artefact.scorer()
        top = Top(highest) if highest is not None else None
        for batch in batches:
            margin = scorer.margin(as_floats(matrix_of(batch.field(VALUES), width))) if len(batch) else np.empty(0)
            made = {"raw_score": pa.array(margin), "probability": pa.array(scorer.probability(margin))}
            if top is not None:
                group, shift = (batch.field(name).to_numpy(zero_copy_only=False) for name in ("_group", "_shift"))
                made["_top"] = pa.array(top.among(group, batch.field("_entity"), margin - shift))
            yield pa.StructArray.from_arrays(list(made.values()), list(made))

    arrow_udf: Any = F.arrow_udf  # its stub does not know that the kind follows from the hints
    known = valued(frame, artefact.card.features).withColumn("_score", arrow_udf(run, fields)(F.struct(*given)))
    values = F.col(VALUES) if highest is None else F.when(F.col("_score._top"), F.col(VALUES))
    return known.select(*(F.col(f"`{name}`") for name in keep), "_score.*", values.alias(VALUES))


def valued(rows: DataFrame, features: Sequence[str]) -> DataFrame:
    """Adds `_values`: the features as doubles, in the model's order."""
    return rows.withColumn(VALUES, F.array(*(F.col(f"`{name}`").cast("double") for name in features)))


def matrix_of(values: pa.ListArray, width: int) -> np.ndarray:
    """`_values` of rows, none of them null, as doubles; what is missing is NaN."""
    flat = values.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, dtype="float64").reshape(-1, width)


def as_floats(values: np.ndarray) -> np.ndarray:
    """What the booster takes: numbers too large for it count as missing, like infinities."""
    with np.errstate(over="ignore"):
        return clean(values.astype("float32"))


def unscored(features: DataFrame, earlier: DataFrame | None, version: str, *, in_charge: bool) -> DataFrame:
    """Feature rows that this version has not scored by their definitions, with their `_kind`.

    `_kind` is `review` unless the model is the champion, and `shadow` where a first decision already stands. What a
    version scored for review, before it became champion, is still to be decided.

    Args:
        features: decision_key, decision_ts, _definition, and the features.
        earlier: the use case's scores so far; None before the first run.
        version: of the model that scores.
        in_charge: whether it is the champion.
    """
    if earlier is None:
        return features.withColumn("_kind", F.lit(FIRST if in_charge else REVIEW))
    counts = F.col("model_version") == version
    if in_charge:
        counts = counts & (F.col("kind") != REVIEW)
    known = earlier.groupBy("decision_key").agg(
        F.max(F.col("kind") == FIRST).alias("_stands"),
        F.collect_set(F.when(counts, F.struct("decision_ts", F.col("feature_digest").alias("_definition")))).alias(
            "_done"
        ),
    )
    joined = features.join(known, "decision_key", "left")
    done = F.array_contains("_done", F.struct("decision_ts", "_definition"))
    new = joined.where(~F.coalesce(done, F.lit(False)))
    kind = F.when(F.col("_stands"), F.lit(SHADOW)).otherwise(F.lit(FIRST)) if in_charge else F.lit(REVIEW)
    return new.withColumn("_kind", kind).drop("_stands", "_done")


def by_cut_offs(costs: Costs | None) -> Column:
    """approve, refer or decline, from `probability`, `value` and the row's `_approve_below` and `_decline_above`.

    Costs decide with the cut-offs that make the expected cost least (`Costs.cut_offs`), for each row its own where a
    missed positive costs its value; a row without a value is referred. Between equal cut-offs nothing is referred.
    """
    chance, low, high = F.col("probability"), F.col("_approve_below"), F.col("_decline_above")
    if costs is None:
        return F.when(chance < low, "approve").when(chance > high, "decline").otherwise("refer")
    if costs.false_negative == "value":
        right, missed = F.lit(costs.false_positive), F.col("value").cast("double")
        low = high = right / (right + missed)
        if costs.review is not None:
            look = F.lit(costs.review)
            worth = look < right * missed / (right + missed)
            low = F.when(worth, look / missed).otherwise(low)
            high = F.when(worth, 1 - look / right).otherwise(high)
        # without a value above 0 nobody can say what a missed positive costs
        known = missed > 0
        decided = F.when(chance < low, "approve").when((chance > high) | (low >= high), "decline").otherwise("refer")
        return F.when(known, decided).otherwise("refer")
    return F.when(chance < low, "approve").when((chance > high) | (low >= high), "decline").otherwise("refer")


def expected_loss(costs: Costs | None) -> Column:
    """Without costs chance times value; with costs what the decision taken costs on average, in the unit of the value."""
    chance, value = F.col("probability"), F.col("value").cast("double")
    if costs is None:
        return chance * value
    missed = value if costs.false_negative == "value" else F.lit(float(costs.false_negative))
    taken = F.when(F.col("decision") == "approve", chance * missed)
    taken = taken.when(F.col("decision") == "decline", (1 - chance) * costs.false_positive)
    return taken.otherwise(F.lit(costs.review).cast("double"))


def by_budget(rows: DataFrame, use_case: UseCase, given: DataFrame | None = None) -> DataFrame:
    """Adds `decision`: alert, watch or pass.

    Each queue day the entities with the highest scores are alerted, one alert each, its highest, and the next ones
    watched. Of earlier runs' decisions (`given`: day, kind, entity, decision) alerts and watches use up their numbers,
    and entities that are alerted get no second alert. Scores are compared after `_shift`, where the rows have it.
    """
    policy = use_case.policy
    height = F.col("raw_score") - F.col("_shift") if "_shift" in rows.columns else F.col("raw_score")
    daily = rows.withColumns({"_day": block_day(use_case), "_height": height})
    best_of = Window.partitionBy("_day", "kind", "entity").orderBy(F.desc("_height"), "decision_key")
    daily = daily.withColumn("_own", F.row_number().over(best_of))
    alerts, watched = F.lit(policy.alerts_per_day), F.lit(policy.watch_per_day or 0)
    candidate = F.col("_own") == 1
    if given is not None:
        renamed = given.withColumnRenamed("day", "_day")
        called = renamed.where(F.col("decision") == ALERT).select("_day", "kind", "entity").distinct()
        used = renamed.groupBy("_day", "kind").agg(
            F.count_distinct(F.when(F.col("decision") == ALERT, F.col("entity"))).alias("_alerted"),
            F.count_distinct(F.when(F.col("decision") == WATCH, F.col("entity"))).alias("_watched"),
        )
        daily = daily.join(F.broadcast(called.withColumn("_called", F.lit(True))), ["_day", "kind", "entity"], "left")
        daily = daily.join(F.broadcast(used), ["_day", "kind"], "left")
        alerts = F.greatest(alerts - F.coalesce("_alerted", F.lit(0)), F.lit(0))
        watched = F.greatest(watched - F.coalesce("_watched", F.lit(0)), F.lit(0))
        candidate = candidate & F.col("_called").isNull()
    order = Window.partitionBy("_day", "kind", candidate).orderBy(F.desc("_height"), F.xxhash64("entity", "_day"))
    place = F.row_number().over(order)
    decision = (
        F.when(~candidate, PASS).when(place <= alerts, ALERT).when(place <= alerts + watched, WATCH).otherwise(PASS)
    )
    helpers = ["_own", "_day", "_height", "_called", "_alerted", "_watched"]
    return daily.withColumn("decision", decision).drop(*helpers)


def group_of(use_case: UseCase, kind: str = "_kind") -> Column:
    """A number for each queue day and kind, within which entities are compared; `kind_in` reads the kind from it."""
    place = F.lit(_KINDS.index(REVIEW))
    for number, name in enumerate(_KINDS[:-1]):
        place = F.when(F.col(kind) == name, F.lit(number)).otherwise(place)
    return (F.unix_date(block_day(use_case)) * len(_KINDS) + place).cast("int")


def kind_in(group: str) -> Column:
    """first, shadow or review, from a number of `group_of`."""
    return F.element_at(F.array(*map(F.lit, _KINDS)), F.pmod(F.col(group), F.lit(len(_KINDS))) + 1)


def most_called(given: DataFrame | None, use_case: UseCase) -> int:
    """How many entities of one day and kind at most can stand above one that is alerted or watched."""
    policy = use_case.policy
    wanted = (policy.alerts_per_day or 0) + (policy.watch_per_day or 0)
    if given is None:
        return wanted
    called = given.where(F.col("decision") == ALERT).groupBy("day", "kind").agg(F.count_distinct("entity").alias("n"))
    found = called.agg(F.max("n").alias("n")).first()
    return wanted + (int(found["n"] or 0) if found else 0)
