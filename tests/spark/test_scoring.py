"""Decisions from scores: budgets that remember, cut-offs, kinds, and sums of reasons."""

from __future__ import annotations

from datetime import datetime, timedelta

from pyspark.sql import functions as F
from synthetic import use_case

from finlake.models.budget import Opening, at_budget
from finlake.models.scoring import decided, kind_of

COLUMNS = "decision_key string, entity string, decision_ts timestamp, raw_score double, probability double, kind string"
NINE = datetime(2025, 4, 1, 9)


def rows(spark, *given: tuple[str, str, datetime, float], kind: str = "first"):
    return spark.createDataFrame([(k, e, at, s, 1 / (1 + 2.718281828**-s), kind) for k, e, at, s in given], COLUMNS)


def test_each_entity_gets_one_alert_a_queue_day_and_earlier_alerts_use_up_the_budget(spark):
    case = use_case(policy={"alerts_per_day": 2, "one_alert_per": "visitor", "queue_opens": "07:00 Europe/Berlin"})
    early = datetime(2025, 4, 2, 4, 30)  # 06:30 in Berlin: still the queue that opens at seven
    late = datetime(2025, 4, 2, 5, 30)  # 07:30: the next queue
    made = decided(
        rows(
            spark,
            ("a1", "A", NINE, 3.0), ("a2", "A", NINE, 2.9), ("b1", "B", early, 2.0), ("c1", "C", NINE, 1.0),
            ("c2", "C", late, 0.5), ("d1", "D", late, 0.4), ("e1", "E", late, 0.3),
        ),
        case,
    )  # fmt: skip
    alerts = {row["decision_key"] for row in made.where("decision = 'alert'").collect()}
    assert alerts == {"a1", "b1", "c2", "d1"}

    given = spark.createDataFrame([(datetime(2025, 4, 2).date(), "first", "A")], "day date, kind string, entity string")
    again = decided(rows(spark, ("a3", "A", NINE, 9.0), ("b1", "B", early, 2.0), ("c1", "C", NINE, 1.0)), case, given)
    assert {row["decision_key"] for row in again.where("decision = 'alert'").collect()} == {"b1"}


def test_cut_offs_approve_refer_and_decline(spark):
    case = use_case(policy={"approve_below": 0.2, "decline_above": 0.6})
    made = decided(rows(spark, ("a", "A", NINE, -3.0), ("b", "B", NINE, 0.0), ("c", "C", NINE, 3.0)), case)
    found = {row["decision_key"]: row["decision"] for row in made.collect()}
    assert found == {"a": "approve", "b": "refer", "c": "decline"}


def test_a_standing_decision_makes_later_scores_shadow_and_a_model_not_in_charge_only_reviews(spark):
    new = rows(spark, ("a", "A", NINE, 1.0), ("b", "B", NINE, 1.0)).drop("kind")
    earlier = spark.createDataFrame([("a", "first"), ("b", "review")], "decision_key string, kind string")
    kinds = {row["decision_key"]: row["kind"] for row in kind_of(new, earlier, in_charge=True).collect()}
    assert kinds == {"a": "shadow", "b": "first"}
    assert {row["kind"] for row in kind_of(new, earlier, in_charge=False).collect()} == {"review"}


def test_found_and_stoppable_value_of_a_hand_made_case(spark):
    # A is alerted rightly on the first day; its second fraud falls after the next morning's opening, its third before.
    case = use_case(policy={"alerts_per_day": 1, "one_alert_per": "visitor", "queue_opens": "07:00 UTC"})
    opening = Opening.of(case.policy, "UTC")
    first, columns = (
        datetime(2025, 4, 1, 12),
        "event_ts timestamp, entity string, label int, value double, margin_finlake double",
    )
    frame = spark.createDataFrame(
        [
            (first, "A", 1, 100.0, 5.0),
            (first + timedelta(hours=15), "A", 1, 10.0, -1.0),  # 03:00, before the opening: found, not stoppable
            (first + timedelta(hours=20), "A", 1, 1.0, -1.0),  # 08:00, after it: stoppable, and not alerted that day
            (first, "B", 0, 7.0, 4.0),
            (first + timedelta(hours=21), "B", 0, 7.0, 4.0),
        ],
        columns,
    ).withColumn("day", opening.day("event_ts"))
    made = at_budget(frame, ["finlake"], case.policy, opening).sort_values("day")
    assert made["alerts"].tolist() == [1, 1]
    assert made["correct"].tolist() == [1, 0]
    assert made["found"].tolist() == [110.0, 0.0]
    assert made["stoppable"].tolist() == [0.0, 1.0]


def test_queues_open_by_the_clock_on_the_wall_in_summer_and_winter(spark):
    opening = Opening("07:00:00", "Europe/Berlin")
    days = spark.createDataFrame([("2025-01-15",), ("2025-07-15",)], "day string").select(F.col("day").cast("date"))
    hours = [row[0].hour for row in days.orderBy("day").select(opening.moment(F.col("day"))).collect()]
    assert hours == [6, 5]
