"""Step: cut-offs and alert thresholds that follow matured labels, by context."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import thresholds as following
from finlake.models.alerts import highest, standing
from finlake.models.frames import value_name
from finlake.pipelines.outcomes import TABLE as OUTCOMES
from finlake.pipelines.step import Step, Values

TABLE = "ops.thresholds"
_ABOUT = "Thresholds by context with their history; scores name the ones that applied to them."
_COMMENTS = {
    "context": "empty: everywhere, and in contexts without thresholds of their own",
    "alert_above": "calibrated probability of the last alert; ranks alerts of different contexts, bounds none",
    "basis": "what the thresholds follow from",
    "valid_from": "scores from this moment on use them, until newer ones come",
}
_DECIDING = ("context", "approve_below", "decline_above", "alert_above", "alerts_per_day", "basis")


def thresholds(step: Step, use_case: str = "all") -> Values:
    """New thresholds from labels that have matured, valid from the step's moment; the same as before are not repeated.

    Only use cases with `policy.contexts` have them.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"contexts": {name: _bring_to_now(step, step.config.use_case(name)) for name in names}}


def valid_thresholds(step: Step, chosen: UseCase) -> DataFrame | None:
    """Those valid at the step's moment; None where the policy's own stand."""
    if chosen.policy.contexts is None or not step.lake.exists(TABLE):
        return None
    return following.valid_at(step.lake.read(TABLE), chosen.use_case, F.lit(step.now))


def _bring_to_now(step: Step, chosen: UseCase) -> int:
    lake, name = step.lake, chosen.use_case
    if chosen.policy.contexts is None:
        step.say(f"{name}: thresholds are fixed")
        return 0
    if not lake.exists(OUTCOMES) or not lake.exists(f"scores.{name}"):
        step.say(f"{name}: no decision has turned out yet, so the policy's thresholds stand")
        return 0
    counts, first, last = _counts(step, chosen)
    if first is None or last is None:
        step.say(f"{name}: no label has matured yet, so the policy's thresholds stand")
        return 0
    made = following.thresholds_from(counts, chosen.policy, following.days_of(first, last))
    budget = chosen.policy.alerts_per_day
    rows = [
        (name, t.context, t.approve_below, t.decline_above, t.alert_above, budget, t.basis, first, last, t.rows,
         t.positives, step.now, step.run_id)
        for t in made
    ]  # fmt: skip
    frame = lake.spark.createDataFrame(rows, following.THRESHOLDS)
    lake.create(TABLE, frame, about=_ABOUT, comments=_COMMENTS)
    before = following.valid_at(lake.read(TABLE), name, F.lit(step.now)).select(*_DECIDING).collect()
    if sorted(map(repr, before)) == sorted(map(repr, frame.select(*_DECIDING).collect())):
        step.say(f"{name}: labels that matured since change no threshold")
        return len(rows)
    lake.merge(TABLE, frame, on=["use_case", "context", "valid_from"])
    for found in made:
        step.say(f"{name} {found.context or 'everywhere'}: {found.basis}")
    step.figure("thresholds.contexts", len(rows) - 1, use_case=name, tables=[TABLE])
    return len(rows)


def _counts(step: Step, chosen: UseCase) -> tuple[dict[str, following.Counts], date | None, date | None]:
    """Matured decisions by context and score bin, and their first and last queue day."""
    lake, name = step.lake, chosen.use_case
    today = F.to_date(F.from_utc_timestamp(F.lit(step.now), chosen.zone))
    since = F.lit(step.now) - F.expr(chosen.policy.labels_of.interval)
    turned = lake.read(OUTCOMES).where((F.col("use_case") == name) & (F.col("outcome") != "unknown"))
    turned = turned.where((F.col("matured_on") < today) & (F.col("decision_ts") > since))
    stands = standing(lake.read(f"scores.{name}"), chosen)
    positive = (F.col("outcome") == "positive").alias("positive")
    rows = stands.join(turned.select("decision_key", positive), "decision_key")
    rows = _in_context(step, chosen, rows)
    if chosen.policy.alerts_per_day:
        hit = rows.groupBy("queue_day", "entity").agg(F.max("positive").alias("positive"))
        context = rows.select("decision_key", "context")
        rows = highest(rows).join(context, "decision_key").join(hit, ["queue_day", "entity"])
    span = rows.agg(F.min("queue_day").alias("first"), F.max("queue_day").alias("last")).first()
    large = rows.groupBy("context").count().orderBy(F.desc("count"), "context").limit(following.MOST_CONTEXTS)
    named = rows.join(F.broadcast(large.select("context", F.lit(True).alias("_large"))), "context", "left")
    kept = named.withColumn("context", F.when(F.col("_large"), F.col("context")).otherwise(following.EVERYWHERE))
    bins: dict[str, dict[float, int]] = {}
    sums: dict[str, tuple[float, int]] = {}
    for row in following.score_bins(kept).collect():
        context = row["context"]
        bins.setdefault(context, {})[row["bin"]] = row["rows"]
        expected, positives = sums.get(context, (0.0, 0))
        sums[context] = expected + round(row["expected"], 6), positives + row["positives"]
    made = {context: following.Counts(bins[context], *sums[context]) for context in sorted(bins)}
    return made, (span["first"] if span else None), (span["last"] if span else None)


def _in_context(step: Step, chosen: UseCase, rows: DataFrame) -> DataFrame:
    """Adds `context`; the columns it looks at lie in the feature table."""
    wanted = chosen.policy.context_columns
    if wanted:
        features = step.lake.read(f"features.{chosen.use_case}")
        columns = [F.col(f"`{value_name(features.columns, f'this.{name}')}`").alias(name) for name in wanted]
        own = [name for name in wanted if name in rows.columns]
        rows = rows.withColumnsRenamed({name: f"_scored_{name}" for name in own})
        rows = rows.join(features.select("decision_key", *columns), "decision_key")
        context = following.context_of(chosen, rows.columns)
        rows = rows.withColumn("context", context).drop(*wanted)
        return rows.withColumnsRenamed({f"_scored_{name}": name for name in own})
    return rows.drop("context").withColumn("context", following.context_of(chosen, rows.columns))
