"""`finlake features list` and `describe` on the project's own definitions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finlake.cli.main import execute
from finlake.config import load
from finlake.errors import UnknownNameError
from finlake.features.definitions import select

CONF = Path(__file__).resolve().parents[2] / "conf"


def test_every_feature_is_listed_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["features", "list", "--conf", str(CONF), "--format", "json"])
    listed = json.loads(capsys.readouterr().out)
    config = load(CONF)
    wanted = {(name, feature) for name, one in config.use_cases.items() for feature in select(one, config).outputs}
    assert {(row["use_case"], row["feature"]) for row in listed} == wanted
    assert all(row["about"] for row in listed)


def test_a_feature_is_described_down_to_the_columns_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    execute(["features", "describe", "amount_vs_usual", "--conf", str(CONF)])
    said = capsys.readouterr().out
    assert "card_transactions.amount" in said
    assert "the decision's own row" in said
    assert "earlier rows" in said
    assert "owner" in said


def test_a_misspelt_feature_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'amount_vs_usual'"):
        execute(["features", "describe", "amount_vs_usal", "--conf", str(CONF)])
