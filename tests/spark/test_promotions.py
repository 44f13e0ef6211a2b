"""Approval, rollback and their record, also where a run was stopped between MLflow and the lake."""

from __future__ import annotations

import pytest
from synthetic import FEATURES, use_case
from test_model_steps import fill, make_step

from finlake.errors import TrainingError, UnknownNameError
from finlake.features.definitions import definition_digest
from finlake.models.registry import Registry
from finlake.pipelines.approve import approve
from finlake.pipelines.promote import promote
from finlake.pipelines.promotions import CHAMPION, ROLLED_BACK, ROLLED_BACK_TAG, moves, note
from finlake.pipelines.rollback import rollback
from finlake.pipelines.train import train_on

NAME = "late_visits"


def test_a_champion_is_rolled_back_and_comes_back_only_by_approval(lake):
    fill(lake, 3000)
    run = iter("abcdefghijklmnop")

    def step(name: str):
        return make_step(lake, name, next(run))

    def record() -> list[tuple[str, str, str]]:
        return [(move["version"], move["action"], move["before"]) for move in moves(step("look"), NAME)]

    def status(version: str) -> str:
        return lake.read("ops.models").where(f"version = '{version}'").first()["status"]

    definition = definition_digest(use_case(), step("look").config)
    registry = Registry(step("look").config.target, lake.root, NAME)
    with pytest.raises(TrainingError, match="no champion to take out"):
        rollback(step("rollback"), NAME, reason="x")
    for features in (FEATURES, FEATURES[:-1]):
        train_on(step("train"), use_case(), "features.training_late_visits", features, definition=definition)
        promote(step("promote"), NAME)
    assert registry.version_at(CHAMPION) == "1" and record() == [("1", "promoted", "")]
    with pytest.raises(TrainingError, match="no champion before v1"):
        rollback(step("rollback"), NAME, reason="x")

    # a promotion that was stopped after the alias moved is on record after the next run
    registry.point(CHAMPION, "2")
    promote(step("promote"), NAME)
    assert record() == [("1", "promoted", ""), ("2", "promoted", "1")] and status("1") == "retired"

    with pytest.raises(UnknownNameError, match="'9'"):
        rollback(step("rollback"), NAME, to="9", reason="x")
    rollback(step("rollback"), NAME, by="risk", reason="too many alerts")
    assert registry.version_at(CHAMPION) == "1" and status("2") == "rolled back" and status("1") == "champion"
    assert rollback(step("rollback"), NAME, to="1", reason="x")["before"] == "1"
    assert record()[2:] == [("1", ROLLED_BACK, "2")]

    # the next nights do not bring it back
    assert promote(step("promote"), NAME)["status"] == "rolled back"
    assert registry.version_at(CHAMPION) == "1" and status("1") == "champion"

    # a rollback that was stopped before the alias moved is ended by the next run
    registry.point(CHAMPION, "2")
    note(step("rollback"), NAME, "2", CHAMPION, "promoted", before="1")
    registry.tag("2", {ROLLED_BACK_TAG: "again"})
    note(step("rollback"), NAME, "1", CHAMPION, ROLLED_BACK, before="2", reason="again")
    promote(step("promote"), NAME)
    assert registry.version_at(CHAMPION) == "1"

    with pytest.raises(TrainingError, match="--by NAME"):
        approve(step("approve"), NAME, "2")
    with pytest.raises(UnknownNameError, match="'7'"):
        approve(step("approve"), NAME, "7", by="risk")
    approve(step("approve"), NAME, "2", by="risk", reason="the alerts were right")
    tags = registry.tags("2")
    assert tags["approved_by"] == "risk" and ROLLED_BACK_TAG not in tags and status("2") == "challenger"
    approve(step("approve"), NAME, "2", by="risk", revoke=True)
    assert "approved_by" not in registry.tags("2")
    said = lake.read("ops.promotions").where("by = 'risk'").orderBy("at").collect()
    assert [row["action"] for row in said] == ["rolled back", "approved", "approval revoked"]
