"""Step: scores new decisions with reasons, append-only."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.config.base import Duration
from finlake.errors import FreshnessError, TableError, TrainingError, suggestion
from finlake.models.artefact import Artefact
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.feature_versions import version_of
from finlake.pipelines.reason_words import renderer
from finlake.pipelines.score_rows import Run, write_scores
from finlake.pipelines.step import Step, Values


def score(step: Step, use_case: str) -> Values:
    """Scores decisions that this feature digest and model version have not scored, by champion, else for review.

    The alias is resolved once. The first run of a version covers `score.since` back from the step's moment. Running it
    again adds nothing.

    Raises:
        TableError: no features or no model yet.
        FreshnessError: the feature table holds no decision up to the step's moment, or its newest is older than
            `score.max_age`.
    """
    chosen, lake = step.config.use_case(use_case), step.lake
    registry = Registry(step.config.target, lake.root, use_case)
    version, alias = in_charge(registry)
    if version is None:
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    artefact = registry.load(version)
    oldest = chosen.score.max_age
    learnt = version_of(step, use_case, artefact.card.definition)
    if learnt is not None:  # perhaps other definitions than today's, which are kept up to date beside them
        step, chosen = learnt.step, learnt.use_case
    table = f"scores.{use_case}"
    features = lake.read(learnt.table if learnt is not None else f"features.{use_case}")
    features = features.where(F.col("decision_ts") <= F.lit(step.now))
    _check_features(chosen, artefact, version, features)
    check_age(step, use_case, features, oldest)
    earlier = lake.read(table) if lake.exists(table) else None
    render = renderer(step.config, chosen, artefact.card.usual)
    write_scores(Run(step, chosen, artefact, version, champion=alias == CHAMPION, render=render), features, earlier)
    return _summary(step, chosen, table, version, alias)


def in_charge(registry: Registry) -> tuple[str | None, str]:
    """The version to score with and its alias: champion, else challenger, else the newest with no alias."""
    for alias in (CHAMPION, CHALLENGER):
        version = registry.version_at(alias)
        if version is not None:
            return version, alias
    return registry.latest(), ""


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


def check_age(step: Step, use_case: str, features: DataFrame, oldest: Duration | None) -> None:
    if oldest is None:
        return
    due = F.lit(step.now) - F.expr(oldest.interval)
    found = (
        features.agg(F.max("decision_ts").alias("newest"))
        .select("newest", (F.col("newest") < due).alias("old"))
        .first()
    )
    if found is not None and found["old"]:
        raise FreshnessError(
            f"features.{use_case}: the newest decision is of {found['newest']:%d %b %Y %H:%M}, more than "
            f"{oldest.text} ago (score.max_age); look at ops.freshness for what did not arrive, then run ingest, refine, "
            "features"
        )


def _summary(step: Step, use_case: UseCase, table: str, version: str, alias: str) -> Values:
    lake, name = step.lake, use_case.use_case
    mine = lake.read(table).where(F.col("run_id") == step.run_id)
    counted = mine.groupBy("decision", "kind").count().collect()
    added = sum(row["count"] for row in counted)
    for row in counted:
        step.figure(f"scored.{row['kind']}.{row['decision']}", row["count"], unit="rows", use_case=name, tables=[table])
    step.figure("scored", added, unit="rows", use_case=name, tables=[table])
    said = f"{alias} v{version}" if alias else f"v{version}"
    step.say(f"{table}: {added:,} rows by {said}" + ("" if added else "; nothing new"))
    if alias != CHAMPION:
        step.warn(f"{name} has no champion; v{version} scored for review only")
    return {"rows": added, "version": version, "alias": alias}
