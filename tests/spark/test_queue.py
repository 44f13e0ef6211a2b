"""The queue through its step: alerts open, are carried, settled and sampled; a killed or repeated run changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import functions as F
from synthetic import use_case

from finlake.config import Config, Target
from finlake.lakehouse import Lake
from finlake.models.explain import REASONS
from finlake.pipelines.queue import queue
from finlake.pipelines.step import Step, run_step

FIRST = datetime(2025, 4, 1, 12)
POLICY = {"alerts_per_day": 2, "one_alert_per": "visitor", "queue_opens": "07:00 UTC", "value": "this.sum"}
VERDICTS = {"source": "answers", "entity": "who", "state": "found", "states": {"F": "confirmed", "ok": "dismissed",
            "…": "in_work"}, "at": "found_at", "by": "analyst", "note": "words"}  # fmt: skip
SCORES = (
    "use_case string, decision_key string, entity string, event_ts timestamp, decision_ts timestamp, probability double, "
    "raw_score double, decision string, kind string, value decimal(18,2), expected_loss double, model_name string, "
    "model_version string, scored_at timestamp"
)


class Killed(Exception):
    """Stands for the end of the process."""


class Cut(Lake):
    """A lake whose process ends before its `left`-th write."""

    left = 99

    def merge(self, *given: object, **named: object) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        super().merge(*given, **named)


def make_step(lake: Lake, now: datetime, run: str = "r", **policy: object) -> Step:
    case = use_case(policy={**POLICY, "verdicts": VERDICTS, **policy})
    config = Config(lake.root, Target(target="local", lake=str(lake.root)), use_cases={case.use_case: case})
    return Step(lake, config, now.replace(tzinfo=UTC), "queue", run_id=run)


def write_scores(lake: Lake, days: int = 4, others: int = 40, kind: str = "first") -> None:
    """Every day A and one of B, C, D … are alerted, scored on the next morning before seven; the others pass."""
    rows = []
    for day in range(days):
        at, scored = FIRST + timedelta(days=day), FIRST + timedelta(days=day, hours=16)
        called = [("A", 0.5 + day / 10), (chr(ord("B") + day), 0.4)]
        for name, chance in [*called, *((f"o{i:02d}", i / 1000) for i in range(others))]:
            decision = "alert" if (name, chance) in called else "pass"
            rows.append(("late_visits", f"{name}{day}", name, at, at, chance, chance, decision, kind, None, None,
                         "late_visits", "1", scored))  # fmt: skip
    frame = lake.spark.createDataFrame(rows, SCORES).withColumn("reasons", F.lit(None).cast(REASONS))
    lake.overwrite("scores.late_visits", frame.withColumn("value", F.lit(10).cast("decimal(18,2)")))


def write_verdicts(lake: Lake, *rows: tuple[str, str, datetime, datetime, datetime | None]) -> None:
    """who, found, found_at, known_from, known_to."""
    said = [(who, found, at, "ann", "called", at, known, until) for who, found, at, known, until in rows]
    lake.overwrite("silver.answers", lake.spark.createDataFrame(
        said, "who string, found string, found_at timestamp, analyst string, words string, event_ts timestamp, "
              "known_from timestamp, known_to timestamp"))  # fmt: skip


def alerts(lake: Lake) -> list[tuple[str, str, str, str]]:
    """First letter and number of the decision, queue day, state, origin."""
    rows = lake.read("ops.alerts").orderBy("queue_day", "entity").collect()
    return [(row["decision_key"], f"{row['queue_day']:%d}", row["state"], row["origin"]) for row in rows]


def tables(lake: Lake) -> list[object]:
    found = lake.read("ops.alerts").drop("run_id").orderBy("alert_id").collect()
    return [found, lake.read("ops.alert_events").orderBy("alert_id", "at", "state").collect()]


def morning(day: int) -> datetime:
    """Half past four, with the decisions of the day before scored."""
    return datetime(2025, 4, day, 4, 30)


def test_alerts_are_carried_settled_corrected_and_expire(lake):
    write_scores(lake)
    queue(make_step(lake, morning(2)), "late_visits")
    assert alerts(lake) == [("A0", "02", "new", "score"), ("B0", "02", "new", "score")]

    answered = datetime(2025, 4, 2, 10)
    write_verdicts(lake, ("B", "F", answered, morning(3), None), ("Z", "F", answered, morning(3), None),
                   ("A", "what", answered, morning(3), None), ("B", "ok", answered, morning(4), None))  # fmt: skip
    said = make_step(lake, morning(3))
    queue(said, "late_visits")
    assert alerts(lake) == [
        ("A1", "02", "new", "score"),
        ("B0", "02", "confirmed", "score"),
        ("C1", "03", "new", "score"),
    ]
    assert [warning.split(": ", 1)[1].split(" ")[:3] for warning in said.warnings] == [
        ["1", "verdicts", "of"], ["1", "verdicts", "of"]
    ]  # fmt: skip
    figures = {row[2]: row[3] for row in said.figures}
    assert figures["queue.verdicts_without_alert"] == figures["queue.verdicts_not_understood"] == 1

    run_step(make_step(lake, morning(13)), queue, {"use_case": "late_visits"})
    assert alerts(lake) == [
        ("A3", "02", "expired", "score"), ("B0", "02", "dismissed", "score"), ("C1", "03", "expired", "score"),
        ("D2", "04", "expired", "score"), ("E3", "05", "expired", "score"),
    ]  # fmt: skip
    events = lake.read("ops.alert_events").where("note = 'called'").orderBy("state").collect()
    assert [(row["state"], row["at"], row["by"]) for row in events] == [
        ("confirmed", answered, "ann"), ("dismissed", answered, "ann")
    ]  # fmt: skip
    before = tables(lake)
    queue(make_step(lake, morning(3)), "late_visits")  # an earlier moment leaves what a later one knows
    assert tables(lake) == before


@pytest.mark.long
def test_a_run_that_ends_between_two_writes_is_made_good_by_the_next(spark, lake):
    write_scores(lake)
    write_verdicts(lake, ("B", "F", datetime(2025, 4, 2, 10), morning(3), None))
    cut = Cut(spark, Target(target="local", lake=str(lake.root)), Path(lake.root))
    for writes in (1, 3):  # between alerts and their history: of what scores ask for, then of the sample
        cut.left = writes
        with pytest.raises(Killed):
            queue(make_step(cut, morning(5), sample_per_day=3), "late_visits")
    queue(make_step(lake, morning(5), "s", sample_per_day=3), "late_visits")
    killed = tables(lake)
    assert {row["origin"] for row in killed[0]} == {"score", "sample"}
    lake.delete("ops.alerts", "true")
    lake.delete("ops.alert_events", "true")
    queue(make_step(lake, morning(5), "t", sample_per_day=3), "late_visits")
    assert tables(lake) == killed


def test_scores_for_review_alert_nobody_and_the_step_says_so(lake):
    write_scores(lake, days=1, kind="review")
    step, said = make_step(lake, morning(2)), []
    step.say = said.append
    queue(step, "late_visits")
    assert alerts(lake) == []
    assert "nobody is queued, because no champion has scored yet" in said[-1]


def test_a_sample_outside_the_queue_says_what_is_missed(lake):
    write_scores(lake, days=2)
    queue(make_step(lake, morning(3), sample_per_day=5), "late_visits")
    drawn = [(key, day) for key, day, _, origin in alerts(lake) if origin == "sample"]
    assert (
        len(drawn) == 10 and {day for _, day in drawn} == {"02", "03"} and all(key.startswith("o") for key, _ in drawn)
    )
    answered = datetime(2025, 4, 3, 10)
    found = [("F" if number == 0 else "ok") for number in range(5)]
    asked = [key[:3] for key, day in drawn if day == "03"]
    write_verdicts(lake, *((who, what, answered, morning(4), None) for who, what in zip(asked, found, strict=True)))
    said = make_step(lake, morning(4), sample_per_day=5)
    queue(said, "late_visits")
    figures = {row[2]: row[3:6] for row in said.figures}
    share, low, high = figures["queue.outside.share"]
    assert share == pytest.approx(0.2) and 0 < low < 0.2 < high < 0.7
    assert figures["queue.outside.positives_a_day"][0] == pytest.approx(0.2 * 40)
    assert [(key, day) for key, day, _, origin in alerts(lake) if origin == "sample"] == drawn


def test_verdicts_about_one_row_settle_the_alert_of_its_day(lake):
    write_scores(lake, days=2)
    by_key = {**{key: value for key, value in VERDICTS.items() if key != "entity"}, "match": "who"}
    answered = datetime(2025, 4, 9, 10)  # long after: the row says which alert is meant
    write_verdicts(lake, ("A1", "F", answered, answered, None), ("nothing", "F", answered, answered, None))
    said = make_step(lake, datetime(2025, 4, 10), verdicts=by_key)
    queue(said, "late_visits")
    assert alerts(lake)[0] == ("A1", "02", "confirmed", "score")
    assert {row[2]: row[3] for row in said.figures}["queue.verdicts_without_alert"] == 1
