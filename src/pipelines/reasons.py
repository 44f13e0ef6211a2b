"""Reasons on demand: for decisions that nobody acted on, the same words as for those that somebody did."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.errors import TableError
from finlake.models.explain import with_reasons
from finlake.models.registry import Registry
from finlake.models.scoring import valued
from finlake.pipelines.feature_versions import version_of
from finlake.pipelines.reason_words import renderer
from finlake.pipelines.step import Step

MOST = 1000  # keys of one question


def reasons_of(step: Step, use_case: str, keys: Sequence[str]) -> DataFrame:
    """decision_key, model_version, decision, probability, raw_score and reasons of standing decisions (or, where none
    stands, of their newest score), by the model version that gave them. Nothing is written.

    Raises:
        TableError: nothing is scored, a key has no score, or its features by the model's definitions are gone.
    """
    lake, table = step.lake, f"scores.{use_case}"
    step.config.use_case(use_case)
    if not lake.exists(table):
        raise TableError(f"nothing of {use_case} is scored yet; run: finlake score --use-case {use_case}")
    wanted = list(dict.fromkeys(keys))
    if not wanted or len(wanted) > MOST:
        raise TableError(f"give between 1 and {MOST} decision keys, got {len(wanted)}")
    scored = lake.read(table).where(F.col("decision_key").isin(wanted) & (F.col("scored_at") <= F.lit(step.now)))
    newest = F.max(F.struct((F.col("kind") == "first").alias("stands"), "scored_at", "model_version", "decision",
                            "probability", "raw_score", "decision_ts", "feature_digest"))  # fmt: skip
    chosen = scored.groupBy("decision_key").agg(newest.alias("s")).select("decision_key", "s.*").collect()
    missing = [key for key in wanted if key not in {row["decision_key"] for row in chosen}]
    if missing:
        raise TableError(
            f"{use_case} has no score of {', '.join(map(repr, missing[:5]))}; keys stand in {table}.decision_key"
        )
    registry = Registry(step.config.target, lake.root, use_case)
    parts = [
        _by_version(step, use_case, registry, version, [row for row in chosen if row["model_version"] == version])
        for version in sorted({row["model_version"] for row in chosen})
    ]
    made = parts[0]
    for part in parts[1:]:
        made = made.unionByName(part)
    return made


def _by_version(step: Step, use_case: str, registry: Registry, version: str, rows: Sequence[Row]) -> DataFrame:
    lake, artefact = step.lake, registry.load(version)
    learnt = version_of(step, use_case, artefact.card.definition)
    table = learnt.table if learnt is not None else f"features.{use_case}"
    features, card = lake.read(table), artefact.card
    found = features.select("_definition").first()
    if found is None or found["_definition"] != card.definition:
        raise TableError(
            f"{use_case} v{version} learnt from definitions {card.definition}, and no feature table holds their values any "
            "more; scores keep the reasons of what was acted on"
        )
    fields = ["decision_key", "decision_ts", "model_version", "decision", "probability", "raw_score"]
    schema = lake.read(f"scores.{use_case}").select(*fields).schema
    asked = lake.spark.createDataFrame([tuple(row[name] for name in fields) for row in rows], schema)
    known = valued(features.join(F.broadcast(asked), ["decision_key", "decision_ts"]), card.features)
    config, chosen = (learnt.step.config, learnt.use_case) if learnt else (step.config, step.config.use_case(use_case))
    return with_reasons(known.select(*fields, "_values"), artefact, renderer(config, chosen, card.usual)).drop(
        "decision_ts"
    )
