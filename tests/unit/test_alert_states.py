"""What becomes of an entity's alerts: opened, carried over, settled, corrected, expired; and what a sample says."""

from __future__ import annotations

import random

import pytest

from finlake.models.alert_states import Alert, Candidate, Event, Rules, Verdict, alert_id, alerts_of, opening
from finlake.models.sampling import outside_of

DAY = 86_400_000_000
SEVEN = 7 * 3_600_000_000


def opens(day: int) -> int:
    return day * DAY + SEVEN


def rules(day: float) -> Rules:
    """The morning of a day, before its queue opens."""
    return Rules(int(day * DAY) + SEVEN // 2, 7, opens)


def asked(day: int, probability: float = 0.5, origin: str = "score", scored: float | None = None) -> Candidate:
    when = day if scored is None else scored
    moment = int(when * DAY) + SEVEN // 2
    return Candidate(day, f"k{day}", probability, probability, moment, moment, origin)


def told(day: float, state: str, known: float, until: float | None = None, grace: int = 7, by: str = "ann") -> Verdict:
    ends = None if until is None else int(until * DAY)
    return Verdict(int(day), grace, state, int(day * DAY) + 2 * SEVEN, int(known * DAY), ends, by)


def states(alerts: list[Alert]) -> list[tuple[int, str, str]]:
    return [(alert.queue_day, alert.decision.decision_key, alert.state) for alert in alerts]


def test_an_entity_with_an_open_alert_gets_no_second_one_and_the_highest_score_counts():
    alerts, _ = alerts_of([], [asked(10, 0.4), asked(12, 0.9), asked(13, 0.6)], [], rules(13))
    assert states(alerts) == [(10, "k12", "new")]


def test_after_seven_days_an_alert_expires_and_a_new_one_is_opened():
    alerts, _ = alerts_of([], [asked(10), asked(16), asked(17)], [], rules(18))
    assert states(alerts) == [(10, "k16", "expired"), (17, "k17", "new")]
    assert alerts[0].state_since == opens(17)
    assert alerts[0].events == [Event("new", rules(18).now), Event("expired", opens(17))]


def test_a_settled_alert_makes_way_for_a_new_one_only_from_when_the_verdict_was_known():
    verdict = told(10, "dismissed", known=11.5)
    alerts, _ = alerts_of([], [asked(10), asked(11, 0.9), asked(12)], [verdict], rules(12))
    assert states(alerts) == [(10, "k11", "dismissed"), (12, "k12", "new")]
    assert (alerts[0].verdict_by, alerts[0].state_since) == ("ann", verdict.at)


def test_the_same_alerts_come_out_whether_days_are_run_one_by_one_or_at_once():
    every = [asked(day, 0.3 + day / 100) for day in (10, 11, 12, 14, 18, 19, 20)]
    verdicts = [told(10, "in_work", 10.9), told(12, "dismissed", 12.9), told(18, "confirmed", 19.2)]
    alerts: list[Alert] = []
    for day in range(10, 22):
        seen = [c for c in every if c.queue_day <= day]
        alerts, _ = alerts_of(alerts, seen, verdicts, rules(day))
    at_once, _ = alerts_of([], every, verdicts, rules(21))
    settled = [(10, "k12", "dismissed"), (14, "k19", "confirmed"), (20, "k20", "new")]
    assert states(alerts) == states(at_once) == settled
    again, _ = alerts_of(alerts, every, verdicts, rules(21))
    assert again == alerts


@pytest.mark.parametrize("seed", range(60))
def test_any_days_and_verdicts_give_the_same_alerts_run_by_run_at_once_and_again(seed: int):
    draw = random.Random(seed)
    every = [asked(day, draw.random()) for day in range(10, 40) if draw.random() < 0.4]
    verdicts = [
        told(day, draw.choice(["in_work", "dismissed", "confirmed"]), day + draw.choice([0.5, 1.5, 4.5]))
        for day in range(10, 40)
        if draw.random() < 0.2
    ]
    alerts: list[Alert] = []
    for day in range(10, 50):
        alerts, _ = alerts_of(alerts, [c for c in every if c.queue_day <= day], verdicts, rules(day))
        again, _ = alerts_of(alerts, [c for c in every if c.queue_day <= day], verdicts, rules(day))
        assert again == alerts
        assert sum(alert.state == "new" and alert.expires_on > day for alert in alerts) <= 1
    at_once, _ = alerts_of([], every, verdicts, rules(49))
    assert states(alerts) == states(at_once)
    assert len({alert.decision.decision_key for alert in alerts}) == len(alerts)


def test_a_decision_that_is_scored_late_is_carried_by_the_alert_that_was_open_then():
    late = [asked(12, 0.5), asked(11, 0.9, scored=13)]
    alerts, _ = alerts_of([], [late[0]], [], rules(12))
    alerts, _ = alerts_of(alerts, late, [], rules(13))
    assert states(alerts) == [(12, "k11", "new")] == states(alerts_of([], late, [], rules(13))[0])
    assert alerts_of(alerts, late, [], rules(14))[0] == alerts


def test_a_correction_known_later_wins_whatever_time_it_speaks_of():
    first, corrected = told(10, "dismissed", 11, until=13), told(10, "confirmed", 13)
    other_row = told(10, "in_work", 12)  # another row about the same alert
    alerts, _ = alerts_of([], [asked(10)], [first, other_row, corrected], rules(12))
    assert states(alerts) == [(10, "k10", "in_work")]
    alerts, _ = alerts_of(alerts, [asked(10)], [first, other_row, corrected], rules(14))
    assert states(alerts) == [(10, "k10", "confirmed")]
    assert [event.state for event in alerts[0].events] == ["new", "dismissed", "in_work", "confirmed"]


def test_nothing_known_later_is_used():
    verdict = told(10, "confirmed", 12)
    alerts, unknown = alerts_of([], [asked(10)], [verdict, told(9, "confirmed", 12)], rules(11))
    assert (states(alerts), unknown) == ([(10, "k10", "new")], 0)


def test_a_late_verdict_settles_an_expired_alert_and_one_about_nothing_is_counted():
    late, lost, early = told(18, "confirmed", 20), told(40, "confirmed", 41), told(9, "confirmed", 10)
    alerts, unknown = alerts_of([], [asked(10)], [late, lost, early], rules(42))
    assert states(alerts) == [(10, "k10", "confirmed")]
    assert [event.state for event in alerts[0].events] == ["new", "confirmed", "expired"]
    assert unknown == 2
    replaced = told(40, "confirmed", 41, until=41.5)
    assert alerts_of([], [asked(10)], [replaced], rules(42))[1] == 0


def test_a_sampled_entity_that_a_score_reaches_counts_as_the_scores_and_an_open_one_is_not_sampled():
    alerts, _ = alerts_of([], [asked(10, 0.01, "sample"), asked(11, 0.8)], [], rules(11))
    assert [(a.origin, a.decision.decision_key) for a in alerts] == [("score", "k11")]
    alerts, _ = alerts_of([], [asked(10, 0.8), asked(11, 0.9, "sample")], [], rules(11))
    assert [(a.origin, a.decision.decision_key) for a in alerts] == [("score", "k10")]


def test_queues_open_by_the_clock_on_the_wall():
    moment = opening("07:00:00", "Europe/Berlin")
    winter, summer = 20_103, 20_284  # 15 January and 15 July 2025
    assert [(moment(day) - day * DAY) // 3_600_000_000 for day in (winter, summer)] == [6, 5]
    assert alert_id("x", winter, "e") == alert_id("x", winter, "e") != alert_id("x", summer, "e")


def test_days_outside_the_queue_weigh_by_their_entities():
    found = outside_of([(900, 2, 0), (100, 1, 1), (500, 0, 0)])
    assert found is not None
    assert (found.answered, found.share, found.a_day) == (3, pytest.approx(0.1), 500)
    assert 0 < found.low < 0.1 < found.high < 1
    none = outside_of([(1000, 60, 0)])
    assert none is not None and none.share == none.low == 0 and 0.03 < none.high < 0.08
    assert outside_of([(10, 0, 0)]) is None
