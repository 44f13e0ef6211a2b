"""Features of one decision without Spark against the batch: published in the middle of a world, then told row by row."""

from __future__ import annotations

import math
from datetime import UTC, timedelta
from typing import Any

from feature_cases import START, Version, config, world
from test_features import GROUPS, build, frames

from finlake.features.reference import Reference
from finlake.features.window_rows import STATE, report_rows, state_rows
from finlake.serving.live import OnlineFeatures
from finlake.serving.row import OwnRow, micros, typed
from finlake.serving.sqlite import SqliteStore
from finlake.serving.store import OnlineStore

MIDDLE = START + timedelta(days=1, hours=7)
MORE = {
    "card": {
        "entity": "card",
        "features": {
            **GROUPS["card"]["features"],
            "first_ever": {"first": "items"},
            "spent_3d": {"sum": "case when items > 0 then amount end", "windows": ["3d"]},
            "shop_kinds_3d": {"distinct": "lower(shop)", "windows": ["3d"]},
            "last_known_items": {"lookup": "items + 1", "clock": "known"},
            "was_large": {"lookup": "amount > 10"},
            "km_away": {"distance": ["km", "items"]},
            "km_an_hour": {"speed": ["km", "items"], "where": "amount is not null"},
        },
    },
    "shop": GROUPS["shop"],
}
EXACT = ("n_", "sum_", "min_", "max_", "few_", "known_", "told_", "first_", "last_", "shops_")


def publish(spark: Any, store: OnlineStore, features: OnlineFeatures, conf: Any, known: list[list[Version]]) -> None:
    versions = frames(spark, *known)
    store.create(features.tables)
    for one in features.sets:
        frame = state_rows(versions, one.row_set, conf, MIDDLE, features.late)
        columns = [*STATE, *(column.name for column in one.table.columns)]
        store.put(one.table.name, [tuple(row) for row in frame.select(*columns).collect()])
    for label in features.labels.values():
        frame = report_rows(versions["reports"], conf.use_case(label.name), conf, MIDDLE)
        store.put(label.table.name, [tuple(row) for row in frame.select(*STATE, "hit").collect()])


def at_middle(versions: list[Version]) -> list[Version]:
    return [v for v in versions if v.known_from <= MIDDLE]


def test_online_is_what_batch_computes_at_the_same_knowledge(spark, tmp_path):
    payments, reports = world(11, keys=90)
    conf = config(MORE, "known_at")
    wanted = {row["decision_key"]: row for row in build(spark, conf, payments, reports).collect()}
    assert_reference(payments, reports, conf, wanted)
    first = {}
    for version in payments:
        if version.known_to is None or version.known_to > version.known_from:
            first[version.key] = min(first.get(version.key, version), version, key=lambda v: v.known_from)
    with SqliteStore(tmp_path / "online.db") as store:
        features = OnlineFeatures(store, conf.use_case("fraud"), conf)
        publish(spark, store, features, conf, [payments, reports])
        later = [
            (v.known_from, "tell", name, v)
            for name, vs in (("payments", payments), ("reports", reports))
            for v in vs
            if v.known_from > MIDDLE and (v.known_to is None or v.known_to > v.known_from)
        ]
        asked = [(wanted[v.key]["decision_ts"].replace(tzinfo=UTC), "value", "payments", v) for v in first.values()]
        wrong, compared = [], 0
        for moment, what, name, version in sorted(
            later + [ask for ask in asked if ask[0] > MIDDLE], key=lambda event: event[:2]
        ):
            if what == "tell":
                features.tell(name, version.values, moment)
                continue
            this = OwnRow(conf.source("payments"), typed(conf.source("payments"), version.values))
            found = features.values(this, micros(version.event), micros(moment))
            for feature, value in found.items():
                compared += 1
                other = wanted[version.key][feature]
                if not same(value, other, exact=feature.startswith(EXACT)):
                    wrong.append((version.key, feature, value, other))
        assert compared > 500
        assert not wrong, f"{len(wrong)} of {compared} values differ: {wrong[:10]}"


def assert_reference(payments: list[Version], reports: list[Version], conf: Any, wanted: dict[str, Any]) -> None:
    """The batch against looking at every version, also for the kinds that the hand-written meanings lack."""
    names = {"payments": payments, "reports": reports}
    versions = {
        name: [{**v.values, "event_ts": v.event, "known_from": v.known_from, "known_to": v.known_to} for v in held]
        for name, held in names.items()
    }
    reference = Reference(versions, conf.use_case("fraud"), conf)
    first = {(v.key, v.known_from): v for v in payments if v.known_to is None or v.known_to > v.known_from}
    for key, row in wanted.items():
        decided = row["decision_ts"].replace(tzinfo=UTC)
        decision = {
            "decision_key": key,
            "event_ts": row["event_ts"],
            "decision_ts": decided,
            "this": first[key, decided].values,
        }
        wrong = [
            (name, value, row[name])
            for name, value in reference.values(decision).items()
            if not same(value, row[name], exact=name.startswith(EXACT))
        ]
        assert not wrong, f"{key}: {wrong}"


def same(a: float | None, b: float | None, *, exact: bool) -> bool:
    if a is None or b is None:
        return a is b
    return a == b if exact else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
