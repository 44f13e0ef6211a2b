"""What becomes of a version: gates, then the champion on the same rows, then the approver."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import Row

from finlake.config import load
from finlake.models.bootstrap import Estimate
from finlake.models.evaluation import Evaluation
from finlake.models.gates import Verdict
from finlake.pipelines.promote import Outcome, decide
from finlake.pipelines.promotions import PROMOTED, ROLLED_BACK, chain

USE_CASE = load(Path(__file__).parents[2] / "conf").use_case("card_fraud")
GOOD = Verdict("better_than.baseline_rule", True, "higher", Estimate(0.1, 0.05, 0.15))
BAD = Verdict("calibrated", False, "2025-04: ratio 0.6", Estimate(0.6, 0.5, 0.7))


def outcome(
    verdicts: list[Verdict],
    difference: Estimate | None = None,
    champion: str | None = None,
    compared: str = "",
    approver: str | None = "",
) -> Outcome:
    differences = {"average_precision.champion": difference} if difference else {}
    return decide(USE_CASE, "2", verdicts, Evaluation({}, differences, {}, {}), champion, compared, approver)


def test_the_first_version_that_passes_is_champion_unopposed() -> None:
    assert outcome([GOOD]) == Outcome("champion, unopposed", "champion", [])


def test_a_failed_gate_leaves_no_alias_and_says_which() -> None:
    assert outcome([GOOD, BAD]) == Outcome("not promoted", "", ["calibrated: 2025-04: ratio 0.6"])


def test_a_champion_is_replaced_only_by_a_sure_win_on_the_same_rows() -> None:
    sure = outcome([GOOD], Estimate(0.03, 0.01, 0.05), champion="1", compared="1")
    lucky = outcome([GOOD], Estimate(0.03, -0.01, 0.07), champion="1", compared="1")
    assert (sure.status, sure.alias) == ("champion", "champion")
    assert (lucky.status, lucky.alias) == ("challenger", "challenger")
    assert "not better than champion v1" in lucky.reasons[0]


def test_a_comparison_with_an_earlier_champion_does_not_count() -> None:
    stale = outcome([GOOD], Estimate(0.03, 0.01, 0.05), champion="3", compared="1")
    assert stale.alias == "challenger" and "not measured against champion v3" in stale.reasons[0]


def test_without_the_approvers_tag_a_winner_waits_as_challenger() -> None:
    waiting = outcome([GOOD], approver=None)
    assert waiting.alias == "challenger" and "finlake approve" in waiting.reasons[0]
    assert outcome([GOOD], approver="risk@lender.example").alias == "champion"


def test_judging_the_champion_again_keeps_it() -> None:
    assert outcome([BAD], champion="2").alias == "champion"


def test_a_version_that_was_rolled_back_from_waits_until_somebody_approves_it() -> None:
    said = decide(USE_CASE, "2", [GOOD], Evaluation({}, {}, {}, {}), None, "", "", rolled_back="too many alerts")
    assert (said.status, said.alias) == ("rolled back", "")
    assert "too many alerts" in said.reasons[0] and "finlake approve" in said.reasons[0]


def move(version: str, action: str = PROMOTED, before: str = "") -> Row:
    return Row(version=version, action=action, before=before)


def test_one_goes_back_through_champions_as_they_came() -> None:
    assert chain([move("1"), move("2"), move("4")]) == ["1", "2", "4"]
    back = [move("1"), move("2"), move("4"), move("2", ROLLED_BACK, "4")]
    assert chain(back) == ["1", "2"]
    assert chain([*back, move("5")]) == ["1", "2", "5"]
    assert chain([*back, move("1", ROLLED_BACK, "2")]) == ["1"]
    assert chain([move("1"), move("3", ROLLED_BACK, "1")]) == ["1", "3"]
