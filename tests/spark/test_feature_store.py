"""The steps of the feature store on a small lake: stream, online publication, verification, versions side by side."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.spark.feature_cases import config
from tests.spark.feature_deliveries import NOWS, deliver_all

from finlake.errors import UnknownNameError
from finlake.features.definitions import definition_digest
from finlake.lakehouse import Lake, table_digest
from finlake.models import records
from finlake.monitoring.records import FINDINGS, FINDINGS_COLUMNS, PROFILES
from finlake.pipelines.features import features
from finlake.pipelines.online import online
from finlake.pipelines.step import Step
from finlake.pipelines.stream import stream
from finlake.pipelines.training_data import remade
from finlake.pipelines.verify import verify
from finlake.serving.live import OnlineFeatures
from finlake.serving.open import open_store
from finlake.serving.row import micros

GROUPS = {
    "card": {
        "entity": "card",
        "features": {
            "n_1d": {"count": "rows", "windows": ["1d"]},
            "last_items": {"last": "items"},
            "damped": {
                "python": {"call": "scores.curves:damped", "of": ["this.amount", "last_items", "this.shop", "this.km"]}
            },
            "known_1d": {"count": "rows", "clock": "known", "windows": ["1d"]},
        },
    },
    "shop": {
        "entity": "shop",
        "features": {"fraud_2d": {"share": "label(fraud) = 1", "windows": ["2d"], "ends_before": "1d"}},
    },
}
FEWER = {"card": {"entity": "card", "features": {"n_2d": {"count": "rows", "windows": ["2d"]}}}, "shop": GROUPS["shop"]}
SHORT = {"split": {"train": "1d", "choose": "1d", "test": "1d"}}
CONF = config(GROUPS, "known_at", **SHORT)
SEED, KEYS = 3, 60
SHORTEST = timedelta(days=1)


def step_at(lake: Lake, number: int, conf=CONF) -> Step:
    conf.target = conf.target.model_copy(update={"lake": str(lake.root)})
    return Step(lake, conf, NOWS[number], "features")


@pytest.mark.long
def test_a_stream_ends_in_what_a_rebuild_gives_also_with_new_checkpoints(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    features(step_at(lake, 0), "fraud")
    before = table_digest(lake.read("features.fraud"))
    deliver_all(lake, SEED, KEYS, 1)
    step = step_at(lake, 1)
    assert stream(step, "fraud")["batches"]["fraud"] >= 2
    streamed = table_digest(lake.read("features.fraud"))
    assert streamed != before
    shutil.rmtree(Path(str(lake.root)) / ".checkpoints")
    lake.sql("UPDATE ops.features SET inputs = replace(inputs, '2', '1')")
    assert stream(step, "fraud")["batches"]["fraud"] >= 2
    assert table_digest(lake.read("features.fraud")) == streamed
    features(step, "fraud", rebuild=True)
    assert table_digest(lake.read("features.fraud")) == streamed


def held(step: Step) -> dict[str, list[tuple]]:
    """Everything in the online store, by table."""
    with open_store(step.config.target, step.lake.root) as store:
        tables = OnlineFeatures(store, step.config.use_case("fraud"), step.config).tables
        entities = ["c1", "c2", "c3", "s1", "s2", *(f"p{n}" for n in range(KEYS))]
        return {t.name: [row for e in entities for row in store.window(t.name, e, None, 2**62)] for t in tables}


@pytest.mark.long
def test_a_publication_of_what_changed_is_a_publication_of_all(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    step = step_at(lake, 0)
    first = online(step, "fraud")["rows"]["fraud"]
    assert online(step, "fraud")["rows"]["fraud"] == 0
    deliver_all(lake, SEED, KEYS, 1)
    step = step_at(lake, 1)
    changed = online(step, "fraud")["rows"]["fraud"]
    updated = held(step)
    (Path(str(lake.root)) / "online.db").unlink()
    again = online(step, "fraud", rebuild=True)["rows"]["fraud"]
    assert min(first, changed, again) > 0
    for name, rows in held(step).items():
        assert set(rows) <= set(updated[name])
        assert all(row[1] < micros(NOWS[1] - SHORTEST) for row in set(updated[name]) - set(rows))

    with open_store(step.config.target, lake.root) as store:
        answers = OnlineFeatures(store, CONF.use_case("fraud"), CONF)
        row = {"payment_id": "new", "card": "c1", "shop": "s1", "paid_at": NOWS[1].isoformat(), "items": 7}
        answered = answers.decide(row, NOWS[1])
        assert answered.values["n_1d"] > 0
    assert online(step, "fraud") == {"rows": {"fraud": 0}, "served": {"fraud": 1}}
    (served,) = lake.read("ops.served_features").collect()
    assert (served["decision_key"], served["values"]) == ("new", answered.values)


def test_a_failed_expectation_leaves_the_last_publication_in_charge(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    online(step_at(lake, 0), "fraud")
    digest = definition_digest(CONF.use_case("fraud"), CONF)
    week = datetime(2025, 3, 24, tzinfo=UTC).date()
    found = ("fraud", digest, "n_1d", "week", week, "expectation", "unknown", 0.9, 0.2, "90% unknown, limit 20%", True)
    lake.append(FINDINGS, lake.spark.createDataFrame([(*found, NOWS[0])], FINDINGS_COLUMNS))
    profiled = [("fraud", digest, "week", week)]
    lake.append(
        PROFILES,
        lake.spark.createDataFrame(profiled, "use_case string, definition string, period string, period_start date"),
    )
    step = step_at(lake, 1)
    assert online(step, "fraud")["rows"]["fraud"] == 0
    assert "90% unknown, limit 20%" in step.warnings[0]
    with open_store(step.config.target, lake.root) as store:
        last = store.publication("fraud")
        assert last is not None
        assert datetime.fromtimestamp(last.watermark / 1e6, UTC) == NOWS[0]
        assert [publication.refused for publication in store.publications("fraud")] == [True, False]


def test_verify_finds_a_planted_difference_and_agreement_of_all_else(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 1)
    step = step_at(lake, 1)
    features(step, "fraud")
    lake.sql("UPDATE features.fraud SET last_items = 99")
    verified = verify(step, CONF.use_case("fraud"), 12)
    assert {name: len(values) for name, values in verified.executions.items()} == dict.fromkeys(
        ("stored", "batch", "incremental", "stream", "online"), 12
    )
    planted = [(d.decision_key, d.feature, d.execution, d.value) for d in verified.differences]
    assert sorted(planted) == [(key, "last_items", "stored", 99) for key in sorted(verified.executions["batch"])]
    assert not [name for name in lake.tables() if "verify" in name]


@pytest.mark.long
def test_definitions_by_which_a_model_decides_stay_beside_the_new_ones(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    features(step_at(lake, 0), "fraud")
    old = definition_digest(CONF.use_case("fraud"), CONF)
    beside = f"features.fraud_{old[:8]}"
    champion = {name.split()[0]: None for name in records.MODELS.split(", ")} | {
        "use_case": "fraud", "version": "1", "definition": old, "alias": "champion"
    }  # fmt: skip
    lake.append("ops.models", lake.spark.createDataFrame([tuple(champion.values())], records.MODELS))
    deliver_all(lake, SEED, KEYS, 1)
    features(step_at(lake, 1, config(FEWER, "known_at", **SHORT)), "fraud")
    assert {"n_2d", "fraud_2d"} <= set(lake.read("features.fraud").columns)
    kept = table_digest(lake.read(beside))
    lake.sql(
        f"UPDATE ops.feature_definitions SET text = replace(text, '86400000000', '86400000001') WHERE definition = '{old}'"
    )
    step = step_at(lake, 1, config(FEWER, "known_at", **SHORT))
    features(step, "fraud")
    assert "mean something else today; train on the present ones" in step.warnings[0]
    assert table_digest(lake.read(beside)) == kept
    lake.sql(
        f"UPDATE ops.feature_definitions SET text = replace(text, '86400000001', '86400000000') WHERE definition = '{old}'"
    )
    lake.sql("UPDATE ops.models SET alias = ''")
    features(step_at(lake, 1, config(FEWER, "known_at", **SHORT)), "fraud")
    assert not lake.exists(beside)
    later = replace(step_at(lake, 1), now=NOWS[1] + timedelta(days=10))
    of_then = remade(replace(later, config=config(FEWER, "known_at", **SHORT)), "fraud", old)
    assert table_digest(of_then) == table_digest(remade(later, "fraud"))
    assert {"n_1d", "label", "part"} <= set(of_then.columns)
    assert not of_then.isEmpty()
    with pytest.raises(UnknownNameError, match="unknown version of the definitions"):
        remade(step_at(lake, 1), "fraud", "0123456789abcdef")
    features(step_at(lake, 1), "fraud")
    assert table_digest(lake.read("features.fraud")) == kept
