"""Recomputes a sample of decisions by every execution of the definitions, and compares them with brute force."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.features.agreement import Difference, Features, differences, exact_features
from finlake.features.definitions import select
from finlake.features.reference import Reference
from finlake.features.window_rows import STATE, report_rows, state_rows
from finlake.pipelines.feature_build import Build
from finlake.pipelines.sampled import Sample, aware, values_of
from finlake.pipelines.step import Step
from finlake.serving.live import OnlineFeatures
from finlake.serving.row import OwnRow, micros
from finlake.serving.sqlite import SqliteStore

_SLICES = 3


@dataclass(frozen=True)
class Verified:
    """What was compared: execution -> decision -> values; differences from the reference; rows that explain the first."""

    executions: dict[str, dict[str, Features]]
    features: list[str]
    differences: list[Difference]
    rows: list[Mapping[str, Any]]


def verify(step: Step, use_case: UseCase, rows: int) -> Verified:
    """Compares stored, batch, incremental, stream and online values of about `rows` decisions with the reference.

    Raises:
        TableError: the feature table is missing.
    """
    build = Build.open(step, use_case)
    names = list(select(use_case, step.config).outputs)
    stored = step.lake.read(build.table)
    sample = Sample.draw(step, build, stored, rows)
    step.say(
        f"{use_case.use_case}: {len(sample.decisions)} decisions, {sum(map(len, sample.versions.values())):,} versions"
    )
    reference = Reference(sample.versions, use_case, step.config)
    wanted = {decision["decision_key"]: reference.values(decision) for decision in sample.decisions}
    kept = stored.filter(F.col("decision_key").isin(list(wanted)))
    executions = {"stored": values_of(kept, names), "batch": values_of(sample.batch(), names)}
    for name, slices in (("incremental", 1), ("stream", _SLICES)):
        step.say(f"{use_case.use_case}: the {name} execution")
        executions[name] = sample.stepwise(slices, names)
    step.say(f"{use_case.use_case}: the online execution")
    executions["online"] = _online(sample)
    found = differences(executions, wanted, exact_features(select(use_case, step.config), step.config))
    explained: list[Mapping[str, Any]] = []
    if found and found[0].feature in reference.windows:
        decision = next(d for d in sample.decisions if d["decision_key"] == found[0].decision_key)
        explained = list(reference.rows(decision, found[0].feature))
    sample.forget()
    return Verified(executions, names, found, explained)


def _online(sample: Sample) -> dict[str, Features]:
    """Everything told row by row; for decisions of the second half, published at the median first."""
    times = sorted(aware(d["decision_ts"]) for d in sample.decisions)
    middle = times[(len(times) - 1) // 2]
    with tempfile.TemporaryDirectory() as folder:
        with SqliteStore(Path(folder) / "told.db") as store:
            told = _tell(sample, OnlineFeatures(store, sample.use_case, sample.step.config), store, None, middle)
        with SqliteStore(Path(folder) / "published.db") as store:
            return told | _tell(sample, OnlineFeatures(store, sample.use_case, sample.step.config), store, middle, None)


def _lateness(sample: Sample) -> timedelta:
    """How long after its row happened the latest of the decisions was taken."""
    return max((aware(d["decision_ts"]) - aware(d["event_ts"]) for d in sample.decisions), default=timedelta(0))


def _tell(
    sample: Sample, features: OnlineFeatures, store: SqliteStore, after: datetime | None, until: datetime | None
) -> dict[str, Features]:
    config = sample.step.config
    store.create(features.tables)
    if after is not None:
        frames = sample.frames()
        for one in features.sets:
            columns = [*STATE, *(column.name for column in one.table.columns)]
            rows = state_rows(frames, one.row_set, config, after, _lateness(sample)).select(*columns).toLocalIterator()
            store.put(one.table.name, map(tuple, rows))
        for label in features.labels.values():
            reports = report_rows(frames[label.source.source], config.use_case(label.name), config, after)
            store.put(label.table.name, map(tuple, reports.select(*STATE, "hit").toLocalIterator()))
    low = micros(after) if after is not None else None
    high = micros(until) if until is not None else None
    story: list[tuple[int, int, str, dict[str, Any]]] = []
    for source, versions in sample.versions.items():
        for row in versions:
            lasted = row["known_to"] is None or row["known_to"] > row["known_from"]
            if lasted and row["event_ts"] is not None and (low is None or micros(row["known_from"]) > low):
                story.append((micros(row["known_from"]), 0, source, row))
    story += [(micros(d["decision_ts"]), 1, sample.use_case.score.each, d) for d in sample.decisions]
    found: dict[str, Features] = {}
    for moment, asked, source, row in sorted(story, key=lambda event: event[:2]):
        if high is not None and moment > high:
            break
        if not asked:
            features.tell_row(OwnRow(config.source(source), row), moment)
        elif low is None or moment > low:
            this = OwnRow(config.source(source), row["this"])
            found[row["decision_key"]] = features.values(this, micros(row["event_ts"]), moment)
    return found
