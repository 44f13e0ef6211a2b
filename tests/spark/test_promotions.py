"""Approval, rollback and their record, also where a run was stopped between MLflow and the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from synthetic import FEATURES, use_case
from test_model_steps import fill, make_step

from finlake.errors import TrainingError, UnknownNameError
from finlake.features.definitions import definition_digest
from finlake.lakehouse import Lake
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.approve import approve
from finlake.pipelines.promote import promote
from finlake.pipelines.promotions import ROLLED_BACK, ROLLED_BACK_TAG, moves
from finlake.pipelines.rollback import rollback
from finlake.pipelines.step import Step
from finlake.pipelines.train import train_on
from finlake.reporting.verdicts import verdicts

NAME = "late_visits"
TAGS = ("status", "reasons", "approved_by", ROLLED_BACK_TAG)


STATUS = ["version", "status", "alias", "reasons"]


class Stopped(BaseException):
    """As if the process had been killed."""


class Cut(Lake):
    """The same lake for a run that is stopped before one of its writes; `left` says how many it may still make."""

    def __init__(self, lake: Lake, left: int) -> None:
        self.__dict__.update(lake.__dict__)
        self.left = left

    def merge(self, *arguments: Any, **named: Any) -> None:
        if self.left == 0:
            raise Stopped
        self.left -= 1
        super().merge(*arguments, **named)


@pytest.fixture
def judged(lake: Lake) -> Iterator[Lake]:
    """Two versions, of which the first is champion, unopposed, and the second could not be surely better."""
    fill(lake, 3000)
    definition = definition_digest(use_case(), step(lake, "look").config)
    for features in (FEATURES, FEATURES[:-1]):
        train_on(step(lake, "train"), use_case(), "features.training_late_visits", features, definition=definition)
        promote(step(lake, "promote"), NAME)
    yield lake


def step(lake: Lake, name: str) -> Step:
    return make_step(lake, name, uuid4().hex)


def registry_of(lake: Lake) -> Registry:
    return Registry(step(lake, "look").config.target, lake.root, NAME)


def record(lake: Lake) -> list[tuple[str, str, str]]:
    return [(move["version"], move["action"], move["before"]) for move in moves(step(lake, "look"), NAME)]


def status(lake: Lake, version: str) -> str:
    found = lake.read("ops.models").where(f"version = '{version}'").first()
    assert found is not None
    return str(found["status"])


def state(lake: Lake) -> dict[str, object]:
    """All that is left of a run, without moments and run ids; the reason of a move may be that it was found."""
    registry = registry_of(lake)
    tags = {number: {k: v for k, v in registry.tags(number).items() if k in TAGS} for number in ("1", "2")}
    rows = lake.read("ops.models").select(*STATUS).orderBy("version").collect()
    return {
        "aliases": [registry.version_at(alias) for alias in (CHAMPION, CHALLENGER)],
        "tags": tags,
        "models": [tuple(row) for row in rows],
        "moves": record(lake),
        "gates": sorted(row["gate"] for row in lake.read("ops.gates").select("gate").collect()),
    }


def cut_everywhere(lake: Lake, work: Callable[[Lake], object], again: Callable[[], None]) -> dict[str, object]:
    """The state after `work` is stopped before its first, second … write and run again; `again` brings back the start."""
    ends: list[dict[str, object]] = []
    for left in range(12):
        again()
        try:
            work(Cut(lake, left))
        except Stopped:
            work(lake)
            ends.append(state(lake))
        else:
            ends.append(state(lake))  # nothing was left to stop
            break
    assert len(ends) > 2
    assert all(end == ends[-1] for end in ends)
    return ends[-1]


def test_a_promotion_or_rollback_that_is_stopped_anywhere_ends_like_one_that_is_not(judged: Lake) -> None:
    lake, registry = judged, registry_of(judged)
    before = lake.read("ops.models").toPandas()

    def as_trained() -> None:
        for alias in (CHAMPION, CHALLENGER):
            if registry.version_at(alias):
                registry.release(alias)
        for number in ("1", "2"):
            for tag in TAGS:
                registry.untag(number, tag)
        fresh = [(NAME, number, "trained", "", []) for number in ("1", "2")]
        rows = lake.spark.createDataFrame(
            fresh, "use_case string, version string, status string, alias string, reasons array<string>"
        )
        lake.merge("ops.models", rows, on=["use_case", "version"], update=["status", "alias", "reasons"])
        for table in ("ops.promotions", "ops.gates"):
            lake.delete(table, "true")

    end = cut_everywhere(lake, lambda cut: promote(step(cut, "promote"), NAME, version="1"), as_trained)
    assert end["aliases"] == ["1", None] and end["moves"] == [("1", "promoted", "")]
    assert end["tags"]["1"]["status"] == "champion, unopposed"
    assert len(before) == 2

    def two_champions() -> None:
        as_trained()
        promote(step(lake, "promote"), NAME, version="1")
        registry.point(CHAMPION, "2")  # by hand: the next run takes it over into the record
        promote(step(lake, "promote"), NAME, version="2")
        assert record(lake) == [("1", "promoted", ""), ("2", "promoted", "1")]
        assert (status(lake, "1"), status(lake, "2")) == ("retired", "champion")

    def back(cut: Lake) -> None:
        rollback(step(cut, "rollback"), NAME, by="risk", reason="too many alerts")

    end = cut_everywhere(lake, back, two_champions)
    assert end["aliases"] == ["1", None] and end["moves"][2:] == [("1", "rolled back", "2")]
    assert end["tags"]["2"]["rolled_back"] == "too many alerts"

    # one that was noted and not carried out is ended by the night's promotion just as well
    two_champions()
    with pytest.raises(Stopped):
        back(Cut(lake, 1))
    assert registry.version_at(CHAMPION) == "1" and status(lake, "2") == "champion"
    assert promote(step(lake, "promote"), NAME)["status"] == "rolled back"
    assert {key: state(lake)[key] for key in ("aliases", "moves")} == {key: end[key] for key in ("aliases", "moves")}


def test_a_champion_is_rolled_back_and_comes_back_only_by_approval(judged: Lake) -> None:
    lake, registry = judged, registry_of(judged)
    assert registry.version_at(CHAMPION) == "1" and record(lake) == [("1", "promoted", "")]
    with pytest.raises(TrainingError, match="no champion before v1"):
        rollback(step(lake, "rollback"), NAME, reason="x")
    registry.point(CHAMPION, "2")
    with pytest.raises(UnknownNameError, match="'9'"):
        rollback(step(lake, "rollback"), NAME, to="9", reason="x")
    rollback(step(lake, "rollback"), NAME, by="risk", reason="too many alerts")
    assert registry.version_at(CHAMPION) == "1"
    assert (status(lake, "1"), status(lake, "2")) == ("champion", "rolled back")

    # running it again, as a retry does, goes no further
    for to in ("", "1", "v1"):
        assert rollback(step(lake, "rollback"), NAME, to=to, reason="x")["before"] == "1"
    assert record(lake)[2:] == [("1", ROLLED_BACK, "2")]

    # the next nights do not bring it back
    assert promote(step(lake, "promote"), NAME)["status"] == "rolled back"
    assert registry.version_at(CHAMPION) == "1" and status(lake, "1") == "champion"

    with pytest.raises(TrainingError, match="--by NAME"):
        approve(step(lake, "approve"), NAME, "2")
    with pytest.raises(UnknownNameError, match="'7'"):
        approve(step(lake, "approve"), NAME, "7", by="risk")
    for _ in range(2):
        approve(step(lake, "approve"), NAME, "2", by="risk", reason="the alerts were right")
    tags = registry.tags("2")
    assert tags["approved_by"] == "risk" and ROLLED_BACK_TAG not in tags and status(lake, "2") == "challenger"
    for _ in range(2):
        approve(step(lake, "approve"), NAME, "2", by="risk", revoke=True)
    assert "approved_by" not in registry.tags("2")
    said = lake.read("ops.promotions").where("by = 'risk'").orderBy("at").collect()
    assert [row["action"] for row in said] == ["rolled back", "approved", "approval revoked"]

    # a champion whose definitions are gone cannot be gone back to
    lake.sql("UPDATE ops.models SET definition = 'gone' WHERE version = '2'")
    with pytest.raises(TrainingError, match="no feature table is kept"):
        rollback(step(lake, "rollback"), NAME, to="2", reason="x")
    assert registry.version_at(CHAMPION) == "1"

    shown = verdicts(lake, NAME, "2")
    assert {row.gate for row in shown} >= {"better_than.champion", "calibrated", "stable", "leaks"}
    assert all(row.words and row.asks for row in shown)


def test_nobody_can_approve_what_its_gates_refuse(judged: Lake) -> None:
    lake = judged
    strict = step(lake, "approve")
    case = use_case(gates={"fast": {"megabytes": 0.000001}})
    strict.config.use_cases[NAME] = case
    strict.config.target = strict.config.target.model_copy(update={"require_approval": True})
    lake.sql("UPDATE ops.models SET status = 'trained', alias = '' WHERE version = '2'")
    with pytest.raises(TrainingError, match="failed its gates and cannot be approved: fast"):
        approve(strict, NAME, "2", by="risk")
    assert "approved_by" not in registry_of(lake).tags("2")
    assert not lake.read("ops.promotions").where("action = 'approved'").count()
