"""Step: scores new decisions with reasons, append-only."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.errors import FreshnessError, TableError, TrainingError, suggestion
from finlake.models import scoring
from finlake.models.artefact import Artefact
from finlake.models.explain import REASONS, reasons
from finlake.models.frames import block_day, value_name
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.feature_versions import version_of
from finlake.pipelines.reason_words import renderer
from finlake.pipelines.step import Step, Values

ABOUT = "Every score ever given, with the decision it led to; rows are never changed."
COMMENTS = {
    "kind": "first: the decision that stands; shadow: a later score of it; review: by a model that is not in charge",
    "probability": "calibrated chance of a positive",
    "raw_score": "log odds before calibration; ranks alerts",
    "decision_ts": "the moment the decision is taken at; nothing later is known",
    "reasons": "what raised the score most, contributions in log odds",
}
_NO_REASONS = ("pass", "approve")


def score(step: Step, use_case: str) -> Values:
    """Scores decisions that this feature digest and model version have not scored, by champion, else for review.

    The alias is resolved once. The first run of a version covers `score.since` back from the step's moment. Running it
    again adds nothing.

    Raises:
        TableError: no features or no model yet.
        FreshnessError: the feature table holds no decision up to the step's moment.
    """
    chosen, lake = step.config.use_case(use_case), step.lake
    registry = Registry(step.config.target, lake.root, use_case)
    version, alias = in_charge(registry)
    if version is None:
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    artefact = registry.load(version)
    learnt = version_of(step, use_case, artefact.card.definition)
    if learnt is not None:  # perhaps other definitions than today's, which are kept up to date beside them
        step, chosen = learnt.step, learnt.use_case
    table = f"scores.{use_case}"
    built = learnt.table if learnt is not None else f"features.{use_case}"
    features = lake.read(built).where(F.col("decision_ts") <= F.lit(step.now))
    _check_features(chosen, artefact, version, features)
    earlier = lake.read(table) if lake.exists(table) else None
    champion = alias == CHAMPION
    new = not_yet_scored(step, chosen, features, earlier, version, champion=champion)
    scored = _decisions(step, chosen, artefact, new, earlier, version, champion=champion)
    complete = _with_reasons(step, chosen, artefact, features, scored)
    before = lake.read(table).count() if earlier is not None else 0
    lake.merge(table, complete, on=list(scoring.KEY), about=ABOUT, comments=COMMENTS, cluster_by=["entity"])
    return _summary(step, chosen, table, version, alias, before)


def in_charge(registry: Registry) -> tuple[str | None, str]:
    """The version to score with and its alias: champion, else challenger, else the newest with no alias."""
    for alias in (CHAMPION, CHALLENGER):
        version = registry.version_at(alias)
        if version is not None:
            return version, alias
    return registry.latest(), ""


def not_yet_scored(
    step: Step, use_case: UseCase, features: DataFrame, earlier: DataFrame | None, version: str, *, champion: bool
) -> DataFrame:
    """Feature rows without a score of this version and their digest, from the version's first stretch on.

    What a version scored for review, before it became champion, is still to be decided.
    """
    if earlier is None:
        return features.where(_after(use_case, step.now))
    of_version = earlier.where(F.col("model_version") == version)
    if champion:
        of_version = of_version.where(F.col("kind") != scoring.REVIEW)
    same = of_version.select("decision_key", "decision_ts", "feature_digest")
    start = same.agg(F.min("decision_ts").alias("start")).first()
    begun = start["start"] if start else None
    stretch = (
        features.where(F.col("decision_ts") >= F.lit(begun)) if begun else features.where(_after(use_case, step.now))
    )
    done = same.withColumnRenamed("feature_digest", "_definition")
    return stretch.join(done, ["decision_key", "decision_ts", "_definition"], "left_anti")


def _after(use_case: UseCase, now: datetime) -> Column:
    if use_case.score.since is None:
        return F.lit(True)
    return F.col("decision_ts") > F.lit(now) - F.expr(use_case.score.since.interval)


def _check_features(use_case: UseCase, artefact: Artefact, version: str, features: DataFrame) -> None:
    missing = [name for name in artefact.card.features if name not in features.columns]
    if missing:
        hint = suggestion(missing[0], features.columns)
        raise TrainingError(
            f"the model of {use_case.use_case} needs feature {missing[0]!r}, which the feature table lacks{hint}; "
            "train a model on the present definitions, or bring the definition back"
        )
    built = features.select("_definition").first()
    if built is None:
        raise FreshnessError(
            f"features.{use_case.use_case} holds no decision up to this moment; run ingest, refine, features"
        )
    if built["_definition"] != artefact.card.definition:
        raise TrainingError(
            f"{use_case.use_case} v{version} learnt from definitions {artefact.card.definition}, and the feature table "
            f"holds {built['_definition']}, whose values differ; train a model on the present definitions, or bring the "
            "old ones back and run features"
        )


def _decisions(
    step: Step,
    use_case: UseCase,
    artefact: Artefact,
    new: DataFrame,
    earlier: DataFrame | None,
    version: str,
    *,
    champion: bool,
) -> DataFrame:
    """Everything of a scores row but its reasons."""
    policy = use_case.policy
    entity = policy.one_alert_per or "decision_key"
    value = F.lit(None).cast("decimal(18,2)")
    if policy.value:
        value = F.col(f"`{value_name(new.columns, policy.value)}`").cast("decimal(18,2)")
    # a feature may be called `entity` or `value`, so those two get their names after scoring
    wide = new.withColumns({"_entity": F.col(f"`{entity}`").cast("string"), "_value": value})
    keep = ["decision_key", "_entity", "event_ts", "decision_ts", "_value", "_definition"]
    names = {"_entity": "entity", "_value": "value", "_definition": "feature_digest"}
    rows = scoring.probabilities(wide, keep, artefact).withColumnsRenamed(names)
    given = None
    if earlier is not None:
        own = (F.col("kind") == scoring.FIRST) | (F.col("model_version") == version)
        alerts = earlier.where((F.col("decision") == "alert") & own)
        given = alerts.select(block_day(use_case).alias("day"), "kind", "entity")
    made = scoring.decided(scoring.kind_of(rows, earlier, in_charge=champion), use_case, given)
    tables = F.create_map(*(part for name, at in sorted(step.lake.reads.items()) for part in (F.lit(name), F.lit(at))))
    key = F.concat_ws("|", *(F.lit(version) if name == "model_version" else F.col(name) for name in scoring.KEY))
    return made.withColumn("use_case", F.lit(use_case.use_case)).select(
        F.sha2(key, 256).alias("score_id"),
        "use_case",
        "decision_key", "entity", "event_ts", "decision_ts", "probability", "raw_score", "decision", "kind", "value",
        (F.col("probability") * F.col("value").cast("double")).alias("expected_loss"),
        F.lit(use_case.use_case).alias("model_name"),
        F.lit(version).alias("model_version"),
        "feature_digest",
        tables.cast("map<string,bigint>").alias("tables"),
        F.lit(step.run_id).alias("run_id"),
        F.lit(step.now).alias("scored_at"),
    )  # fmt: skip


def _with_reasons(
    step: Step, use_case: UseCase, artefact: Artefact, features: DataFrame, scored: DataFrame
) -> DataFrame:
    """Reasons for the rows somebody acts on; tree SHAP costs far more than the score itself."""
    key = ["decision_key", "decision_ts"]
    acted = scored.where(~F.col("decision").isin(*_NO_REASONS)).select(*key)
    said = reasons(features.join(acted, key), key, artefact, renderer(step.config, use_case, artefact.card.usual))
    return scored.join(said, key, "left").withColumn("reasons", F.col("reasons").cast(REASONS))


def _summary(step: Step, use_case: UseCase, table: str, version: str, alias: str, before: int) -> Values:
    lake, name = step.lake, use_case.use_case
    written = lake.read(table)
    added = written.count() - before
    counted = written.where(F.col("run_id") == step.run_id).groupBy("decision", "kind").count().collect()
    for row in counted:
        step.figure(f"scored.{row['kind']}.{row['decision']}", row["count"], unit="rows", use_case=name, tables=[table])
    step.figure("scored", added, unit="rows", use_case=name, tables=[table])
    said = f"{alias} v{version}" if alias else f"v{version}"
    step.say(f"{table}: {added:,} rows by {said}" + ("" if added else "; nothing new"))
    if alias != CHAMPION:
        step.warn(f"{name} has no champion; v{version} scored for review only")
    return {"rows": added, "version": version, "alias": alias}
