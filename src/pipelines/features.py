"""Step: the point-in-time feature table of a use case."""

from __future__ import annotations

import json

from pyspark.sql import Row
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.errors import FreshnessError
from finlake.features.audit import audit, refuse_leaks
from finlake.features.build import build_features, carried, sources_read
from finlake.features.decisions import decisions
from finlake.features.definitions import definition_digest, select
from finlake.features.words import describe
from finlake.pipelines.step import Step, Values

BUILDS = "ops.features"
_BUILDS = "use_case string, definition string, inputs string, as_of string, rows bigint, run_id string"
_KEYS = {
    "decision_key": "key of the scored row",
    "event_ts": "when it happened; windows end here",
    "decision_ts": "when it was decided on; nothing known later is used",
    "_definition": "digest of the definitions",
}


def features(step: Step, use_case: str = "all") -> Values:
    """Builds features.<use_case> for every decision up to the step's moment; unchanged inputs are not built again.

    Raises:
        LeakageError: a feature would know what was not known at the moment of the decision.
        FreshnessError: there is no decision up to the step's moment.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"rows": {name: _build(step, step.config.use_case(name)) for name in names}}


def _build(step: Step, use_case: UseCase) -> int:
    lake, config, name = step.lake, step.config, use_case.use_case
    table = f"features.{name}"
    scored = config.source(use_case.score.each)
    versions = {source: lake.read(f"silver.{source}") for source in sources_needed(use_case, config)}
    refuse_leaks(audit(use_case, config, versions))
    digest = definition_digest(use_case, config.groups)
    inputs = json.dumps({source: lake.reads[f"silver.{source}"] for source in versions}, sort_keys=True)
    same = (digest, inputs, step.now.isoformat())
    before = _last_build(step, name)
    if before is not None and lake.exists(table) and same == (before["definition"], before["inputs"], before["as_of"]):
        step.say(f"{table}: nothing new, {before['rows']:,} decisions stand")
        return int(before["rows"])
    known = decisions(versions[scored.source], use_case, scored).filter(F.col("decision_ts") <= F.lit(step.now))
    frame = build_features(known, versions, use_case, config)
    about = f"One row for each decision of {name}, with what was known then. {use_case.purpose}"
    lake.overwrite(table, frame, about=about, comments=comments(use_case, config), cluster_by=["decision_ts"])
    rows = lake.read(table).count()
    if rows == 0:
        raise FreshnessError(
            f"{table} is empty: silver.{scored.source} holds nothing known up to {step.now:%d %b %Y %H:%M}"
        )
    record = lake.spark.createDataFrame([(name, *same, rows, step.run_id)], _BUILDS)
    lake.merge(BUILDS, record, on=["use_case"], update=["definition", "inputs", "as_of", "rows", "run_id"])
    step.say(f"{table}: {rows:,} decisions, {len(select(use_case, config).outputs)} features")
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


def _last_build(step: Step, name: str) -> Row | None:
    if not step.lake.exists(BUILDS):
        return None
    return step.lake.read(BUILDS).filter(F.col("use_case") == name).first()
