"""Approval, rollback and their record, also where a run was stopped between MLflow and the lake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from synthetic import FEATURES, use_case
from test_model_steps import fill, make_step

from finlake.cli.jobs import JobResult, run_job
from finlake.errors import TrainingError, UnknownNameError
from finlake.features.definitions import definition_digest
from finlake.lakehouse import Lake
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.approve import approve
from finlake.pipelines.deployment import deployment
from finlake.pipelines.promote import promote
from finlake.pipelines.promotions import ROLLED_BACK, ROLLED_BACK_TAG, moves
from finlake.pipelines.rollback import rollback
from finlake.pipelines.step import Step
from finlake.pipelines.train import train_on
from finlake.reporting.verdicts import verdicts

ROOT = Path(__file__).parents[2]
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
    """Two versions that pass their gates; the first is champion, and the second is not surely better."""
    fill(lake, 3000)
    definition = definition_digest(use_case(), step(lake, "look").config)
    for features in (FEATURES, FEATURES[:-1]):
        train_on(step(lake, "train"), use_case(), "features.training_late_visits", features, definition=definition)
        promote(step(lake, "promote"), NAME)
    yield lake


def step(lake: Lake, name: str, *, approval: bool = False, **gates: dict[str, object]) -> Step:
    made = make_step(lake, name, uuid4().hex)
    made.config.use_cases[NAME] = use_case(gates={"better_than": {"models": ["baseline_rule"]}, **gates})
    made.config.target = made.config.target.model_copy(update={"require_approval": approval})
    return made


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


@pytest.mark.long
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

    # one that was noted and not carried out is ended by the night's promotion just as well, wherever the alias stands
    for alias_at in ("1", "2"):
        two_champions()
        with pytest.raises(Stopped):
            back(Cut(lake, 1))
        registry.point(CHAMPION, alias_at)
        assert status(lake, "2") == "champion"
        assert promote(step(lake, "promote"), NAME)["status"] == "rolled back"
        assert registry.version_at(CHAMPION) == "1" and record(lake) == end["moves"]


@pytest.mark.long
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

    # nor does the same model under another number come back
    registry.release(CHAMPION)
    lake.sql("UPDATE ops.models SET digest = 'same', alias = '', status = IF(version = '2', 'rolled back', 'trained')")
    assert promote(step(lake, "promote"), NAME, version="1")["status"] == "rolled back"
    assert approve(step(lake, "approve"), NAME, "1", by="risk")["status"] == "champion, unopposed"

    shown = verdicts(lake, NAME, "2")
    assert {row.gate for row in shown} >= {"better_than.baseline_rule", "leaks"}
    assert all(row.words and row.asks for row in shown)


def test_nobody_can_approve_what_its_gates_refuse(judged: Lake) -> None:
    lake = judged
    strict = step(lake, "approve", approval=True, fast={"megabytes": 0.000001})
    with pytest.raises(TrainingError, match="failed its gates and cannot be approved: fast"):
        approve(strict, NAME, "2", by="risk")
    assert "approved_by" not in registry_of(lake).tags("2")
    assert not lake.read("ops.promotions").where("action = 'approved'").count()


def test_the_deployment_job_judges_waits_for_approval_and_deploys(judged: Lake) -> None:
    lake, registry = judged, registry_of(judged)
    asked = {"approval": True, "fast": {"p99_ms": 60_000}}

    def run(version: str, repair: str | None = None, **conditions: Any) -> tuple[JobResult, list[str]]:
        said: list[str] = []

        def execute(argv: list[str]) -> dict[str, Any]:
            given = dict(zip(argv[1::2], argv[2::2], strict=True))
            made = step(lake, "deployment", **conditions)
            made.say = said.append
            return deployment(made, given["--stage"], given["--model-name"], given["--model-version"])

        parameters = {} if repair else {"model_name": f"finlake_prod.ops.{NAME}", "model_version": version}
        runs = lake.root / "_runs" if lake.root else None
        made = run_job("deployment", bundle_root=ROOT, execute=execute, parameters=parameters, repair=repair, runs=runs)
        return made, said

    def states(result: JobResult) -> list[str]:
        return [task.status for task in result.tasks]

    registry.release(CHAMPION)
    automatic, said = run("1")
    assert automatic.ok and "late_visits v1: approved automatically on target local, unopposed" in said
    assert registry.version_at(CHAMPION) == "1"
    assert any(line.endswith("local, against champion v1") for line in run("2")[1])

    refused, _ = run("2", fast={"megabytes": 0.000001})
    assert states(refused) == ["failed", "skipped", "skipped"] and "v2 goes no further: fast" in refused.tasks[0].error
    assert not run("3")[0].ok

    registry.release(CHAMPION)
    waiting, _ = run("2", **asked)
    assert states(waiting) == ["ok", "failed", "skipped"] and "waits for a: finlake approve" in waiting.tasks[1].error
    assert registry.version_at(CHAMPION) is None
    registry.tag("2", {"approval": "Approved"})  # what the button in a workspace does
    approved, _ = run("2", repair=waiting.run_id, **asked)
    assert approved.ok and registry.version_at(CHAMPION) == "2"
    assert lake.read("ops.promotions").where("action = 'approved' AND version = '2'").count() == 1
