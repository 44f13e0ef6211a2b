"""What a decision asks of a store, and what it leaves there, goes alike in a file and on a server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.online_stores import everything, row
from tests.spark.feature_cases import START, config

from finlake.errors import FreshnessError, TableError
from finlake.serving import OnlineFeatures, OnlineStore, Publication
from finlake.serving.row import micros

pytest_plugins = ["tests.postgres", "tests.online_stores"]

SMALL = {"card": {"entity": "card", "features": {"n_1h": {"count": "rows", "windows": ["1h"]}}}}
ROW = {"payment_id": "p1", "card": "c1", "shop": "s1", "paid_at": START, "amount": "12.34"}


def features_of(store: OnlineStore, column: str = "n_1h") -> OnlineFeatures:
    conf = config({"card": {**SMALL["card"], "features": {column: SMALL["card"]["features"]["n_1h"]}}}, "happened_at")
    return OnlineFeatures(store, conf.use_case("fraud"), conf)


def publish(store: OnlineStore, features: OnlineFeatures) -> None:
    store.create(features.tables)
    store.publish(Publication("fraud", features.definition, micros(START), micros(START)))


def test_a_publication_and_windows_are_looked_up_at_once(store: OnlineStore) -> None:
    assert store.look("cards", []) == (None, [])
    published = Publication("cards", "d1", 1, 2)
    store.publish(published)
    store.refuse(Publication("cards", "d2", 3, 4))
    store.put("seen", [row("a"), row("b", "f")])
    found = store.look("cards", [("seen", "e", None, 9), ("seen", "", None, 9), ("seen", "f", 0, 9)])
    assert found == (published, [everything(store, "e"), [], everything(store, "f")])


def test_an_answer_and_the_rows_it_leaves_are_stored_together(store: OnlineStore) -> None:
    store.put("seen", [row("newer", since=9)])
    store.served("cards", "k", 0, 0, 0, "d1", {}, [("seen", row("k"))])
    for bad in (
        ("seen", ("l", "e", 0, 0, "many", None, None)),
        ("seen", (None, "e", 0, 0, 1, None, None)),
        ("sene", ()),
    ):
        with pytest.raises(TableError):
            store.served("cards", "l", 0, 0, 0, "d1", {}, [bad])
    with pytest.raises(KeyError), store.transaction():
        store.served("cards", "m", 0, 0, 0, "d1", {}, [("seen", row("m"))])
        raise KeyError
    store.served("cards", "n", 0, 0, 0, "d1", {}, [("seen", row("newer", since=1))])
    store.served("cards", "n", 0, 0, 0, "d1", {}, [("seen", row("o"))])
    assert [line.decision_key for line in store.served_since("cards", 0)] == ["k", "n"]
    assert [(found[0], found[2]) for found in everything(store, "e")] == [("k", 0), ("o", 0), ("newer", 9)]


def test_a_decision_updates_its_windows_and_is_on_record(store: OnlineStore) -> None:
    features = features_of(store)
    publish(store, features)
    later = {**ROW, "payment_id": "p2", "paid_at": START + timedelta(minutes=1)}
    assert [features.decide(one).values["n_1h"] for one in (ROW, ROW, later)] == [0, 0, 1]
    assert [line.decision_key for line in store.served_since("fraud", 0)] == ["p1", "p2"]


def test_definitions_that_are_not_published_are_told_apart_from_tables_that_are_missing(store: OnlineStore) -> None:
    old, new = features_of(store), features_of(store, "other_1h")
    with pytest.raises(FreshnessError, match="nothing yet for fraud"):
        old.decide(ROW)
    publish(store, old)
    old.decide(ROW)
    with pytest.raises(FreshnessError, match=f"holds definitions {old.definition}"):
        new.decide(ROW)
    publish(store, new)
    store.drop(new.outdated())
    with pytest.raises(FreshnessError, match=f"holds definitions {new.definition}"):
        old.decide(ROW)
    store.drop(table.name for table in new.tables)
    with pytest.raises(TableError):
        new.decide(ROW)


def test_a_row_that_is_a_report_itself_counts_as_reported_from_then_on(store: OnlineStore) -> None:
    shares = {"share_1h": {"share": "label(fraud) = 1", "windows": ["1h"]}}
    told = {"source": "payments", "match": "payment_id"}
    label = {"name": "fraud", "positive": "amount > 10", "from": told, "matures_after": "2d"}
    conf = config({"card": {"entity": "card", "features": shares}}, "happened_at", label=label)
    features = OnlineFeatures(store, conf.use_case("fraud"), conf)
    publish(store, features)
    rows = [{**ROW, "payment_id": f"p{n}", "paid_at": START + timedelta(minutes=n)} for n in range(3)]
    rows[1]["amount"] = "1.00"
    assert [features.decide(one).values["share_1h"] for one in rows] == [None, 1, 0.5]
