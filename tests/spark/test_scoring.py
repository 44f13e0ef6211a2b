"""Decisions from scores: budgets that remember, cut-offs, costs, kinds; ranking few rows gives what ranking all does."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import xgboost
from pyspark.sql import functions as F
from synthetic import use_case

from finlake.models.artefact import Artefact, Card
from finlake.models.budget import Opening, at_budget
from finlake.models.scoring import by_budget, by_cut_offs, expected_loss, group_of, most_called, probabilities, unscored

COLUMNS = "decision_key string, entity string, decision_ts timestamp, raw_score double, probability double, kind string"
GIVEN = "day date, kind string, entity string, decision string"
NINE = datetime(2025, 4, 1, 9)


def rows(spark, *given: tuple[str, str, datetime, float], kind: str = "first"):
    return spark.createDataFrame([(k, e, at, s, 1 / (1 + 2.718281828**-s), kind) for k, e, at, s in given], COLUMNS)


def test_each_entity_gets_one_alert_a_queue_day_and_earlier_alerts_use_up_the_budget(spark):
    case = use_case(policy={"alerts_per_day": 2, "one_alert_per": "visitor", "queue_opens": "07:00 Europe/Berlin"})
    early = datetime(2025, 4, 2, 4, 30)  # 06:30 in Berlin: still the queue that opens at seven
    late = datetime(2025, 4, 2, 5, 30)  # 07:30: the next queue
    made = by_budget(
        rows(
            spark,
            ("a1", "A", NINE, 3.0), ("a2", "A", NINE, 2.9), ("b1", "B", early, 2.0), ("c1", "C", NINE, 1.0),
            ("c2", "C", late, 0.5), ("d1", "D", late, 0.4), ("e1", "E", late, 0.3),
        ),
        case,
    )  # fmt: skip
    alerts = {row["decision_key"] for row in made.where("decision = 'alert'").collect()}
    assert alerts == {"a1", "b1", "c2", "d1"}

    given = spark.createDataFrame([(datetime(2025, 4, 2).date(), "first", "A", "alert")], GIVEN)
    again = by_budget(rows(spark, ("a3", "A", NINE, 9.0), ("b1", "B", early, 2.0), ("c1", "C", NINE, 1.0)), case, given)
    assert {row["decision_key"] for row in again.where("decision = 'alert'").collect()} == {"b1"}


def test_the_next_highest_are_watched(spark):
    case = use_case(policy={"alerts_per_day": 1, "watch_per_day": 1, "one_alert_per": "visitor"})
    four = rows(
        spark, *((name.lower(), name, NINE, score) for name, score in zip("ABCD", (4.0, 3.0, 2.0, 1.0), strict=True))
    )
    found = {row["entity"]: row["decision"] for row in by_budget(four, case).collect()}
    assert found == {"A": "alert", "B": "watch", "C": "pass", "D": "pass"}
    day = datetime(2025, 4, 2).date()
    given = spark.createDataFrame([(day, "first", "A", "alert"), (day, "first", "B", "watch")], GIVEN)
    later = by_budget(rows(spark, ("x", "X", NINE, 9.0), ("y", "Y", NINE, 8.0)), case, given)
    assert {row["decision"] for row in later.collect()} == {"pass"}


def test_cut_offs_approve_refer_and_decline(spark):
    case = use_case(policy={"approve_below": 0.2, "decline_above": 0.6})
    made = rows(spark, ("a", "A", NINE, -3.0), ("b", "B", NINE, 0.0), ("c", "C", NINE, 3.0))
    low, high = case.policy.cut_offs
    cut = {"_approve_below": F.lit(low), "_decline_above": F.lit(high)}
    made = made.withColumns(cut).withColumn("decision", by_cut_offs(None))
    found = {row["decision_key"]: row["decision"] for row in made.collect()}
    assert found == {"a": "approve", "b": "refer", "c": "decline"}


@pytest.mark.parametrize("review", [None, 12.0, 40.0, 500.0])
@pytest.mark.parametrize("missed", ["value", 600.0])
def test_costs_take_the_decision_with_the_least_expected_cost(spark, missed: float | str, review: float | None):
    given = {"false_positive": 100.0, "false_negative": missed, **({"review": review} if review else {})}
    policy = use_case(policy={"costs": given, "value": "this.sum"}).policy
    grid = [(p / 200 + 0.001, float(value)) for p in range(200) for value in (30, 90, 600, 5000)]
    low, high = policy.cut_offs
    frame = spark.createDataFrame(grid, "probability double, value double").withColumns(
        {"_approve_below": F.lit(low).cast("double"), "_decline_above": F.lit(high).cast("double")}
    )
    made = frame.withColumn("decision", by_cut_offs(policy.costs)).withColumn("loss", expected_loss(policy.costs))
    for row in made.collect():
        chance, lost = row["probability"], row["value"] if missed == "value" else 600.0
        each = {"approve": chance * lost, "decline": (1 - chance) * 100.0, **({"refer": review} if review else {})}
        assert row["loss"] == pytest.approx(min(each.values())) == pytest.approx(each[row["decision"]])
    nothing = frame.withColumn("value", F.lit(None).cast("double")).withColumn("d", by_cut_offs(policy.costs))
    if missed == "value":
        assert {row["d"] for row in nothing.select("d").distinct().collect()} == {"refer"}


def test_a_standing_decision_makes_later_scores_shadow_and_a_model_not_in_charge_only_reviews(spark):
    columns = "decision_key string, decision_ts timestamp, _definition string"
    new = spark.createDataFrame([(key, NINE, "f1") for key in "abc"], columns)
    earlier = spark.createDataFrame(
        [("a", "first", "1", NINE, "f1"), ("b", "review", "2", NINE, "f1"), ("c", "shadow", "2", NINE, "f1"),
         ("c", "first", "1", NINE, "f1"), ("b", "review", "2", NINE, "f0")],
        "decision_key string, kind string, model_version string, decision_ts timestamp, feature_digest string",
    )  # fmt: skip

    def kinds(version: str, *, in_charge: bool) -> dict[str, str]:
        made = unscored(new, earlier, version, in_charge=in_charge)
        return {row["decision_key"]: row["_kind"] for row in made.collect()}

    assert kinds("2", in_charge=True) == {"a": "shadow", "b": "first"}
    assert kinds("3", in_charge=True) == {"a": "shadow", "b": "first", "c": "shadow"}
    assert kinds("2", in_charge=False) == {"a": "review"}
    assert kinds("1", in_charge=True) == {"b": "first"}


@pytest.mark.parametrize("called", [0, 3])
def test_ranking_only_rows_that_can_be_highest_gives_what_ranking_all_gives(spark, called: int):
    case = use_case(policy={"alerts_per_day": 4, "watch_per_day": 3, "one_alert_per": "visitor"})
    day = F.timestamp_seconds(F.lit(1_743_500_000) + F.pmod(F.xxhash64("id", F.lit("day")), F.lit(4 * 86_400)))
    table = spark.range(30_000).repartition(7).select(
        F.col("id").cast("string").alias("decision_key"),
        F.pmod(F.xxhash64("id", F.lit("who")), F.lit(900)).cast("string").alias("_entity"),
        day.alias("decision_ts"),
        F.when(F.col("id") % 5 == 0, "shadow").otherwise("first").alias("_kind"),
        (F.pmod(F.xxhash64("id", F.lit("shift")), F.lit(3)) / 2.0).alias("_shift"),
        *((F.pmod(F.xxhash64("id", F.lit(name)), F.lit(40)) / 20.0 - 1).alias(name) for name in ("a", "b")),
    )  # fmt: skip
    given = None
    if called:
        best = [(datetime(2025, 4, 2).date(), "first", str(number), "alert") for number in range(called)]
        given = spark.createDataFrame(best, GIVEN)
    table = table.withColumn("_group", group_of(case))
    keep = ["decision_key", "_entity", "decision_ts", "_kind", "_shift"]
    scored = probabilities(table, keep, small_artefact(), most_called(given, case))
    scored = scored.withColumnsRenamed({"_entity": "entity", "_kind": "kind"}).toPandas()
    assert 0 < scored["_top"].sum() < len(scored) / 4
    assert (scored["_values"].notna() == scored["_top"]).all()
    every = spark.createDataFrame(scored.drop(columns=["_values"]))

    def acted(frame):
        return sorted(
            map(
                tuple,
                by_budget(frame, case, given).where("decision <> 'pass'").select("decision_key", "decision").collect(),
            )
        )

    assert acted(every.where("_top")) == acted(every) != []


def small_artefact() -> Artefact:
    draw = np.random.default_rng(7).uniform(-1, 1, size=(2000, 2)).astype("float32")
    matrix = xgboost.DMatrix(draw, (draw[:, 0] + draw[:, 1] > 1).astype(int), feature_names=["a", "b"])
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 2, "seed": 7}, matrix, 5)
    card = Card("late_visits", ["a", "b"], 5, "", {"kind": "none"}, {}, {}, {})
    return Artefact(bytes(booster.save_raw("ubj")), card)


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
    made = at_budget(frame, ["finlake"], case.policy, opening).groupby("day").sum(numeric_only=True)
    assert made["alerts"].tolist() == [1, 1]
    assert made["correct"].tolist() == [1, 0]
    assert made["found"].tolist() == [110.0, 0.0]
    assert made["stoppable"].tolist() == [0.0, 1.0]


def test_queues_open_by_the_clock_on_the_wall_in_summer_and_winter(spark):
    opening = Opening("07:00:00", "Europe/Berlin")
    days = spark.createDataFrame([("2025-01-15",), ("2025-07-15",)], "day string").select(F.col("day").cast("date"))
    hours = [row[0].hour for row in days.orderBy("day").select(opening.moment(F.col("day"))).collect()]
    assert hours == [6, 5]
