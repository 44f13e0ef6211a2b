"""Step: brings the online store to what the lake knows, so that decisions need no Spark, and its answers to the lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import Target, UseCase
from finlake.features.build import sources_read
from finlake.features.window_rows import STATE, changed_since, report_rows, state_rows
from finlake.pipelines.profile import blocking
from finlake.pipelines.served import move_served
from finlake.pipelines.step import Step, Values
from finlake.serving.live import OnlineFeatures
from finlake.serving.open import open_store
from finlake.serving.row import micros
from finlake.serving.store import OnlineStore, Publication, Table

PUBLISHED = "ops.online"
_PUBLISHED = "use_case string, definition string, inputs string, as_of string, rows bigint, run_id string"


def online(step: Step, use_case: str = "all", rebuild: bool = False) -> Values:
    """Publishes what the windows of the use cases need of each entity, as known at the step's moment.

    Only rows that changed since the last publication are written, unless definitions changed or `rebuild` is given.
    Failed expectations and strong drift stop the publication of a use case; what was published before stays in charge.
    What was answered since the last run is moved to ops.served_features in any case.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    rows, served = {}, {}
    with open_store(step.config.target, step.lake.root) as store:
        for name in names:
            rows[name] = _publish(step, store, step.config.use_case(name), rebuild=rebuild)
            served[name] = move_served(step, store, name)
    return {"rows": rows, "served": served}


def _publish(step: Step, store: OnlineStore, use_case: UseCase, *, rebuild: bool) -> int:
    lake, config, name = step.lake, step.config, use_case.use_case
    features = OnlineFeatures(store, use_case, config)
    versions = {source: lake.read(f"silver.{source}") for source in sources_read(use_case, config)}
    inputs = {source: lake.reads[f"silver.{source}"] for source in versions}
    same = (features.definition, json.dumps(inputs, sort_keys=True), step.now.isoformat())
    before = None if rebuild else _last(step, store, features, name)
    if before is not None and same == (before["definition"], before["inputs"], before["as_of"]):
        step.say(f"online {name}: nothing new")
        return 0
    moment = micros(step.now)
    expires = use_case.online.expires_after.micros if use_case.online.expires_after else None
    if against := blocking(step, name):
        store.refuse(Publication(name, features.definition, moment, moment, expires, "; ".join(against)))
        step.warn(f"online {name}: not published, the last good values stay: {'; '.join(against)}")
        return 0
    store.create(features.tables)
    changes = _changes(step, before, inputs) if before is not None else None
    rows = sum(_write(step, frame, table) for table, frame in _frames(step, features, versions, before, changes))
    store.publish(Publication(name, features.definition, moment, moment, expires, ""))
    store.drop(features.outdated())
    for one in features.sets:
        if (reach := one.row_set.reach) is not None:
            store.prune(one.table.name, micros(step.now - reach - features.late))
    record = lake.spark.createDataFrame([(name, *same, rows, step.run_id)], _PUBLISHED)
    lake.merge(PUBLISHED, record, on=["use_case"], update=["definition", "inputs", "as_of", "rows", "run_id"])
    what = "all of it" if changes is None else "what changed"
    step.say(f"online {name}: {rows:,} rows published ({what}), known up to {step.now:%d %b %Y %H:%M}")
    return rows


def _frames(
    step: Step,
    features: OnlineFeatures,
    versions: Mapping[str, DataFrame],
    before: Row | None,
    changes: Mapping[str, DataFrame] | None,
) -> Iterator[tuple[Table, DataFrame]]:
    config, now = step.config, step.now
    for one in features.sets:
        held = dict(versions)
        if before is not None and changes is not None:
            since = datetime.fromisoformat(before["as_of"])
            held[one.row_set.source.source] = changed_since(versions, changes, one.row_set, config, since)
        yield one.table, state_rows(held, one.row_set, config, now, features.late, whole=changes is None)
    for label in features.labels.values():
        yield label.table, report_rows(versions[label.source.source], config.use_case(label.name), config, now)


def _write(step: Step, frame: DataFrame, table: Table) -> int:
    columns = [*STATE, *(column.name for column in table.columns)]
    put = partial(_put, table=table.name, target=step.config.target, root=step.lake.root, until=micros(step.now))
    counted = frame.select(*columns).mapInArrow(put, "rows bigint").agg(F.sum("rows").alias("rows")).first()
    return int(counted["rows"] or 0) if counted else 0


def _put(
    batches: Iterable[pa.RecordBatch], table: str, target: Target, root: Path | None, until: int
) -> Iterator[pa.RecordBatch]:
    """In place of what was known of these keys by the publication's moment; what was told later stays."""
    with open_store(target, root) as store:
        for batch in batches:
            rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            with store.transaction():
                store.forget(table, [row[0] for row in rows], until)
                store.put(table, rows)
            yield pa.RecordBatch.from_pydict({"rows": pa.array([batch.num_rows], pa.int64())})


def _changes(step: Step, before: Row, inputs: Mapping[str, int]) -> dict[str, DataFrame] | None:
    """Change feeds since the last publication; None where only all of it is sure."""
    seen: dict[str, int] = json.loads(before["inputs"])
    found = {}
    for source, version in inputs.items():
        if source not in seen:
            return None
        if version != seen[source]:
            changed = step.lake.changes(f"silver.{source}", seen[source], version)
            if changed is None:
                return None
            found[source] = changed
    return found


def _last(step: Step, store: OnlineStore, features: OnlineFeatures, name: str) -> Row | None:
    """The last publication of the present definitions, if the store still holds it."""
    held = store.publication(name)
    if held is None or held.definition != features.definition or not step.lake.exists(PUBLISHED):
        return None
    row = step.lake.read(PUBLISHED).filter(F.col("use_case") == name).first()
    if row is None or row["definition"] != features.definition or datetime.fromisoformat(row["as_of"]) > step.now:
        return None
    return row
