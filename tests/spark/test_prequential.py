"""Performance as labels mature: no label counts before it was known, and none that comes later changes what was reported."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score, roc_auc_score
from synthetic import use_case

from finlake.config import Config, Source, Target
from finlake.models.prequential import counted_periods, matured, period_figures
from finlake.pipelines.performance import performance
from finlake.pipelines.step import Step, run_step


@pytest.fixture(scope="module")
def decided(spark):
    """Decisions of March and April 2025 in Berlin, and when each positive was reported: some before, some after maturity."""
    draw = np.random.default_rng(4)
    moment = pd.to_datetime("2025-03-01") + pd.to_timedelta(draw.uniform(0, 61 * 86400, 3000), unit="s").round("ms")
    label = draw.random(3000) < 0.15
    probability = 1 / (1 + np.exp(-(-2 + 1.5 * label + draw.normal(size=3000))))
    late = draw.random(3000) < 0.2
    delay = pd.to_timedelta(np.where(late, 40, draw.uniform(0, 1.9, 3000)), unit="D").round("ms")
    table = pd.DataFrame(
        {
            "label_key": [f"k{i}" for i in range(3000)],
            "decision_ts": moment,
            "probability": probability,
            "model_version": "1",
        }
    )
    told = table[label].assign(known_from=(moment + delay)[label], known_to=pd.NaT)[
        ["label_key", "known_from", "known_to"]
    ]
    scores = spark.createDataFrame(table)
    reports = spark.createDataFrame(
        told.astype({"known_to": "object"}).where(told.notna(), None),
        "label_key string, known_from timestamp, known_to timestamp",
    )
    return table.assign(label=label, late=late), scores, reports


def case():
    return use_case(policy={"approve_below": 0.1, "decline_above": 0.5})


def figures(scores, reports, now: datetime, reported=()):
    return {
        found.period: found
        for found in period_figures(counted_periods(matured(scores, reports, case(), now)), 7, reported)
    }


def test_a_period_waits_until_its_last_label_has_matured(decided):
    _, scores, reports = decided
    before = figures(
        scores, reports, datetime(2025, 4, 2, 21, 59, tzinfo=UTC)
    )  # midnight in Berlin is 22:00 UTC in April
    after = figures(scores, reports, datetime(2025, 4, 2, 22, 0, tzinfo=UTC))
    assert "2025-03" not in before and "2025-W12" in before
    march = after["2025-03"]
    assert (march.first, march.last) == (date(2025, 3, 1), date(2025, 3, 31))
    assert march.known_on == datetime(2025, 4, 2, 22, 0)
    assert "2025-W14" not in after


def test_figures_are_those_of_scikit_learn_on_what_was_known_then(decided):
    table, scores, reports = decided
    march = figures(scores, reports, datetime(2025, 6, 20, tzinfo=UTC))["2025-03"]
    local = table["decision_ts"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    mine = table[local.dt.month == 3]
    known = mine["label"] & (
        ~mine["late"]
    )  # what is reported after 40 days was not known at the end of March plus two days
    assert march.figures["rows"].value == len(mine) and march.figures["positives"].value == known.sum()
    assert march.figures["roc_auc"].value == pytest.approx(roc_auc_score(known, mine["probability"]), abs=1e-3)
    assert march.figures["average_precision"].value == pytest.approx(
        average_precision_score(known, mine["probability"]), abs=2e-3
    )
    assert march.figures["calibration"].value == pytest.approx(mine["probability"].sum() / known.sum(), rel=1e-3)
    assert march.figures["roc_auc"].low < march.figures["roc_auc"].value < march.figures["roc_auc"].high


def test_a_label_that_matures_late_moves_no_reported_figure(decided):
    _, scores, reports = decided
    soon, later = (figures(scores, reports, datetime(2025, month, 20, tzinfo=UTC)) for month in (4, 7))
    assert soon["2025-03"] == later["2025-03"]
    more = reports.unionByName(
        scores.select(
            "label_key",
            F.lit(datetime(2025, 6, 1)).alias("known_from"),
            F.lit(None).cast("timestamp").alias("known_to"),
        )
    )
    assert figures(scores, more, datetime(2025, 7, 20, tzinfo=UTC))["2025-03"] == soon["2025-03"]


def test_a_report_that_was_taken_back_before_maturity_does_not_count(decided):
    _, scores, reports = decided
    gone = reports.withColumn("known_to", F.col("known_from") + F.expr("INTERVAL '1' HOUR"))
    found = figures(scores, gone, datetime(2025, 7, 20, tzinfo=UTC))["2025-03"]
    assert found.figures["positives"].value == 0 and "roc_auc" not in found.figures


def test_what_was_reported_is_not_reported_again(decided):
    _, scores, reports = decided
    every = figures(scores, reports, datetime(2025, 7, 20, tzinfo=UTC))
    assert "2025-03" in every and "2025-03" not in figures(
        scores, reports, datetime(2025, 7, 20, tzinfo=UTC), ["2025-03"]
    )


@pytest.mark.long
def test_the_step_reports_each_period_once_and_keeps_what_it_said(lake, decided):
    table, scores, _ = decided
    source = Source(
        source="visits", about="a", owner="o", read={"from": "visits", "format": "csv"}, key="visit", happened_at="at", known_at="at",
        columns={"visit": {"type": "text"}, "at": {"type": "timestamp"}, "late": {"type": "boolean"}},
    )  # fmt: skip
    config = Config(
        lake.root,
        Target(target="local", lake=str(lake.root)),
        sources={"visits": source},
        use_cases={"late_visits": case()},
    )
    lake.overwrite(
        "scores.late_visits", scores.withColumnRenamed("label_key", "decision_key").withColumn("kind", F.lit("first"))
    )
    known = table.assign(known_from=table["decision_ts"] + pd.Timedelta("1h"))
    silver = lake.spark.createDataFrame(known[["label_key", "decision_ts", "label", "known_from"]]).select(
        F.col("label_key").alias("visit"), F.col("decision_ts").alias("at"), F.col("decision_ts").alias("event_ts"),
        F.col("label").alias("late"), "known_from", F.lit(None).cast("timestamp").alias("known_to"),
    )  # fmt: skip
    lake.overwrite("silver.visits", silver)

    def run(now: datetime) -> list[str]:
        step = Step(lake, config, now, "performance")
        return run_step(step, performance, {"use_case": "late_visits"})["periods"]

    def reported() -> dict[str, float]:
        rows = lake.read("ops.figures").where("figure like 'prequential.%'").collect()
        assert len({row["figure"] for row in rows}) == len(rows)
        return {row["figure"]: row["value"] for row in rows}

    assert run(datetime(2025, 3, 20, tzinfo=UTC))[-1] == "2025-W11"
    first = reported()
    assert run(datetime(2025, 3, 20, tzinfo=UTC)) == []
    lake.overwrite("silver.visits", silver.withColumn("late", ~F.col("late")))  # whatever becomes of the source later
    assert "2025-03" in run(datetime(2025, 4, 20, tzinfo=UTC))
    assert first.items() <= reported().items()
