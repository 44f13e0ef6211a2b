"""The online execution, told a whole world row by row, against a reference that looks at every version."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.spark.feature_cases import MICRO, START, Reference, config, world
from tests.spark.feature_meanings import GROUPS, expected, same

from finlake.errors import ContractError, FreshnessError, SetupError
from finlake.serving.live import OnlineFeatures, open_features
from finlake.serving.row import OwnRow, micros, typed
from finlake.serving.sqlite import SqliteStore
from finlake.serving.store import Publication

H = timedelta(hours=1)


def story(payments, reports, decisions):
    """(moment, told | asked, source, version), at one moment what is told first."""
    lasting = [("payments", v) for v in payments] + [("reports", v) for v in reports]
    told = [(v.known_from, 0, name, v) for name, v in lasting if v.known_to is None or v.known_to > v.known_from]
    return sorted(told + [(moment, 1, "payments", v) for v, moment in decisions.values()], key=lambda e: e[:2])


@pytest.fixture
def store(tmp_path):
    with SqliteStore(tmp_path / "online.db") as opened:
        yield opened


def features_of(store, conf):
    made = OnlineFeatures(store, conf.use_case("fraud"), conf)
    store.create(made.tables)
    return made


@pytest.mark.parametrize(("as_of", "seed"), [("known_at", 21), ("happened_at", 22)])
def test_each_decision_is_what_was_known_at_its_moment(store, as_of, seed):
    payments, reports = world(seed)
    conf = config(GROUPS, as_of)
    reference = Reference(payments, reports, as_of)
    wanted, contract = expected(reference), conf.source("payments")
    features, wrong = features_of(store, conf), []
    for moment, asked, source, version in story(payments, reports, reference.decisions):
        if not asked:
            features.tell(source, version.values, moment)
            continue
        this = OwnRow(contract, typed(contract, version.values))
        got = features.values(this, micros(version.event), micros(moment))
        wrong += [
            (version.key, name, value, wanted[version.key][name])
            for name, value in got.items()
            if not same(wanted[version.key][name], value)
        ]
    assert not wrong, f"{len(wrong)} values differ: {wrong[:5]}"


SMALL = {"card": {"entity": "card", "features": {"n_1h": {"count": "rows", "windows": ["1h"]}}}}
ROW = {"payment_id": "p1", "card": "c1", "shop": "s1", "paid_at": START.isoformat(), "amount": "12.34"}


def publish(store, features, watermark, expires_after=2 * H):
    moment = micros(watermark)
    store.publish(Publication("fraud", features.definition, moment, moment, expires_after // MICRO))


def test_a_decision_updates_its_windows_and_is_on_record(store):
    features = features_of(store, config(SMALL, "happened_at"))
    publish(store, features, START)
    first = features.decide(ROW)
    again = features.decide(ROW)
    second = features.decide({**ROW, "payment_id": "p2", "paid_at": START + MICRO})
    assert [answer.values["n_1h"] for answer in (first, again, second)] == [0, 0, 1]
    served = store.served_since("fraud", 0)
    assert [(line.decision_key, line.values["n_1h"]) for line in served] == [("p1", 0), ("p2", 1)]
    assert {line.watermark for line in served} == {micros(START)}


def test_nothing_is_answered_from_what_has_expired_or_was_made_for_other_definitions(store):
    features = features_of(store, config(SMALL, "happened_at"))
    with pytest.raises(FreshnessError, match="nothing yet for fraud"):
        features.decide(ROW)
    publish(store, features, START - 3 * H)
    with pytest.raises(FreshnessError, match="known 3 hours before this decision, and expires after 2"):
        features.decide(ROW)
    assert store.served_since("fraud", 0) == []
    store.publish(replace(store.publication("fraud"), definition="other", watermark=micros(START)))
    with pytest.raises(FreshnessError, match="holds definitions other"):
        features.decide(ROW)


def test_tables_of_older_definitions_are_outdated_and_those_of_other_use_cases_are_not(store):
    wider = {"card": {"entity": "card", "features": {"n_2h": {"count": "rows", "windows": ["2h"]}}}}
    old = features_of(store, config(SMALL, "happened_at"))
    store.create([replace(table, name=f"fraud_abroad{table.name[5:]}") for table in old.tables])
    new = features_of(store, config(wider, "happened_at"))
    assert new.outdated() == [table.name for table in old.tables]
    store.drop(new.outdated())
    assert new.outdated() == []
    assert len(store.tables()) == len(old.tables) + len(new.tables)


def test_a_lake_that_is_not_there_is_not_made(tmp_path):
    conf = config(SMALL, "happened_at")
    conf.target = conf.target.model_copy(update={"lake": str(tmp_path / "lak")})
    with pytest.raises(SetupError, match=r"there is no lake at .*lak;"):
        open_features(conf, "fraud")
    assert not (tmp_path / "lak").exists()


def test_a_row_that_comes_later_than_its_windows_are_kept_is_refused(store):
    features = features_of(store, config(SMALL, "known_at"))
    publish(store, features, START + 47 * H)
    assert features.decide(ROW, START + 48 * H).values["n_1h"] == 0
    with pytest.raises(FreshnessError, match=r"happened 49 hours before what is known now.*up to 2d late"):
        features.decide({**ROW, "payment_id": "p2"}, START + 49 * H)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amout": 1}, "no column 'amout'; did you mean 'amount'"),
        ({"payment_id": None}, "needs payment_id"),
        ({"paid_at": "yesterday"}, "paid_at is timestamp, got 'yesterday'"),
        ({"items": "two"}, "items is integer, got 'two'"),
        ({"items": 1.5}, "items is integer, got 1.5"),
        ({"amount": True}, "amount is money, got True"),
    ],
)
def test_a_row_that_breaks_the_contract_is_refused_with_what_it_said(store, change, message):
    features = features_of(store, config(SMALL, "happened_at"))
    publish(store, features, START)
    with pytest.raises(ContractError, match=message):
        features.decide({**ROW, **change})


def test_an_answer_is_the_same_as_json_or_as_python_values(store):
    features = features_of(store, config(GROUPS, "happened_at"))
    publish(store, features, START)
    plain = json.loads(json.dumps({**ROW, "amount": 12.34}))
    rich = {**ROW, "paid_at": START}
    one, other = features.decide(plain).values, features.decide(rich).values
    assert one == other
    assert one["this_amount"] == 12.34
    assert math.isclose(one["mean_3d"], 12.34)
