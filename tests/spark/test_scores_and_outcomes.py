"""Scores are written once, whoever is killed or late; outcomes follow labels row by row; thresholds follow outcomes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import xgboost
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from synthetic import FEATURES, training_pandas, use_case

from finlake.config import Config, Source, Target
from finlake.config.base import Duration
from finlake.errors import FreshnessError
from finlake.lakehouse import Lake
from finlake.models.artefact import Artefact, Card
from finlake.pipelines.outcomes import outcomes
from finlake.pipelines.score import check_age
from finlake.pipelines.score_rows import Run, write_scores
from finlake.pipelines.step import Step
from finlake.pipelines.thresholds import thresholds

LAST = datetime(2025, 5, 4, tzinfo=UTC)  # the end of the drawn days
VISITS = Source(
    source="visits", about="a", owner="o", read={"from": "visits", "format": "csv"}, key="visit", happened_at="at",
    known_at="at", columns={"visit": {"type": "text"}, "visitor": {"type": "text"}, "at": {"type": "timestamp"},
                            "late": {"type": "boolean"}, "sum": {"type": "money", "currency": "EUR"}},
)  # fmt: skip
CUTS = {"approve_below": 0.02, "decline_above": 0.2, "value": "this.sum"}
CALLS = {"alerts_per_day": 3, "one_alert_per": "visitor", "queue_opens": "07:00 UTC", "value": "this.sum"}


class Killed(Exception):
    """Stands for the end of the process."""


class Cut(Lake):
    """A lake whose process ends when it would append."""

    def append(self, *given: object, **named: object) -> None:
        raise Killed


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    drawn = training_pandas(3000, seed=2)
    matrix = xgboost.DMatrix(drawn[FEATURES].replace(np.inf, np.nan).to_numpy("float32"), drawn["label"])
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "seed": 7}, matrix, 20)
    card = Card("late_visits", FEATURES, 20, "", {"kind": "none"}, {}, {}, dict.fromkeys(FEATURES), definition="f1")
    return Artefact(bytes(booster.save_raw("ubj")), card)


def make_run(lake: Lake, artefact: Artefact, now: datetime = LAST, **policy: object) -> Run:
    case = use_case(policy=policy, score={"each": "visits", "as_of": "happened_at"})
    config = Config(lake.root, Target(target="local", lake=str(lake.root)), sources={"visits": VISITS},
                    use_cases={case.use_case: case})  # fmt: skip
    step = Step(lake, config, now, "score", run_id=f"r{now:%d%H}")
    return Run(step, case, artefact, "1", champion=True, render=lambda name, *_: name)


def fill(lake: Lake, rows: int = 1200) -> DataFrame:
    drawn = lake.spark.createDataFrame(training_pandas(rows))
    lake.overwrite("features.late_visits", drawn.drop("label", "part").withColumn("_definition", F.lit("f1")))
    told = F.col("event_ts") + F.expr("INTERVAL '1' DAY")
    lake.overwrite("silver.visits", drawn.where("label = 1").select(
        F.col("decision_key").alias("visit"), F.lit(True).alias("late"), "event_ts", told.alias("known_from"),
        F.lit(None).cast("timestamp").alias("known_to")))  # fmt: skip
    return lake.read("features.late_visits")


def scored(lake: Lake, *without: str) -> list[tuple[object, ...]]:
    frame = lake.read("scores.late_visits").drop("tables", "run_id", *without).orderBy("decision_key")
    return [tuple(row) for row in frame.collect()]


def test_scores_are_written_once_also_after_a_kill_and_by_a_slower_process(spark, lake, artefact):
    features = fill(lake)
    cut = Cut(spark, Target(target="local", lake=str(lake.root)), Path(lake.root))
    with pytest.raises(Killed):
        write_scores(make_run(cut, artefact, **CALLS), features, None)
    assert not lake.exists("scores.late_visits")
    run = make_run(lake, artefact, **CALLS)
    write_scores(run, features, None)
    first = scored(lake)
    assert len(first) == features.count()
    write_scores(run, features, None)  # it read before the other one wrote
    write_scores(run, features, lake.read("scores.late_visits"))
    assert scored(lake) == first

    table = lake.read("scores.late_visits").toPandas()
    alerts = table[table["decision"] == "alert"]
    assert table.loc[table["decision"] == "pass", "reasons"].isna().all()
    assert (alerts.groupby((alerts["decision_ts"] - timedelta(hours=7)).dt.date).size() <= 3).all()
    assert alerts["reasons"].map(lambda told: [r["contribution"] for r in told] == sorted(
        (r["contribution"] for r in told), reverse=True)).all()  # fmt: skip

    matrix = artefact.scorer().matrix(features.toPandas()[FEATURES])
    margins = dict(zip(features.toPandas()["decision_key"], artefact.scorer().margin(matrix), strict=True))
    assert table["raw_score"].tolist() == [margins[key] for key in table["decision_key"]]


def test_stale_features_are_refused(lake, artefact):
    features = fill(lake, 300)
    run = make_run(lake, artefact, **CUTS)
    check_age(run.step, "late_visits", features, Duration.parse("2d"))
    later = replace(run.step, now=LAST + timedelta(days=3))
    check_age(later, "late_visits", features, None)
    with pytest.raises(FreshnessError, match=r"more than 2d ago \(score.max_age\)"):
        check_age(later, "late_visits", features, Duration.parse("2d"))


def test_outcomes_follow_labels_and_thresholds_follow_outcomes(lake, artefact):
    features = fill(lake)
    early, middle = LAST - timedelta(days=30), LAST - timedelta(days=10)
    policy = {**CUTS, "contexts": [{"hours": [0, 12]}]}

    def run(now: datetime) -> Step:
        made = make_run(lake, artefact, now, **policy)
        before = lake.read("scores.late_visits") if lake.exists("scores.late_visits") else None
        write_scores(made, features.where(F.col("decision_ts") <= F.lit(now)), before)
        return made.step

    step = run(early)
    outcomes(step)
    kept = {row["decision_key"]: row for row in lake.read("ops.outcomes").collect()}
    assert {row["outcome"] for row in kept.values()} == {"positive", "negative", "unknown"}
    assert all(
        row["outcome"] == "unknown"
        for row in kept.values()
        if row["event_ts"].replace(tzinfo=UTC) > early - timedelta(days=1)
    )
    caught = [row for row in kept.values() if row["outcome"] == "positive" and row["decision"] == "decline"]
    assert caught and all((row["found"], row["missed"]) == (row["value"], 0) for row in caught)
    passed = [row for row in kept.values() if row["outcome"] == "positive" and row["decision"] != "decline"]
    assert passed and all((row["found"], row["missed"]) == (0, row["value"]) for row in passed)

    late = next(row["decision_key"] for row in kept.values() if row["outcome"] == "negative")
    told = (
        lake.read("silver.visits")
        .limit(1)
        .withColumn("visit", F.lit(late))
        .withColumn("known_from", F.lit(early + timedelta(hours=1)))
    )
    lake.append("silver.visits", told)
    outcomes(replace(step, now=early + timedelta(hours=2)))
    after = {row["decision_key"]: row for row in lake.read("ops.outcomes").collect()}
    changed = {key for key, row in after.items() if row != kept[key] and kept[key]["outcome"] != "unknown"}
    assert changed == {late} and after[late]["outcome"] == "positive"

    assert thresholds(step) == {"contexts": {"late_visits": 3}}
    thresholds(step)
    thresholds(replace(step, now=early + timedelta(hours=3)))  # nothing matured since
    first = lake.read("ops.thresholds").collect()
    assert {row["context"] for row in first} == {"", "hour=0-12", "hour=12-24"} and len(first) == 3
    assert all(0 < row["approve_below"] < row["decline_above"] < 1 and row["positives"] for row in first)

    step = run(middle)
    new = lake.read("scores.late_visits").where(F.col("run_id") == step.run_id)
    by = {
        (row["context"], row["thresholds_from"])
        for row in new.select("context", "thresholds_from").distinct().collect()
    }
    assert by == {("hour=0-12", first[0]["valid_from"]), ("hour=12-24", first[0]["valid_from"])}
    limits = {row["context"]: row for row in first}
    for row in new.collect():
        low, high = limits[row["context"]]["approve_below"], limits[row["context"]]["decline_above"]
        assert row["decision"] == (
            "approve" if row["probability"] < low else "decline" if row["probability"] > high else "refer"
        )
        assert (row["reasons"] is None) == (row["decision"] == "approve")
    old = lake.read("scores.late_visits").where(F.col("run_id") != step.run_id)
    assert old.where("thresholds_from IS NOT NULL").isEmpty()  # the first decision stands

    outcomes(step)
    thresholds(step)
    assert lake.read("ops.thresholds").select("valid_from").distinct().count() == 2
