"""What one run of scoring writes: probabilities, decisions, and reasons of what somebody acts on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.lakehouse import scratch
from finlake.models import scoring
from finlake.models.artefact import Artefact
from finlake.models.explain import Render, with_reasons
from finlake.models.frames import block_day, value_name
from finlake.models.thresholds import fixed_thresholds, with_thresholds
from finlake.pipelines.step import Step
from finlake.pipelines.thresholds import valid_thresholds

ABOUT = "Every score ever given, with the decision it led to; rows are never changed."
COMMENTS = {
    "kind": "first: the decision that stands; shadow: a later score of it; review: by a model that is not in charge",
    "probability": "calibrated chance of a positive",
    "raw_score": "log odds before calibration; ranks alerts",
    "decision_ts": "the moment the decision is taken at; nothing later is known",
    "reasons": "what raised the score most, contributions in log odds; only of what somebody acts on",
    "expected_loss": "chance times value; with costs, what the decision taken costs on average",
    "context": "in which thresholds were looked up, where they follow labels by context",
    "thresholds_from": "since when the thresholds that applied hold; null: the policy's own",
}
_NO_REASONS = ("pass", "approve", "watch")
_ROW = ("decision_key", "decision_ts")
_NAMES = {"_entity": "entity", "_value": "value", "_context": "context", "_thresholds_from": "thresholds_from"}


@dataclass(frozen=True)
class Run:
    """Who scores what, and how reasons are said."""

    step: Step
    use_case: UseCase
    artefact: Artefact
    version: str
    champion: bool
    render: Render


def write_scores(run: Run, features: DataFrame, earlier: DataFrame | None) -> None:
    """Appends the scores of feature rows that this version has not scored; `earlier`: the scores read for that, if any.

    One commit, which is not made a second time: a process that read the same scores and was faster makes this one
    append nothing.
    """
    lake, name = run.step.lake, run.use_case.use_case
    table = f"scores.{name}"
    new = scoring.unscored(_stretch(run, features, earlier), earlier, run.version, in_charge=run.champion)
    with scratch(lake, f"score_{name}") as keep:
        made = _by_budget(run, new, earlier, keep) if run.use_case.policy.alerts_per_day else _by_cut_offs(run, new)
        at = lake.reads[table] + 1 if earlier is not None else 0
        lake.append(
            table, _rows(run, made), txn=(f"finlake.score.{name}", at), about=ABOUT, comments=COMMENTS,
            cluster_by=["entity"],
        )  # fmt: skip


def _stretch(run: Run, features: DataFrame, earlier: DataFrame | None) -> DataFrame:
    """Feature rows from the version's first stretch on."""
    begun = None
    if earlier is not None:
        of_version = earlier.where(F.col("model_version") == run.version)
        if run.champion:
            of_version = of_version.where(F.col("kind") != scoring.REVIEW)
        start = of_version.agg(F.min("decision_ts").alias("start")).first()
        begun = start["start"] if start else None
    if begun:
        return features.where(F.col("decision_ts") >= F.lit(begun))
    since = run.use_case.score.since
    return (
        features
        if since is None
        else features.where(F.col("decision_ts") > F.lit(run.step.now) - F.expr(since.interval))
    )


def _scored(run: Run, new: DataFrame, highest: int | None = None) -> DataFrame:
    """Scores, with what reasons need and, where they differ between rows, the thresholds that hold now."""
    policy = run.use_case.policy
    entity = policy.one_alert_per or "decision_key"
    value = F.lit(None).cast("decimal(18,2)")
    if policy.value:
        value = F.col(f"`{value_name(new.columns, policy.value)}`").cast("decimal(18,2)")
    # a feature may be called like a column of the scores, so those get their names after scoring
    wide = with_thresholds(new, run.use_case, valid_thresholds(run.step, run.use_case))
    entity_text = F.col(f"`{entity}`").cast("string")
    wide = wide.withColumns({"_entity": entity_text, "_value": value, "_group": scoring.group_of(run.use_case)})
    differ = fixed_thresholds(policy) if policy.contexts is not None else ()
    keep = ["decision_key", "event_ts", "decision_ts", "_entity", "_value", "_group", *differ]
    return scoring.probabilities(wide, keep, run.artefact, highest)


def _named(run: Run, scored: DataFrame) -> DataFrame:
    """`_scored` with the columns that are the same for every row or follow from others, which need not be kept."""
    same = fixed_thresholds(run.use_case.policy) if run.use_case.policy.contexts is None else {}
    digest = F.lit(run.artefact.card.definition)
    made = scored.withColumns({**same, "kind": scoring.kind_in("_group"), "feature_digest": digest})
    return made.withColumnsRenamed(_NAMES)


def _by_cut_offs(run: Run, new: DataFrame) -> DataFrame:
    decided = _named(run, _scored(run, new)).withColumn("decision", scoring.by_cut_offs(run.use_case.policy.costs))
    told = F.when(~F.col("decision").isin(*_NO_REASONS), F.col(scoring.VALUES))
    return with_reasons(decided.withColumn(scoring.VALUES, told), run.artefact, run.render)


def _by_budget(run: Run, new: DataFrame, earlier: DataFrame | None, keep: Callable[..., DataFrame]) -> DataFrame:
    """Scores are kept once; only the few rows that can be among a day's highest are ranked and explained."""
    given = None
    if earlier is not None:
        own = (F.col("kind") == scoring.FIRST) | (F.col("model_version") == run.version)
        called = earlier.where(F.col("decision").isin(scoring.ALERT, scoring.WATCH) & own)
        given = called.select(block_day(run.use_case).alias("day"), "kind", "entity", "decision")
    scored = _named(run, keep("scored", _scored(run, new, scoring.most_called(given, run.use_case))))
    ranked = scoring.by_budget(scored.where("_top"), run.use_case, given).where(F.col("decision") != scoring.PASS)
    told = F.when(F.col("decision") == scoring.ALERT, F.col(scoring.VALUES)).alias(scoring.VALUES)
    called = with_reasons(ranked.select(*_ROW, "decision", told), run.artefact, run.render)
    joined = scored.drop("_top", scoring.VALUES).join(F.broadcast(called), list(_ROW), "left")
    return joined.withColumn("decision", F.coalesce("decision", F.lit(scoring.PASS)))


def _rows(run: Run, made: DataFrame) -> DataFrame:
    """Rows of the scores table; their key is use case, decision, moment, definitions, model version and kind."""
    name, step = run.use_case.use_case, run.step
    tables = F.create_map(*(part for name, at in sorted(step.lake.reads.items()) for part in (F.lit(name), F.lit(at))))
    return made.select(
        F.lit(name).alias("use_case"),
        "decision_key", "entity", "event_ts", "decision_ts", "probability", "raw_score", "decision", "kind", "value",
        scoring.expected_loss(run.use_case.policy.costs).alias("expected_loss"),
        F.lit(name).alias("model_name"),
        F.lit(run.version).alias("model_version"),
        "feature_digest",
        tables.cast("map<string,bigint>").alias("tables"),
        F.lit(step.run_id).alias("run_id"),
        F.lit(step.now).alias("scored_at"),
        "reasons", "context", "thresholds_from",
    )  # fmt: skip
