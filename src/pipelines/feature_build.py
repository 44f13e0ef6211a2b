"""The feature table of a use case: what it was built from, and how it is brought to now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.errors import FreshnessError
from finlake.features.build import build_features, carried, sources_read
from finlake.features.decisions import decisions
from finlake.features.definitions import definition_digest, select
from finlake.features.increment import touched_decisions, touched_keys
from finlake.features.leakage.declared import audit
from finlake.features.leakage.findings import refuse_leaks
from finlake.features.words import describe
from finlake.lakehouse import scratch
from finlake.pipelines.step import Step
from finlake.workspace.runtime import on_databricks
from finlake.workspace.unity_catalog import declare_feature_key

BUILDS = "ops.features"
_BUILDS = "use_case string, definition string, inputs string, as_of string, rows bigint, run_id string"
_KEYS = {
    "decision_key": "key of the scored row",
    "event_ts": "when it happened; windows end here",
    "decision_ts": "when it was decided on; nothing known later is used",
    "_definition": "digest of the definitions",
}


@dataclass(frozen=True)
class Build:
    """The feature table of a use case, the sources as they are now, and what it was last built from."""

    step: Step
    use_case: UseCase
    versions: dict[str, DataFrame]
    inputs: dict[str, int]  # source -> version
    definition: str
    before: Row | None  # of ops.features; None where there is none of these definitions
    table: str

    @classmethod
    def open(cls, step: Step, use_case: UseCase, table: str = "") -> Build:
        """Reads the sources and audits the definitions; `table` where it is not features.<use case>.

        Raises:
            LeakageError: a feature would know what was not known at the moment of the decision.
        """
        lake, config = step.lake, step.config
        versions = {source: lake.read(f"silver.{source}") for source in sources_needed(use_case, config)}
        refuse_leaks(audit(use_case, config, versions))
        inputs = {source: lake.reads[f"silver.{source}"] for source in versions}
        definition = f"{definition_digest(use_case, config)} {' '.join(carried(use_case, config))}"
        table = table or f"features.{use_case.use_case}"
        before = last_build(step, table)
        if before is not None and before["definition"] != definition:
            before = None
        return cls(step, use_case, versions, inputs, definition, before, table)

    @property
    def _said(self) -> tuple[str, str, str]:
        return self.definition, json.dumps(self.inputs, sort_keys=True), self.step.now.isoformat()

    def stands(self, before: Row) -> bool:
        """Nothing is new since."""
        return self._said == (before["definition"], before["inputs"], before["as_of"])

    def news(self) -> dict[str, DataFrame] | None:
        """Change feeds since the last build, of the sources that changed; None where only a rebuild is sure."""
        lake, before = self.step.lake, self.before
        if before is None or not lake.exists(self.table):
            return None
        seen: dict[str, int] = json.loads(before["inputs"])
        if seen.keys() != self.inputs.keys() or self.step.now < datetime.fromisoformat(before["as_of"]):
            return None
        news = {}
        for source, since in seen.items():
            if self.inputs[source] != since:
                changes = lake.changes(f"silver.{source}", since, self.inputs[source])
                if changes is None:
                    return None
                news[source] = changes
        return news

    def changed(self) -> list[str]:
        """Sources with another version than the table was built from."""
        seen: dict[str, int] = json.loads(self.before["inputs"]) if self.before else {}
        return [source for source, version in self.inputs.items() if seen.get(source) != version]

    def would(self) -> str:
        """What bringing the table to now means, in words."""
        if self.before is None:
            told = last_build(self.step, self.table)
            return "compute every decision: " + ("the definitions changed" if told else "there is no table yet")
        if self.stands(self.before):
            return f"compute nothing: {self.before['rows']:,} decisions stand"
        if self.news() is None:
            return "compute every decision: the change feed does not tell all that is new"
        return "compute the decisions that news touches"

    def rebuild(self) -> None:
        """Computes every decision."""
        config, name = self.step.config, self.use_case.use_case
        scored = config.source(self.use_case.score.each)
        known = decisions(self.versions[scored.source], self.use_case, scored)
        known = known.filter(F.col("decision_ts") <= F.lit(self.step.now))
        frame = build_features(known, self.versions, self.use_case, config)
        about = f"One row for each decision of {name}, with what was known then. {self.use_case.purpose}"
        notes = comments(self.use_case, config)
        lake = self.step.lake
        lake.overwrite(self.table, frame, about=about, comments=notes, cluster_by=["decision_ts"])
        if on_databricks():
            declare_feature_key(lake.spark.sql, lake.names.full(self.table), "decision_key", "decision_ts")

    def update(self, news: Mapping[str, DataFrame], since: datetime) -> int:
        """Computes the decisions that the news touches, and those after `since`; the others stand as they are."""
        lake, use_case, config = self.step.lake, self.use_case, self.step.config
        built = lake.read(self.table).drop("_definition")
        # What is written down is known to be small, and joins without moving the large tables.
        with scratch(lake, self.table) as keep:
            keys = keep("keys", touched_keys(news, self.versions, built, use_case, config, since))
            scored = self.versions[use_case.score.each]
            decided = keep("decisions", touched_decisions(keys, scored, use_case, config, (since, self.step.now)))
            counted = decided.agg(F.count(F.lit(1)).alias("rows"), F.min("event_ts").alias("earliest")).first()
            rows = int(counted["rows"]) if counted else 0
            if counted and rows:
                frame = build_features(decided, self.versions, use_case, config, counted["earliest"])
                values = [column for column in frame.columns if column != "decision_key"]
                lake.merge(self.table, keep("features", frame), on=["decision_key"], update=values)
        return rows

    def finish(self) -> int:
        """Records what the table was built from; the number of its rows.

        Raises:
            FreshnessError: it is empty.
        """
        lake, step = self.step.lake, self.step
        rows = lake.read(self.table).count()
        if rows == 0:
            scored = self.use_case.score.each
            raise FreshnessError(
                f"{self.table} is empty: silver.{scored} holds nothing known up to {step.now:%d %b %Y %H:%M}"
            )
        record = lake.spark.createDataFrame(
            [(self.table.removeprefix("features."), *self._said, rows, step.run_id)], _BUILDS
        )
        lake.merge(BUILDS, record, on=["use_case"], update=["definition", "inputs", "as_of", "rows", "run_id"])
        return rows


def sources_needed(use_case: UseCase, config: Config) -> list[str]:
    """Sources to read: those of the windows, and that of the label for the auditor."""
    return list(dict.fromkeys([*sources_read(use_case, config), use_case.label.from_.source]))


def comments(use_case: UseCase, config: Config) -> dict[str, str]:
    """What each column of the feature table is."""
    scored, selection = config.source(use_case.score.each), select(use_case, config)
    said = {name: scored.silver_columns[name].about for name in carried(use_case, config)}
    said |= {name: describe(definition) for name, definition in selection.definitions.items()}
    said |= {name: scored.silver_columns[column].about for name, column in selection.own.items()}
    return {**said, **_KEYS}


def last_build(step: Step, table: str) -> Row | None:
    """What a feature table was last built from, whatever its definitions."""
    if not step.lake.exists(BUILDS):
        return None
    return step.lake.read(BUILDS).filter(F.col("use_case") == table.removeprefix("features.")).first()
