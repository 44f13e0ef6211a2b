"""Step: the point-in-time feature table of a use case."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.errors import FreshnessError
from finlake.features.audit import audit, refuse_leaks
from finlake.features.build import build_features, carried, sources_read
from finlake.features.decisions import decisions
from finlake.features.definitions import definition_digest, select
from finlake.features.increment import touched_decisions
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


def features(step: Step, use_case: str = "all", rebuild: bool = False) -> Values:
    """Brings features.<use_case> to hold every decision up to the step's moment.

    Only decisions that news since the last build touches are computed, unless definitions changed or `rebuild` is given.

    Raises:
        LeakageError: a feature would know what was not known at the moment of the decision.
        FreshnessError: there is no decision up to the step's moment.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"rows": {name: _build(step, step.config.use_case(name), rebuild=rebuild) for name in names}}


def _build(step: Step, use_case: UseCase, *, rebuild: bool) -> int:
    lake, config, name = step.lake, step.config, use_case.use_case
    table = f"features.{name}"
    versions = {source: lake.read(f"silver.{source}") for source in sources_needed(use_case, config)}
    refuse_leaks(audit(use_case, config, versions))
    digest = definition_digest(use_case, config)
    inputs = json.dumps({source: lake.reads[f"silver.{source}"] for source in versions}, sort_keys=True)
    built_from = f"{digest} {' '.join(carried(use_case, config))}"
    same = (built_from, inputs, step.now.isoformat())
    before = None if rebuild else _last_build(step, name)
    if before is not None and same == (before["definition"], before["inputs"], before["as_of"]):
        step.say(f"{table}: nothing new, {before['rows']:,} decisions stand")
        return int(before["rows"])
    news = _news(step, before, versions) if before is not None and before["definition"] == built_from else None
    if before is None or news is None:
        _rebuild(step, use_case, versions)
        touched = "all of them computed"
    else:
        touched = f"{_update(step, use_case, versions, before, news):,} of them computed"
    rows = lake.read(table).count()
    if rows == 0:
        scored = use_case.score.each
        raise FreshnessError(f"{table} is empty: silver.{scored} holds nothing known up to {step.now:%d %b %Y %H:%M}")
    record = lake.spark.createDataFrame([(name, *same, rows, step.run_id)], _BUILDS)
    lake.merge(BUILDS, record, on=["use_case"], update=["definition", "inputs", "as_of", "rows", "run_id"])
    step.say(f"{table}: {rows:,} decisions, {touched}, {len(select(use_case, config).outputs)} features")
    return rows


def _rebuild(step: Step, use_case: UseCase, versions: Mapping[str, DataFrame]) -> None:
    config, name = step.config, use_case.use_case
    scored = config.source(use_case.score.each)
    known = decisions(versions[scored.source], use_case, scored).filter(F.col("decision_ts") <= F.lit(step.now))
    frame = build_features(known, versions, use_case, config)
    about = f"One row for each decision of {name}, with what was known then. {use_case.purpose}"
    notes = comments(use_case, config)
    step.lake.overwrite(f"features.{name}", frame, about=about, comments=notes, cluster_by=["decision_ts"])


def _update(
    step: Step, use_case: UseCase, versions: Mapping[str, DataFrame], before: Row, news: Mapping[str, DataFrame]
) -> int:
    """Computes the decisions that the news touches; the others stand as they are."""
    lake, table = step.lake, f"features.{use_case.use_case}"
    built = lake.read(table).drop("_definition")
    until = (datetime.fromisoformat(before["as_of"]), step.now)
    touched = touched_decisions(news, versions, built, use_case, step.config, until)
    work = f"ops.touched_{use_case.use_case}"
    lake.overwrite(work, touched, about="Work of features in progress.")
    decided = lake.read(work)
    counted = decided.agg(F.count(F.lit(1)).alias("rows"), F.min("event_ts").alias("earliest")).first()
    rows = int(counted["rows"]) if counted else 0
    if counted and rows:
        frame = build_features(decided, versions, use_case, step.config, counted["earliest"])
        values = [column for column in frame.columns if column != "decision_key"]
        lake.merge(table, frame, on=["decision_key"], update=values)
    lake.drop(work)
    return rows


def _news(step: Step, before: Row, versions: Mapping[str, DataFrame]) -> dict[str, DataFrame] | None:
    """Change feeds since the last build, of the sources that changed; None where only a rebuild is sure."""
    lake = step.lake
    seen: dict[str, int] = json.loads(before["inputs"])
    if seen.keys() != versions.keys() or step.now < datetime.fromisoformat(before["as_of"]):
        return None
    if not lake.exists(f"features.{before['use_case']}"):
        return None
    news = {}
    for source, since in seen.items():
        if lake.reads[f"silver.{source}"] != since:
            changes = lake.changes(f"silver.{source}", since, lake.reads[f"silver.{source}"])
            if changes is None:
                return None
            news[source] = changes
    return news


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
