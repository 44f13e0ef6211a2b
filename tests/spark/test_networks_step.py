"""Networks as a source: snapshots taken once, looked up by decisions, the same in every execution."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.spark.feature_cases import Version, config, world
from tests.spark.feature_deliveries import NOWS, deliver_all, deliveries

from finlake.config import Config, Network
from finlake.features.definitions import definition_digest
from finlake.lakehouse import Lake, table_digest
from finlake.pipelines.features import features
from finlake.pipelines.networks import networks
from finlake.pipelines.step import Step
from finlake.pipelines.verify import verify

pytestmark = pytest.mark.long

NETWORK = {
    "network": "shopping", "about": "Which cards pay which shops.", "account": ["card", "shop"],
    "edges": {"source": "payments", "payer": "card", "payee": "shop", "amount": "amount", "where": "items > 0"},
    "known_bad": {"source": "reports", "account": "payment_id", "when": "verdict = 'confirmed'"},
    "every": "1d", "delay": "6h", "windows": ["1d", "2d"], "flow_within": "12h", "reach": "2d",
    "measures": ["degrees", "risk"],
}  # fmt: skip
GROUPS = {
    "network": {
        "entity": "card", "source": "shopping",
        "features": {
            "shops_2d": {"lookup": "fan_out_2d"},
            "paid_1d": {"lookup": "sum_out_1d"},
            "paid_and_shops": {"lookup": "sum_out_1d + fan_out_2d"},
            "age": {"time_since": "last row", "unit": "hours"},
        },
    },
    "shop": {"entity": "shop", "source": "shopping", "features": {"cards_2d": {"lookup": "fan_in_2d"}}},
}  # fmt: skip
SHORT = {"split": {"train": "1d", "choose": "1d", "test": "1d"}}
SEED, KEYS = 3, 60
MIDNIGHTS = [datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 3, 31, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)]
DELAY = timedelta(hours=6)


def conf(**changed: object) -> Config:
    made = config(GROUPS, "known_at", **SHORT)
    return replace(made, networks={"shopping": Network.model_validate({**NETWORK, **changed})})


def step_at(lake: Lake, number: int, conf: Config) -> Step:
    conf.target = conf.target.model_copy(update={"lake": str(lake.root)})
    return Step(lake, conf, NOWS[number], "networks")


def snapshots(lake: Lake) -> dict[tuple[str, datetime], dict[str, object]]:
    rows = [row.asDict() for row in lake.read("silver.shopping").collect()]
    assert all(row["card"] == row["shop"] and row["known_to"] is None for row in rows)
    assert all(row["known_from"] == row["as_of"] + DELAY and row["event_ts"] == row["as_of"] for row in rows)
    found = {(row["card"], row["as_of"].replace(tzinfo=UTC)): row for row in rows}
    assert len(found) == len(rows)
    return found


def expected(held: list[Version], moment: datetime) -> dict[str, tuple[int, Decimal]]:
    """Of each card with a payment in two days: shops of two days, money of one."""
    seen = [
        v
        for v in held
        if v.event < moment and v.event >= moment - timedelta(days=2) and v.visible(moment)
        and v.values["card"] and (v.values["items"] or 0) > 0
    ]  # fmt: skip
    made = {}
    for card in {v.values["card"] for v in seen}:
        mine = [v for v in seen if v.values["card"] == card]
        paid = sum(v.values["amount"] or 0 for v in mine if v.event >= moment - timedelta(days=1))
        made[card] = (len({v.values["shop"] for v in mine}), Decimal(paid))
    return made


def test_snapshots_hold_what_was_known_and_stay_when_payments_come_late(lake: Lake) -> None:
    payments = world(SEED, keys=KEYS)[0]
    deliver_all(lake, SEED, KEYS, 0)
    now = conf()
    assert networks(step_at(lake, 0, now))["rows"]["shopping"] > 0
    first = snapshots(lake)
    assert {moment for _, moment in first} == set(MIDNIGHTS[:2])
    held = deliveries(payments, SEED)[0]
    assert all(expected(held, moment) for moment in MIDNIGHTS[:2])
    for moment in MIDNIGHTS[:2]:
        found = {
            card: (r["fan_out_2d"], r["sum_out_1d"])
            for (card, at), r in first.items()
            if at == moment and r["fan_out_2d"]
        }
        assert found == expected(held, moment)

    features(step_at(lake, 0, now), "fraud")
    deliver_all(lake, SEED, KEYS, 1)
    step = step_at(lake, 1, now)
    lake.delete("ops.networks", "as_of = timestamp '2025-03-31'")  # stopped between a snapshot and its record
    networks(step)
    second = snapshots(lake)
    assert first.items() <= second.items()
    assert {moment for _, moment in second} == set(MIDNIGHTS)
    assert networks(step)["rows"]["shopping"] == 0
    lake.delete("ops.networks", "as_of = timestamp '2025-04-01'")
    networks(step)
    assert snapshots(lake) == second

    features(step, "fraud")
    updated = table_digest(lake.read("features.fraud"))
    decided = lake.read("features.fraud").collect()
    aged = [row for row in decided if row["age"] is not None]
    assert 0 < len(aged) < len(decided)
    for row in aged:
        moment = row["event_ts"] - timedelta(hours=row["age"])
        assert any(abs(moment.replace(tzinfo=UTC) - midnight) < timedelta(milliseconds=1) for midnight in MIDNIGHTS)
        assert row["decision_ts"] - moment >= DELAY - timedelta(milliseconds=1)
    features(step, "fraud", rebuild=True)
    assert table_digest(lake.read("features.fraud")) == updated
    verified = verify(step, now.use_case("fraud"), 12)
    assert set(verified.executions) == {"stored", "batch", "incremental", "stream", "online"}
    assert verified.differences == []

    networks(step, rebuild=True)  # with what came late
    again = snapshots(lake)
    held = deliveries(payments, SEED)[1]
    assert {
        card: (r["fan_out_2d"], r["sum_out_1d"])
        for (card, at), r in again.items()
        if at == MIDNIGHTS[1] and r["fan_out_2d"]
    } == expected(held, MIDNIGHTS[1])
    assert again != second


def test_a_changed_network_is_another_definition_and_is_taken_anew(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    before, after = conf(measures=["degrees"]), conf(measures=["degrees"], reach="1d", windows=["1d", "2d", "3d"])
    digests = {definition_digest(made.use_case("fraud"), made) for made in (before, after)}
    assert len(digests) == 2
    networks(step_at(lake, 0, before))
    assert "fan_in_3d" not in lake.read("silver.shopping").columns
    networks(step_at(lake, 0, after))
    table = lake.read("silver.shopping")
    assert "fan_in_3d" in table.columns
    assert "component" not in table.columns
    assert {moment for _, moment in snapshots(lake)} == set(MIDNIGHTS[:2])


def test_before_the_first_snapshot_features_are_unknown(lake: Lake) -> None:
    deliver_all(lake, SEED, KEYS, 0)
    step = step_at(lake, 0, conf(backfill="1h", delay="2d"))
    assert networks(step)["rows"]["shopping"] == 0
    features(step, "fraud")
    assert {row["age"] for row in lake.read("features.fraud").select("age").collect()} == {None}
