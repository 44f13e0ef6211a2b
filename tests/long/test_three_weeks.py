"""Three weeks of nightly runs: new files, late labels, a correction, verdicts, a day without data, a new champion."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from finlake.lakehouse import table_digest
from tests.jobs.conftest import ROOT, Demo, walk_plans
from tests.long.insurer import DAYS, WITHOUT_DATA, Insurer

BETTER, REVISED = 12, 8  # the night after which the constraint is right; the morning an analyst takes an answer back
OF_A_RUN = ("run_id", "queued_at", "measured_at", "scored_at", "tables")


class Weeks:
    """The lake, the insurer around it, and what was seen each morning."""

    def __init__(self, demo: Demo, insurer: Insurer) -> None:
        self.demo, self.insurer = demo, insurer
        self.alerts: list[dict[str, tuple[str, str]]] = []
        self.scored: list[int] = []
        self.champions: list[str] = []
        self.answered: dict[str, str] = {}
        self.revised = ""

    def night(self, day: int) -> None:
        self.insurer.deliver(day)
        self._answer(day)
        self.nightly(day)
        rows = self.demo.query("SELECT alert_id, entity, state FROM ops.alerts")
        self.alerts.append({row["alert_id"]: (row["entity"], row["state"]) for row in rows})
        waiting = [row["entity"] for row in self.demo.query("SELECT entity FROM bi.open_queue")]
        assert len(waiting) == len(set(waiting))
        self.scored.append(self.demo.query("SELECT count(*) AS n FROM scores.claim_fraud WHERE kind = 'first'")[0]["n"])
        last = "SELECT version FROM ops.promotions WHERE alias = 'champion' ORDER BY at DESC LIMIT 1"
        self.champions.append(self.demo.query(last)[0]["version"])

    def nightly(self, day: int) -> None:
        moment = f"{self.insurer.morning(day):%Y-%m-%dT%H:%M}"
        done = self.demo.inside("run", "nightly", "--bundle", str(ROOT), "--as-of", moment)
        assert done.returncode == 0, done.stderr

    def _answer(self, day: int) -> None:
        """Analysts call two of yesterday's alerts; one answer is later taken back."""
        if not self.alerts or day == WITHOUT_DATA:
            return
        new = [(entity, key) for key, (entity, state) in self.alerts[-1].items() if state == "new"]
        answers = [(key[:12], entity, self._truth(entity)) for entity, key in sorted(new)[:2]]
        self.answered |= {case: result for case, _, result in answers}
        if day == REVISED:
            case = next(iter(self.answered))
            self.revised = next(key for key in self.alerts[-1] if key.startswith(case))
            other = {"fraud": "genuine", "genuine": "fraud"}[self.answered[case]]
            answers.append((case, self.alerts[-1][self.revised][0], other))
        self.insurer.answer(day, answers)

    def _truth(self, policy: str) -> str:
        newest = max((c.happened, c.fraud) for c in self.insurer.claims.values() if c.policy == policy)
        return "fraud" if newest[1] else "genuine"


@pytest.mark.timeout(5400)
def test_three_weeks_of_nights(spark, tmp_path: Path) -> None:
    insurer = Insurer(tmp_path)
    walk_plans(insurer.conf)
    weeks = Weeks(Demo(spark, tmp_path / "lake", insurer.conf, "", ""), insurer)
    reported: dict[str, float] = {}
    for day in range(DAYS):
        if day == BETTER:
            insurer.learn_better()
        weeks.night(day)
        told = {
            row["figure"]: row["value"]
            for row in weeks.demo.query(
                "SELECT figure, value FROM ops.figures WHERE figure LIKE 'prequential.%' AND value IS NOT NULL"
            )
        }
        assert reported.items() <= told.items()  # labels that came later moved nothing
        reported = told

    _data_arrived(weeks)
    _queue_kept_its_word(weeks)
    _labels_came(weeks, reported)
    _one_new_champion(weeks)

    before = _digests(weeks)
    weeks.nightly(DAYS - 1)
    assert _digests(weeks) == before


def _data_arrived(weeks: Weeks) -> None:
    assert not weeks.demo.query("SELECT * FROM ops.batches WHERE NOT adds_up")
    assert weeks.demo.query("SELECT count(*) AS n FROM quarantine.claims WHERE _released_at IS NULL")[0]["n"] == 1
    new = [after - before for before, after in zip(weeks.scored, weeks.scored[1:], strict=False)]
    assert new[WITHOUT_DATA - 1] == 0 and new[WITHOUT_DATA] == 16
    assert all(count == 8 for place, count in enumerate(new, 1) if place not in (WITHOUT_DATA, WITHOUT_DATA + 1))

    claim = weeks.insurer.corrected
    versions = f"SELECT claimed, known_to FROM silver.claims WHERE claim_no = '{claim.key}' ORDER BY known_from"
    assert {row["claimed"] for row in weeks.demo.query(versions)} == {claim.claimed, 1999}
    stands = weeks.demo.query(f"SELECT value, kind FROM scores.claim_fraud WHERE decision_key = '{claim.key}'")
    assert [(row["value"], row["kind"]) for row in stands if row["kind"] == "first"] == [(claim.claimed, "first")]


def _queue_kept_its_word(weeks: Weeks) -> None:
    by_day = weeks.demo.query(
        "SELECT queue_day, count(*) AS alerts, count(DISTINCT entity) AS entities FROM ops.alerts GROUP BY queue_day"
    )
    assert all(row["alerts"] == row["entities"] <= 3 for row in by_day)
    for before, after in zip(weeks.alerts, weeks.alerts[1:], strict=False):
        assert before.keys() <= after.keys()
        settled = {key for key, (_, state) in before.items() if state in ("confirmed", "dismissed", "expired")}
        moved = {key for key in settled if after[key] != before[key]} - {weeks.revised}
        assert all(after[key][1] in ("confirmed", "dismissed") and before[key][1] == "expired" for key in moved)
    assert weeks.alerts[WITHOUT_DATA].keys() == weeks.alerts[WITHOUT_DATA - 1].keys()
    states = {state for _, state in weeks.alerts[-1].values()}
    assert {"new", "confirmed", "dismissed", "expired"} <= states
    assert {weeks.alerts[REVISED - 1][weeks.revised][1], weeks.alerts[REVISED][weeks.revised][1]} == {"confirmed", "dismissed"}  # fmt: skip
    open_alerts = weeks.demo.query("SELECT entity FROM ops.alerts WHERE state IN ('new', 'in_work')")
    assert len({row["entity"] for row in open_alerts}) == len(open_alerts)


def _labels_came(weeks: Weeks, reported: dict[str, float]) -> None:
    known = {row["decision_key"]: row["outcome"] for row in weeks.demo.query("SELECT * FROM ops.outcomes")}
    last = weeks.insurer.morning(DAYS - 1)
    mine = {key: claim for key, claim in weeks.insurer.claims.items() if key in known}
    told = {key for key, claim in mine.items() if claim.fraud and claim.told < last.date()}
    assert told and {key for key in known if known[key] == "positive"} == told
    late = {key for key in told if mine[key].late}
    assert late, "no label came after it counted as matured"
    old = {key for key, claim in mine.items() if claim.reported < last.replace(tzinfo=None) - timedelta(days=14)}
    assert {known[key] for key in old - told} == {"negative"}
    assert any(name.startswith("prequential.roc_auc.") for name in reported)


def _one_new_champion(weeks: Weeks) -> None:
    first = weeks.champions[0]
    assert set(weeks.champions[:BETTER]) == {first}
    second = weeks.champions[BETTER]
    assert second != first and set(weeks.champions[BETTER:]) == {second}
    stands = weeks.demo.query(
        "SELECT model_version, to_date(min(scored_at)) AS since, to_date(max(scored_at)) AS until "
        "FROM scores.claim_fraud WHERE kind = 'first' GROUP BY model_version"
    )
    days = {row["model_version"]: (row["since"], row["until"]) for row in stands}
    morning = weeks.insurer.morning
    assert days == {
        first: (morning(0).date(), morning(BETTER - 1).date()),
        second: (morning(BETTER).date(), morning(DAYS - 1).date()),
    }
    twice = "SELECT decision_key FROM ops.alerts GROUP BY decision_key HAVING count(*) > 1"
    assert not weeks.demo.query(twice)


def _digests(weeks: Weeks) -> dict[str, str]:
    names = ("silver.claims", "scores.claim_fraud", "ops.alerts", "ops.alert_events", "ops.outcomes", "ops.promotions")
    return {name: table_digest(weeks.demo.bench.table(name), exclude=OF_A_RUN) for name in names}
