"""A sample of decisions with every version of their entities, and its values by the executions that need Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.features.agreement import Features
from finlake.features.build import build_features
from finlake.features.decisions import decisions
from finlake.features.definitions import select
from finlake.features.entity_versions import decisions_of, entity_versions
from finlake.features.increment import touched_decisions, touched_keys
from finlake.features.plan import make_plan
from finlake.pipelines.feature_build import Build
from finlake.pipelines.step import Step

LARGEST = 20_000  # versions of one entity that are brought to this process
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Sample:
    """Decisions of a use case, and every version of their entities: as small tables, and in this process."""

    step: Step
    use_case: UseCase
    tables: dict[str, str]  # source -> work table
    decisions: Rows  # with `this`, the scored row's columns
    versions: dict[str, Rows]  # source -> silver columns, event_ts, known_from, known_to

    @classmethod
    def draw(cls, step: Step, build: Build, stored: DataFrame, rows: int) -> Sample:
        """By hash of the key, so that a second call draws the same; decisions of very large entities are left out."""
        use_case, config, lake = build.use_case, step.config, step.lake
        scored = config.source(use_case.score.each)
        by_hash = stored.select("decision_key").orderBy(F.xxhash64("decision_key"), "decision_key").limit(rows)
        known = decisions_of(by_hash, build.versions[scored.source], use_case, scored)
        drawn = [row.asDict() for row in known.filter(F.col("decision_ts") <= F.lit(step.now)).collect()]
        entities: dict[tuple[str, str], None] = {}
        for row_set in make_plan(select(use_case, config), use_case, config).row_sets.values():
            entities[row_set.source.source, row_set.entity] = None
        for source, column in entities:
            drawn = _ordinary(step, build.versions[source], source, column, drawn)
        keys = lake.spark.createDataFrame([(decision["decision_key"],) for decision in drawn], "decision_key string")
        decided = decisions_of(keys, build.versions[scored.source], use_case, scored)
        frames = entity_versions(decided, build.versions, use_case, config)
        tables = {source: f"ops.verify_{use_case.use_case}_{source}" for source in frames}
        versions = {}
        for source, frame in frames.items():
            lake.overwrite(tables[source], frame, about="Work of verify in progress.")
            kept = [*config.source(source).silver_columns, "event_ts", "known_from", "known_to"]
            versions[source] = [row.asDict() for row in lake.read(tables[source]).select(*map(_quoted, kept)).collect()]
        return cls(step, use_case, tables, [{**decision, "this": decision} for decision in drawn], versions)

    def frames(self, moment: datetime | None = None) -> dict[str, DataFrame]:
        """Versions as silver holds them, or held them at a moment."""
        frames = {source: self.step.lake.read(table) for source, table in self.tables.items()}
        if moment is None:
            return frames
        now = F.lit(moment)
        until = F.when(F.col("known_to") <= now, F.col("known_to"))
        return {s: f.filter(F.col("known_from") <= now).withColumn("known_to", until) for s, f in frames.items()}

    def _mine(self, frame: DataFrame) -> DataFrame:
        return frame.filter(F.col("decision_key").isin([d["decision_key"] for d in self.decisions]))

    def _known(self, versions: Mapping[str, DataFrame], until: datetime) -> DataFrame:
        scored = self.step.config.source(self.use_case.score.each)
        known = decisions(versions[scored.source], self.use_case, scored)
        return self._mine(known).filter(F.col("decision_ts") <= F.lit(until))

    def batch(self) -> DataFrame:
        frames = self.frames()
        return build_features(self._known(frames, self.step.now), frames, self.use_case, self.step.config)

    def stepwise(self, slices: int, names: Sequence[str]) -> dict[str, Features]:
        """The table at the median decision, brought to now by what silver's change feed would have told since."""
        step, config, lake = self.step, self.step.config, self.step.lake
        times = sorted(aware(d["decision_ts"]) for d in self.decisions)
        moments = [
            times[len(times) // 2 + (len(times) - len(times) // 2) * n // slices - (n == slices)]
            for n in range(slices + 1)
        ]
        moments[-1] = step.now
        table = f"ops.verify_{self.use_case.use_case}"
        frames = self.frames(moments[0])
        lake.overwrite(table, build_features(self._known(frames, moments[0]), frames, self.use_case, config))
        for before, now in zip(moments, moments[1:], strict=False):
            held = self.frames(now)
            changes = {source: _changed(frame, before, now) for source, frame in held.items()}
            built = lake.read(table).drop("_definition")
            keys = touched_keys(changes, held, built, self.use_case, config, before)
            scored = held[self.use_case.score.each]
            touched = self._mine(touched_decisions(keys, scored, self.use_case, config, (before, now)))
            frame = build_features(touched, held, self.use_case, config)
            lake.merge(table, frame, on=["decision_key"], update=[c for c in frame.columns if c != "decision_key"])
        found = values_of(lake.read(table), names)
        lake.drop(table)
        return found

    def forget(self) -> None:
        """Drops the work tables."""
        for table in self.tables.values():
            self.step.lake.drop(table)


def _ordinary(step: Step, versions: DataFrame, source: str, entity: str, drawn: Rows) -> Rows:
    """Decisions whose entity has no more versions than fit into this process."""
    column = F.col(_quoted(entity)).cast("string").alias("entity")
    counted = versions.filter(_of(drawn, entity)).groupBy(column).count().filter(F.col("count") > LARGEST)
    large = {row["entity"] for row in counted.collect()}
    kept = [decision for decision in drawn if str(decision[entity]) not in large]
    if len(kept) < len(drawn):
        left = len(drawn) - len(kept)
        step.warn(f"{left} decisions are left out: their {entity} has more than {LARGEST:,} rows of {source}")
    return kept


def _of(drawn: Rows, entity: str) -> Column:
    """Rows of the decisions' entities."""
    named = sorted({str(decision[entity]) for decision in drawn if decision[entity] is not None})
    return F.col(_quoted(entity)).cast("string").isin(named)


def _quoted(name: str) -> str:
    return f"`{name}`"


def _changed(versions: DataFrame, before: datetime, now: datetime) -> DataFrame:
    """What the change feed tells between two moments, where every row arrives when it becomes known."""
    since = F.lit(before)
    new = versions.filter(F.col("known_from") > since).withColumn("_change_type", F.lit("insert"))
    ended = versions.filter((F.col("known_from") <= since) & (F.col("known_to") > since))
    return new.unionByName(ended.withColumn("_change_type", F.lit("update_postimage")))


def values_of(frame: DataFrame, names: Sequence[str]) -> dict[str, Features]:
    """Decision key -> feature values of a small table."""
    rows = frame.select("decision_key", *(f"`{name}`" for name in names)).collect()
    return {row["decision_key"]: {name: row[name] for name in names} for row in rows}


def aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
