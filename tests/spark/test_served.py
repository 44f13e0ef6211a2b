"""What was answered online comes to the lake once, wherever the move was stopped and whoever moves at the same time."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import functions as F
from tests.spark.feature_cases import START, config

from finlake.errors import TableError
from finlake.lakehouse import Lake
from finlake.pipelines.served import TABLE, move_served
from finlake.pipelines.step import Step
from finlake.serving import OnlineStore, Served
from finlake.serving.row import micros

pytest_plugins = ["tests.postgres", "tests.online_stores"]

AT = micros(START)


class Other:
    """A store that does something else first."""

    def __init__(self, store: OnlineStore, **instead: Any) -> None:
        self._store, self._instead = store, instead

    def __getattr__(self, name: str) -> Any:
        return self._instead.get(name, getattr(self._store, name))


def answer(store: OnlineStore, *numbers: int) -> None:
    for n in numbers:
        store.served(
            "fraud", f"p{n}", AT + n, AT + 2 * n + 1, AT - 1, "d1", {"n_1d": n / 3, "whole": 2, "unknown": None}
        )


def keys(lake: Lake) -> list[str]:
    return [row["decision_key"] for row in lake.read(TABLE).orderBy("number").collect()]


def test_each_answer_is_moved_once_whatever_happens(lake: Lake, store: OnlineStore) -> None:
    step = Step(lake, config({}, "known_at"), START, "online")
    assert move_served(step, store, "fraud") == 0
    assert not lake.exists(TABLE)
    answer(store, *range(5))
    store.served("loans", "other", AT, AT, AT, "d2", {})
    assert move_served(step, store, "fraud", page=2) == 5
    assert store.served_since("fraud", 0) == []
    assert len(store.served_since("loans", 0)) == 1

    # stopped between the commit in the lake and the deletion in the store, after which more was answered
    def stop(use_case: str, until: int) -> int:
        raise KeyboardInterrupt

    answer(store, 5, 6)
    with pytest.raises(KeyboardInterrupt):
        move_served(step, Other(store, forget_served=stop), "fraud")
    answer(store, 7)
    assert move_served(step, store, "fraud") == 3
    assert keys(lake) == [f"p{n}" for n in range(8)]

    # another run, that saw the first of three answers only, is done with it while this one holds all three
    def overtaken(use_case: str, number: int, limit: int) -> list[Served]:
        lines = store.served_since(use_case, number, limit)
        if len(lines) == 3:
            pages = iter([lines[:1], []])
            assert move_served(step, Other(store, served_since=lambda *asked: next(pages)), "fraud") == 1
        return lines

    answer(store, 8, 9, 10)
    assert move_served(step, Other(store, served_since=overtaken), "fraud") == 2
    assert keys(lake) == [f"p{n}" for n in range(11)]

    row = lake.read(TABLE).filter("decision_key = 'p4'").withColumns(
        {name: F.unix_micros(name) for name in ("event_ts", "served_at", "known_until")}
    ).collect()[0]  # fmt: skip
    assert (row["event_ts"], row["served_at"], row["known_until"]) == (AT + 4, AT + 9, AT - 1)
    assert (row["definition"], row["store"]) == ("d1", store.identity())
    assert row["values"] == {"n_1d": 4 / 3, "whole": 2.0, "unknown": None}


def test_rows_that_were_deleted_too_early_are_not_taken_for_moved(lake: Lake, store: OnlineStore) -> None:
    step = Step(lake, config({}, "known_at"), START, "online")
    answer(store, 1)
    lines = store.served_since("fraud", 0)
    with pytest.raises(TableError, match=f"of fraud from number {lines[0].number} on were moved .* and deleted there"):
        move_served(step, Other(store, forget_served=lambda *_: lake.delete(TABLE, "true") or 0), "fraud")
    assert store.served_since("fraud", 0) == lines
