"""Train, promote and score through the steps, on a lake with a hand-made training set."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from pyspark.sql import functions as F
from synthetic import FEATURES, training_pandas, use_case

from finlake.config import Config, FeatureGroup, Source, Target
from finlake.errors import TrainingError
from finlake.models.registry import Registry
from finlake.pipelines.promote import promote
from finlake.pipelines.score import score
from finlake.pipelines.step import Step
from finlake.pipelines.train import train_on

NOW = datetime(2025, 5, 5, tzinfo=UTC)
SOURCE = Source(
    source="visits", about="a", owner="o", read={"from": "visits", "format": "csv"}, key="visit", happened_at="at",
    known_at="at", columns={"visit": {"type": "text"}, "visitor": {"type": "text"}, "at": {"type": "timestamp"},
                            "sum": {"type": "money", "currency": "EUR", "unit": "EUR"}},
)  # fmt: skip
GROUP = FeatureGroup(
    group="visits", about="a", entity="visitor", source="visits",
    features={
        "visits_1h": {"count": "rows", "windows": ["1h"],
                      "say": "{value} visits within {window} by {known_until}, usual {usual}"},
        "share_30d": {"share": "sum > 30", "windows": ["30d"]}, "noise": {"mean": "sum", "windows": ["1d"]},
    },
)  # fmt: skip


def make_step(lake, name: str, run: str, said: list[str] | None = None, now: datetime = NOW) -> Step:
    case = use_case()
    target = Target(target="local", lake=str(lake.root))
    config = Config(
        lake.root, target, sources={"visits": SOURCE}, groups={"visits": GROUP}, use_cases={case.use_case: case}
    )
    return Step(lake, config, now, name, run_id=run, say=(said if said is not None else []).append)


def fill(lake, rows: int = 6000) -> None:
    table = training_pandas(rows)
    stored = lake.spark.createDataFrame(table)
    lake.overwrite("features.training_late_visits", stored.where("part <> 'gap'"))
    lake.overwrite("features.late_visits", stored.drop("label", "part").withColumn("_definition", F.lit("f1")))


def test_a_model_is_trained_promoted_and_scores_once(lake):
    fill(lake)
    said: list[str] = []
    training = make_step(lake, "train", "run-a", said)
    made = train_on(training, use_case(), "features.training_late_visits", FEATURES, definition="f1", verify=True)
    assert [row[7] for row in training.figures if row[2] == "train.verified"] == [made["digest"]]
    pictures = lake.root / "plots" / "late_visits"
    assert {path.name for path in pictures.glob("search*")} == {
        "search_convergence.png",
        "search_parallel.png",
        "search.json",
    }
    trials = lake.read("ops.trials").orderBy("trial").collect()
    assert {row["engine"] for row in trials} == {"hyperopt"} and all(len(row["curve"]) > 1 for row in trials)
    assert len(json.loads((pictures / "search.json").read_text())["trials"]) == 3
    figures = {row[2]: row[3] for row in training.figures}
    assert figures["average_precision.finlake"] > figures["average_precision.baseline_rule"]
    assert figures["test_reads"] == 1 and any("read once" in line for line in said)
    assert lake.read("ops.trials").where("status = 'ok' AND metric > 0").count() == 3
    assert made["version"] == "1"

    # nothing is new: the version stands, and the test is not read again
    again = make_step(lake, "train", "run-b", said)
    assert train_on(again, use_case(), "features.training_late_visits", FEATURES, definition="f1") == made
    assert said[-1].startswith("nothing new") and lake.read("ops.test_reads").count() == 1
    verifying = make_step(lake, "train", "run-v", said)
    train_on(verifying, use_case(), "features.training_late_visits", FEATURES, definition="f1", verify=True)
    assert {row[2] for row in verifying.figures} == {"train.verified"} and lake.read("ops.models").count() == 1

    # trained again, the same search takes its trials from the table and ends in the same model
    lake.delete("ops.models", "version = '1'")
    repeated = train_on(again, use_case(), "features.training_late_visits", FEATURES, definition="f1")
    assert repeated["digest"] == made["digest"] and repeated["version"] == "2"
    assert lake.read("ops.trials").count() == 3
    assert {row[2]: row[3] for row in again.figures}["test_reads"] == 2

    registry = Registry(training.config.target, lake.root, "late_visits")
    artefact = registry.load("1")
    matrix = artefact.scorer().matrix(training_pandas(400)[FEATURES])
    parts = artefact.scorer().contributions(matrix)
    np.testing.assert_allclose(parts.sum(axis=1), artefact.scorer().margin(matrix), atol=1e-4)

    # version 2 is judged; a champion decides, later scores are shadow
    judged = make_step(lake, "promote", "run-c")
    outcome = promote(judged, "late_visits")
    assert outcome["status"] == "champion, unopposed", judged.figures
    first = make_step(lake, "score", "run-d")
    result = score(first, "late_visits")
    since = training_pandas(6000).query("decision_ts > '2025-04-21'")
    assert result["rows"] == len(since) > 100
    scores = lake.read("scores.late_visits").toPandas()
    assert set(scores["kind"]) == {"first"}
    alerts = scores[scores["decision"] == "alert"]
    assert len(alerts) > 20 and alerts["reasons"].map(len).min() >= 1
    assert scores[scores["decision"] == "pass"]["reasons"].isna().all()
    said_first = [row["text"] for reasons in alerts["reasons"] for row in reasons if row["feature"] == "visits_1h"]
    assert any("visits within hour by" in text and text.endswith("usual 1") for text in said_first)
    day = (alerts["decision_ts"] + np.timedelta64(2, "h") - np.timedelta64(7, "h")).dt.date
    assert alerts.groupby(day).size().max() <= 5
    assert not alerts.groupby(day)["entity"].apply(lambda names: names.duplicated().any()).any()

    assert score(make_step(lake, "score", "run-e"), "late_visits")["rows"] == 0

    registry.point("champion", "1")
    shadow = score(make_step(lake, "score", "run-f"), "late_visits")
    assert shadow["rows"] == len(since)
    kinds = {
        (r["model_version"], r["kind"])
        for r in lake.read("scores.late_visits").select("model_version", "kind").collect()
    }
    assert kinds == {("2", "first"), ("1", "shadow")}
    lake.overwrite("features.late_visits", lake.read("features.late_visits").withColumn("_definition", F.lit("f2")))
    with pytest.raises(TrainingError, match="learnt from definitions f1, and the feature table holds f2"):
        score(make_step(lake, "score", "run-g"), "late_visits")
    with pytest.raises(Exception, match="visits_1h"):
        lake.overwrite("features.late_visits", lake.read("features.late_visits").drop("visits_1h"))
        score(make_step(lake, "score", "run-g"), "late_visits")


@pytest.mark.long
def test_an_approval_counts_after_a_newer_version_came_and_review_scores_are_decided_then(lake):
    fill(lake, 3000)

    def step(name: str, run: str) -> Step:
        made = make_step(lake, name, run)
        made.config.target = made.config.target.model_copy(update={"require_approval": True})
        return made

    def train(features: list[str], run: str) -> None:
        train_on(step("train", run), use_case(), "features.training_late_visits", features, definition="f1")

    train(FEATURES, "a")
    assert promote(step("promote", "b"), "late_visits")["status"] == "challenger"
    reviewed = score(step("score", "c"), "late_visits")["rows"]
    registry = Registry(step("x", "x").config.target, lake.root, "late_visits")
    registry.tag("1", {"approved_by": "risk@lender.example"})
    train(FEATURES[:-1], "d")
    assert promote(step("promote", "e"), "late_visits")["version"] == "2"
    assert registry.version_at("champion") == "1"
    assert score(step("score", "f"), "late_visits")["rows"] == reviewed
    assert score(step("score", "g"), "late_visits")["rows"] == 0
    kinds = lake.read("scores.late_visits").groupBy("model_version", "kind").count().collect()
    assert {tuple(row) for row in kinds} == {("1", "review", reviewed), ("1", "first", reviewed)}
    keys = ("decision_key", "decision_ts", "kind")
    assert lake.read("scores.late_visits").select(*keys).distinct().count() == 2 * reviewed
    gates = lake.read("ops.gates").count()
    promote(step("promote", "h"), "late_visits")
    assert lake.read("ops.gates").count() == gates


@pytest.mark.long
def test_folds_optuna_value_weights_and_a_fit_on_the_driver_end_in_a_calibrated_model(lake):
    fill(lake, 3000)
    search = {"engine": "optuna", "trials": 6, "rows": 3000, "stop_poor": True, "folds": {"count": 2}}
    case = use_case(model={"search": search, "fit": "single_node", "weights": "value"})
    training = make_step(lake, "train", "run-a")
    made = train_on(training, case, "features.training_late_visits", FEATURES, definition="f1", verify=True)
    trials = lake.read("ops.trials").orderBy("trial").collect()
    assert {row["engine"] for row in trials} == {"optuna"}
    for row in (row for row in trials if row["status"] == "ok"):
        assert len(row["folds"]) == 2 and row["metric"] == pytest.approx(np.mean(row["folds"]))
    figures = {row[2]: row for row in training.figures}
    assert abs(figures["fit_below_search_by"][3]) < 0.02, "both fits saw the same rows, and are measured on choose"
    assert 0.5 < figures["calibration"][3] < 2, "weights in the loss do not reach calibration"
    lake.delete("ops.models", "version = '1'")
    again = train_on(
        make_step(lake, "train", "run-b"), case, "features.training_late_visits", FEATURES, definition="f1"
    )
    assert again["digest"] == made["digest"] and lake.read("ops.trials").count() == len(trials)
