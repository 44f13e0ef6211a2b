"""A few decisions, and of every source only the versions that their features can look at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, Source, UseCase
from finlake.features.decisions import decisions, key_text
from finlake.features.definitions import match_columns, select
from finlake.features.plan import make_plan


def decisions_of(keys: DataFrame, versions: DataFrame, use_case: UseCase, source: Source) -> DataFrame:
    """Decisions with these keys; a key without a known row gives none.

    Args:
        keys: decision_key, each once.
        versions: silver versions of the scored source.
        use_case: whose decisions.
        source: the contract of the scored source.

    Returns:
        what `decisions.decisions` gives.
    """
    named = versions.withColumn("decision_key", key_text(source.key))
    return decisions(named.join(keys, "decision_key", "left_semi").drop("decision_key"), use_case, source)


def entity_versions(
    decided: DataFrame, versions: Mapping[str, DataFrame], use_case: UseCase, config: Config
) -> dict[str, DataFrame]:
    """Versions of the rows that ever belonged to an entity of the decisions, of the decisions' own rows, and of reports
    about any of these.

    A row is there with all its versions, also those of another entity: a version ends where the next one begins.

    Args:
        decided: of `decisions.decisions`, few and cheap to read: it is read for each entity column.
        versions: silver versions of every source in `build.sources_read`.
        use_case: whose features.
        config: definitions and contracts.

    Returns:
        by source, for those in `build.sources_read`. Decisions whose entity is unknown bring their own rows only.
    """
    scored = config.source(use_case.score.each)
    row_sets = list(make_plan(select(use_case, config), use_case, config).row_sets.values())
    sources = {scored.source: scored} | {row_set.source.source: row_set.source for row_set in row_sets}
    wanted: dict[str, list[DataFrame]] = {scored.source: [decided.select(F.col("decision_key").alias("_key"))]}
    for source, entity in dict.fromkeys((row_set.source.source, row_set.entity) for row_set in row_sets):
        column = F.col(f"`{entity}`").cast("string").alias("_entity")
        asked = F.broadcast(decided.select(column).filter(F.col("_entity").isNotNull()).distinct())
        rows = versions[source].select(column, key_text(sources[source].key).alias("_key"))
        wanted.setdefault(source, []).append(rows.join(asked, "_entity", "left_semi").select("_key"))
    found = {name: _with_keys(versions[name], sources[name], keys) for name, keys in wanted.items()}
    reports: dict[str, list[DataFrame]] = {}
    for row_set in row_sets:
        for label in row_set.labels:
            told, columns = config.use_case(label), match_columns(config.use_case(label), row_set.source)
            source = told.label.from_.source
            sources[source] = config.source(source)
            match = key_text(columns).alias("_match")
            about = versions[source].select(match, key_text(sources[source].key).alias("_key"))
            reports.setdefault(source, []).append(
                about.join(found[row_set.source.source].select(match), "_match", "left_semi").select("_key")
            )
    for name, keys in reports.items():
        found[name] = _with_keys(versions[name], sources[name], [*wanted.get(name, []), *keys])
    return found


def _with_keys(versions: DataFrame, source: Source, keys: list[DataFrame]) -> DataFrame:
    named = versions.withColumn("_key", key_text(source.key))
    return named.join(reduce(DataFrame.unionByName, keys), "_key", "left_semi").drop("_key")
