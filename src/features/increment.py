"""Which decisions the news of the sources touches: new ones, and those that could have known a row that came late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.features.decisions import key_text
from finlake.features.definitions import match_columns, select
from finlake.features.entity_versions import decisions_of
from finlake.features.plan import make_plan
from finlake.features.rows import RowSet

_ANY = "0001-01-01"  # a decision touched by another row is computed, whatever is known of its own


def touched_keys(
    changes: Mapping[str, DataFrame],
    versions: Mapping[str, DataFrame],
    built: DataFrame,
    use_case: UseCase,
    config: Config,
    before: datetime,
) -> DataFrame:
    """Keys of the decisions that news touches: `decision_key`, and since when the first news of its own row is known.

    A decision is touched by a version of its entity that begins or ends by the decision's moment and lies before its
    row. News is mostly known after the decisions that are there, and so touches few of them.

    Args:
        changes: by source, the rows that silver's change feed shows since the table was built, with `_change_type`.
        versions: silver versions by source.
        built: the feature table.
        use_case: whose decisions.
        config: definitions and contracts.
        before: the moment up to which decisions are in the table.
    """
    keys = [_news(changes, versions, use_case, config, before)]
    late = {name: rows for name, rows in changes.items() if _told_by(rows, before)}
    if late:  # mostly everything new became known after the decisions in the table
        keys += list(_late(late, versions, built, use_case, config))
    return reduce(DataFrame.unionByName, keys).groupBy("decision_key").agg(F.min("_first").alias("_first"))


def touched_decisions(
    touched: DataFrame, versions: DataFrame, use_case: UseCase, config: Config, until: tuple[datetime, datetime]
) -> DataFrame:
    """Decisions to compute, as `decisions.decisions` gives them: no other row of the feature table changes.

    Args:
        touched: of `touched_keys`, best written down: Spark then sees that there are few, and leaves the versions
            where they are.
        versions: silver versions of the scored source.
        use_case: whose decisions.
        config: contracts.
        until: the moments up to which decisions were, and now are, to be in the table.
    """
    before, now = until
    scored = config.source(use_case.score.each)
    found = decisions_of(touched, versions, use_case, scored)
    known = found.join(touched, "decision_key").filter(F.col("decision_ts") <= F.lit(now))
    corrected = (F.col("known_from") < F.col("_first")) & (F.col("decision_ts") <= F.lit(before))
    return known.filter(~corrected).drop("_first")


def _told_by(changes: DataFrame, before: datetime) -> bool:
    return not changes.filter(_moment() <= F.lit(before)).isEmpty()


def _moment() -> Column:
    """From when a changed version makes a difference."""
    return F.when(F.col("_change_type") == "insert", F.col("known_from")).otherwise(F.col("known_to"))


def _news(
    changes: Mapping[str, DataFrame],
    versions: Mapping[str, DataFrame],
    use_case: UseCase,
    config: Config,
    before: datetime,
) -> DataFrame:
    """Keys of the scored source with a new version, and since when it is known; a decision stands on the first one."""
    scored = config.source(use_case.score.each)
    key = key_text(scored.key).alias("decision_key")
    waited = (F.col("event_ts") > F.lit(before)) | (F.col("known_from") > F.lit(before))
    kept = versions[scored.source].filter(waited).select(key, F.col("known_from").alias("_first"))
    if scored.source not in changes:
        return kept
    new = changes[scored.source].filter(F.col("_change_type") == "insert")
    return kept.unionByName(new.select(key, F.col("known_from").alias("_first")))


def _late(
    changes: Mapping[str, DataFrame],
    versions: Mapping[str, DataFrame],
    built: DataFrame,
    use_case: UseCase,
    config: Config,
) -> Iterator[DataFrame]:
    """Decisions in the table whose windows a change reaches."""
    for row_set in make_plan(select(use_case, config), use_case, config).row_sets.values():
        news = list(_reached(changes, versions, row_set, config))
        if not news:
            continue
        entities = reduce(DataFrame.unionByName, news).groupBy("_entity")
        since = entities.agg(F.min("_moment").alias("_moment"), F.min("_at").alias("_at"))
        same = F.col(f"`{row_set.entity}`").cast("string") == F.col("_entity")
        reached = (F.col("decision_ts") >= F.col("_moment")) & (F.col("event_ts") >= F.col("_at"))
        found = built.join(since, same & reached)
        yield found.select("decision_key", F.lit(_ANY).cast("timestamp").alias("_first"))


def _reached(
    changes: Mapping[str, DataFrame], versions: Mapping[str, DataFrame], row_set: RowSet, config: Config
) -> Iterator[DataFrame]:
    """`_entity`, the moment from which something else is known of it, and the time of the row that says it."""
    source = row_set.source
    entity = F.col(f"`{row_set.entity}`").cast("string").alias("_entity")
    at = F.col("event_ts" if row_set.clock == "event" else "known_from").alias("_at")
    moment = _moment().alias("_moment")
    if source.source in changes:
        yield changes[source.source].select(entity, at, moment)
    for label in row_set.labels:
        other = config.use_case(label)
        if other.label.from_.source in changes:
            columns = match_columns(other, source)
            told = changes[other.label.from_.source].select(key_text(columns).alias("_match"), moment)
            labelled = versions[source.source].select(key_text(columns).alias("_match"), entity, at)
            yield labelled.join(told, "_match").select("_entity", "_at", "_moment")
