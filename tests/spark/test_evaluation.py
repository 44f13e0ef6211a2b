"""The distributed evaluation gives what scikit-learn gives on the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from synthetic import training_pandas, use_case

from finlake.models import evaluation as ev
from finlake.models.evaluation import Evaluation
from finlake.models.served import sigmoid


@pytest.fixture(scope="module")
def scored(spark):
    """A training set with two models' margins: one that knows something, and a rule."""
    table = training_pandas(8000)
    table = table[table["part"] != "gap"].reset_index(drop=True)
    rng = np.random.default_rng(9)
    table["margin_finlake"] = -4.5 + 0.7 * table["visits_1h"] + rng.normal(size=len(table)) * 0.5
    table["margin_baseline_rule"] = np.arcsinh((table["visits_1h"] >= 4).astype(float))
    table["day"] = table["decision_ts"].dt.date
    table["value"] = table["sum"]
    kept = ["part", "day", "label", "value", "margin_finlake", "margin_baseline_rule"]
    return table, spark.createDataFrame(table[kept])


@pytest.fixture(scope="module")
def counts(scored):
    return ev.counted(scored[1], ["finlake", "baseline_rule"])


def test_measures_from_counts_equal_scikit_learn(scored, counts):
    test = scored[0].query("part == 'test'")
    found = ev.evaluate(
        counts, None, {"kind": "none"}, use_case(policy={"approve_below": 0.02, "decline_above": 0.2}), 7
    )
    for model in ("finlake", "baseline_rule"):
        score = test[f"margin_{model}"]
        assert found.figures[f"average_precision.{model}"].value == pytest.approx(
            average_precision_score(test["label"], score), abs=2e-3
        )
        assert found.figures[f"roc_auc.{model}"].value == pytest.approx(roc_auc_score(test["label"], score), abs=2e-3)
    chance = sigmoid(test["margin_finlake"].to_numpy())
    assert found.figures["brier.finlake"].value == pytest.approx(brier_score_loss(test["label"], chance), abs=1e-4)
    assert found.figures["calibration"].value == pytest.approx(chance.sum() / test["label"].sum(), rel=1e-3)
    approved = chance < 0.02
    assert found.figures["approved_share.finlake"].value == pytest.approx(approved.mean(), abs=2e-3)
    lost = test["sum"] * test["label"]
    assert found.figures["value_total"].value == pytest.approx(lost.sum())
    assert found.figures["value_found.finlake"].value == pytest.approx(lost[~approved].sum(), rel=0.02)
    difference = found.differences["average_precision.baseline_rule"]
    assert difference.low is not None and 0 < difference.low < difference.value < difference.high
    assert Evaluation.from_dict(found.to_dict()) == found


def test_the_test_part_never_reaches_calibration_or_tuning(scored, counts):
    changed = scored[1].withColumn(
        "label", F.when(F.col("part") == "test", 1 - F.col("label")).otherwise(F.col("label"))
    )
    other = ev.counted(changed, ["finlake", "baseline_rule"])
    assert ev.calibration_from(other) == ev.calibration_from(counts)
    assert ev.chosen_metric(other, "average_precision") == ev.chosen_metric(counts, "average_precision")


def test_scores_that_drift_show_in_the_period_they_drift_in(scored, counts):
    late = F.col("margin_finlake") + F.when(F.col("day") >= "2025-05-01", 2.0).otherwise(0.0)
    drifted = ev.counted(scored[1].withColumn("margin_finlake", late), ["finlake", "baseline_rule"])
    case = use_case()
    calm = {
        p.period: p.estimate.value for p in ev.evaluate(counts, None, {"kind": "none"}, case, 7).stability_by["month"]
    }
    moved = {
        p.period: p.estimate.value for p in ev.evaluate(drifted, None, {"kind": "none"}, case, 7).stability_by["month"]
    }
    assert moved["2025-04"] == pytest.approx(calm["2025-04"], abs=0.02)
    assert calm["2025-05"] < 0.25 < moved["2025-05"]
