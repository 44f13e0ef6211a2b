"""Thresholds lean on the whole where a context says little, and follow it where it says much."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from finlake.config.policy import Policy
from finlake.models.thresholds import Counts, thresholds_from

CUTS = Policy(approve_below=0.1, decline_above=0.4)
CALLS = Policy(alerts_per_day=10, one_alert_per="card")


def counts(expected: float, positives: int, rows: dict[float, int] | None = None) -> Counts:
    return Counts(rows or {-3.0: 1000}, expected, positives)


def odds(chance: float) -> float:
    return chance / (1 - chance)


def test_a_well_calibrated_context_keeps_the_policys_cut_offs():
    made = thresholds_from({"a": counts(400, 400), "b": counts(100, 100)}, CUTS, 30)
    assert [t.context for t in made] == ["", "a", "b"]
    for threshold in made:
        assert (threshold.approve_below, threshold.decline_above) == (pytest.approx(0.1), pytest.approx(0.4))
        assert threshold.alert_above is None


def test_a_context_riskier_than_its_scores_say_is_cut_off_earlier_by_as_much_as_it_has_seen():
    large, small = counts(1000, 2000), counts(2, 4)
    whole, by_large, by_small = thresholds_from({"large": large, "small": small}, CUTS, 30)
    assert odds(by_large.approve_below) == pytest.approx(odds(0.1) / ((2000 + 20 * 2024 / 1022) / 1020))
    # two expected positives say almost nothing: the small one goes by the whole, which the large one makes risky
    assert by_small.approve_below == pytest.approx(whole.approve_below, rel=0.01)
    assert by_large.approve_below < 0.1 / 1.8
    alone = thresholds_from({"small": small}, CUTS, 30)[1]
    assert alone.approve_below == pytest.approx(0.1, rel=0.2)  # alone it leans on the model's own calibration


def test_equal_chance_at_the_last_alert_and_the_budget_is_met():
    rows = {round(-5 + step / 10, 1): 40 for step in range(60)}
    risky, safe = counts(300, 600, rows), counts(300, 100, rows)
    whole, by_risky, by_safe = thresholds_from({"risky": risky, "safe": safe}, CALLS, 30)
    assert by_risky.alert_above < whole.alert_above < by_safe.alert_above
    factors = [(600 + 20 * 720 / 620) / 320, (100 + 20 * 720 / 620) / 320]
    adapted = [odds(t.alert_above) * factor for t, factor in zip((by_risky, by_safe), factors, strict=True)]
    assert adapted[0] == pytest.approx(adapted[1])
    # and 10 alerts on each of 30 days lie above
    above = sum(
        n for t in (by_risky, by_safe) for edge, n in rows.items() if edge >= math.log(odds(t.alert_above)) - 1e-9
    )
    assert 300 <= above < 300 + 80


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"costs": {"false_positive": 1, "false_negative": 5}, "alerts_per_day": 3}, "give one of"),
        ({"costs": {"false_positive": 1, "false_negative": 5}, "approve_below": 0.1, "decline_above": 0.2}, "give one of"),
        ({"costs": {"false_positive": 1, "false_negative": "value"}}, "policy.value must name"),
        ({"costs": {"false_positive": 1, "false_negative": 0}}, "above 0"),
        ({"approve_below": 0.1, "decline_above": 0.2, "watch_per_day": 2}, "watch_per_day needs alerts_per_day"),
        ({"approve_below": 0.1, "decline_above": 0.2, "alert_expires_after": "36h"}, "whole days"),
        ({"approve_below": 0.1, "decline_above": 0.2, "contexts": [{"hours": [7, 3]}]}, "hours must rise"),
        ({"costs": {"false_positive": 1, "false_negative": "value"}, "value": "this.x", "contexts": []}, "for each row"),
        ({"approve_below": 0.1, "decline_above": 0.2,
          "verdicts": {"source": "a", "state": "b", "entity": "c", "match": "d"}}, "either entity"),
    ],
)  # fmt: skip
def test_policies_that_contradict_themselves_are_refused(given: dict[str, object], words: str):
    with pytest.raises(ValidationError, match=words):
        Policy.model_validate(given)


def test_cut_offs_follow_from_costs_and_survive_a_round_trip():
    policy = Policy.model_validate({"costs": {"false_positive": 100, "false_negative": 900, "review": 9}})
    assert policy.cut_offs == (pytest.approx(0.01), pytest.approx(0.91))
    assert Policy.model_validate(policy.model_dump(mode="json")) == policy
    dear = Policy.model_validate({"costs": {"false_positive": 100, "false_negative": 900, "review": 90}})
    assert dear.cut_offs == (pytest.approx(0.1), pytest.approx(0.1))
