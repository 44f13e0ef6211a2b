"""A new champion in the middle of the day takes nothing back and calls nobody twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from synthetic import FEATURES, use_case
from test_model_steps import fill
from test_model_steps import make_step as made_step

from finlake.lakehouse import Lake
from finlake.models.frames import block_day
from finlake.models.registry import CHAMPION, Registry
from finlake.pipelines.promote import promote
from finlake.pipelines.score import score
from finlake.pipelines.step import Step
from finlake.pipelines.train import train_on

NAME = "late_visits"
MORNING = datetime(2025, 5, 2, 5, 30, tzinfo=UTC)  # the queue of 2 May has opened in Berlin
NOON = datetime(2025, 5, 2, 11, tzinfo=UTC)
EVENING = datetime(2025, 5, 2, 19, tzinfo=UTC)

CASE = use_case(
    model={"search": {"trials": 3, "rows": 3000}, "workers": 2},
    policy={
        "alerts_per_day": 40,
        "one_alert_per": "visitor",
        "queue_opens": "07:00 Europe/Berlin",
        "value": "this.sum",
    },
)


def make_step(lake: Lake, name: str, run: str, **given: datetime) -> Step:
    step = made_step(lake, name, run, **given)
    step.config.use_cases[NAME] = CASE
    return step


@pytest.mark.long
def test_a_new_champion_at_noon_does_not_raise_yesterdays_alerts_again(lake: Lake) -> None:
    fill(lake, 6000)
    for number, features in enumerate((FEATURES, ["noise", "share_30d"])):
        step = make_step(lake, "train", f"train-{number}")
        train_on(step, CASE, "features.training_late_visits", features, definition="f1")
    registry = Registry(step.config.target, lake.root, NAME)
    promote(make_step(lake, "promote", "promote"), NAME)

    def scored(run: str, version: str, now: datetime) -> set[Row]:
        """The alerts that stand after a run of the version."""
        registry.point(CHAMPION, version)
        score(make_step(lake, "score", run, now=now), NAME)
        return set(standing().select("decision_key", "entity", "day", "model_version").collect())

    def standing() -> DataFrame:
        scores = lake.read("scores.late_visits").withColumn("day", block_day(CASE))
        return scores.where("kind = 'first' AND decision = 'alert'")

    morning = scored("morning", "1", MORNING)
    midday = scored("midday", "1", NOON)
    noon = scored("noon", "2", NOON)
    evening = scored("evening", "2", EVENING)
    night = scored("night", "1", EVENING)

    # what stood in the morning stands, and at noon the new champion adds nothing to what was decided
    assert len(morning) > 40 and morning <= midday == noon <= evening == night
    assert midday - morning and evening - noon
    assert {row["model_version"] for row in evening - noon} == {"2"}
    # it would have called others, so the days before would have got new alerts
    opinions = lake.read("scores.late_visits").where("run_id = 'noon' AND decision = 'alert'")
    assert {row["kind"] for row in opinions.select("kind").distinct().collect()} == {"shadow"}
    others = opinions.join(standing().select("decision_key"), "decision_key", "left_anti")
    assert others.count() > 10
    # the queue that was open at noon: one budget and one alert for an entity, whoever was in charge
    by_day = standing().groupBy("day").agg(F.count("*").alias("alerts"), F.count_distinct("entity").alias("entities"))
    for row in by_day.collect():
        assert row["alerts"] == row["entities"] <= CASE.policy.alerts_per_day
