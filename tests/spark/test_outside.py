"""A model made elsewhere is measured on the very rows of finlake's, or refused with the rows it lacks."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from synthetic import FEATURES, training_pandas, use_case
from test_model_steps import fill, make_step

from finlake.errors import TrainingError
from finlake.models.outside import check_name, with_predictions
from finlake.pipelines.train import train_on
from finlake.workbench import Workbench


@pytest.fixture
def trained(lake):
    fill(lake)
    step = make_step(lake, "train", "run-a")
    train_on(step, use_case(), "features.training_late_visits", FEATURES, definition="f1")
    return Workbench(lake, step.config, step.now)


def learnt():
    """LightGBM's own fit on the training part, and its probabilities of the test part."""
    table = training_pandas(6000).replace([np.inf, -np.inf], np.nan)
    train, test = (table[table["part"] == part] for part in ("train", "test"))
    model = lightgbm.LGBMClassifier(
        n_estimators=60, max_depth=3, learning_rate=0.1, verbose=-1, n_jobs=1, random_state=7
    )
    model.fit(train[FEATURES], train["label"])
    return test.assign(probability=model.predict_proba(test[FEATURES])[:, 1])


@pytest.mark.long
def test_lightgbm_gets_the_same_rows_intervals_audit_and_leaderboard(trained):
    test = learnt()
    found = trained.evaluate("late_visits", test[["decision_key", "probability"]], "lightgbm").set_index("figure")
    exact = average_precision_score(test["label"], test["probability"])
    assert found["value"]["average_precision"] == pytest.approx(exact, abs=2e-3)
    assert found["value"]["roc_auc"] == pytest.approx(roc_auc_score(test["label"], test["probability"]), abs=2e-3)
    assert found["value"]["brier"] == pytest.approx(brier_score_loss(test["label"], test["probability"]), abs=1e-4)
    assert (found["low"] <= found["value"]).all() and {"positives_at_budget", "calibration"} <= set(found.index)

    lake = trained.lake
    board = lake.read("ops.leaderboard").where("figure = 'average_precision'").toPandas().set_index("model")
    assert set(board.index) == {"finlake v1", "baseline_rule", "logistic_regression", "lightgbm"}
    assert board["test_digest"].nunique() == 1 and board["origin"]["lightgbm"] == "outside"
    gap = board["value"]["finlake v1"] - board["value"]["lightgbm"]
    assert board["difference"]["lightgbm"] == pytest.approx(gap)
    assert board["difference_low"]["lightgbm"] < gap < board["difference_high"]["lightgbm"]
    assert lake.read("ops.test_reads").count() == 2
    assert not lake.exists("ops.outside_late_visits")

    # the same again is a third read, and no further row; a score of any scale keeps its order
    rows = lake.read("ops.leaderboard").count()
    scaled = test.assign(score=300 + 40 * np.log(test["probability"] / (1 - test["probability"])))
    again = trained.evaluate("late_visits", scaled[["decision_key", "score"]], "lightgbm").set_index("figure")
    assert again["value"]["average_precision"] == pytest.approx(exact, abs=2e-3)
    assert lake.read("ops.leaderboard").count() == rows and lake.read("ops.test_reads").count() == 3


@pytest.mark.long
def test_finlakes_own_scores_given_from_outside_differ_by_nothing(trained):
    from finlake.models.registry import Registry

    scorer = Registry(trained.config.target, trained.lake.root, "late_visits").load("1").scorer()
    test = training_pandas(6000).query("part == 'test'")
    margin = scorer.margin(scorer.matrix(test))
    given = test.assign(probability=1 / (1 + np.exp(-margin)))[["decision_key", "probability"]]
    found = trained.evaluate("late_visits", given, "copy").set_index("figure")
    assert found["difference"]["roc_auc"] == pytest.approx(0, abs=1e-3)
    assert found["difference"]["positives_at_budget"] == 0


def test_missing_repeated_and_impossible_predictions_are_refused_with_their_numbers(spark):
    table = training_pandas(2000).query("part == 'test'")
    frame = spark.createDataFrame(table)
    good = spark.createDataFrame(table[["decision_key"]]).withColumn("probability", F.lit(0.1))
    keys, rows = sorted(table["decision_key"]), f"{len(table):,}"
    joined, kind = with_predictions(frame, good)
    assert kind == "probability" and joined.count() == len(table)

    def refused(predictions) -> str:
        with pytest.raises(TrainingError) as told:
            with_predictions(frame, predictions)
        return str(told.value)

    missing = refused(good.where(F.col("decision_key") > keys[6]))
    assert f"7 of {rows} test rows have no prediction (for example {', '.join(keys[:5])})" in missing
    twice = refused(good.unionByName(good.where(F.col("decision_key") <= keys[1])))
    assert f"2 of {rows} test rows have several predictions (for example {keys[0]}, {keys[1]})" in twice
    odd = good.withColumn(
        "probability",
        F.when(F.col("decision_key") == keys[0], 1.5)
        .when(F.col("decision_key") == keys[1], float("nan"))
        .otherwise(0.1),
    )
    told = refused(odd)
    assert f"1 of {rows} test rows have a probability below 0 or above 1 (for example {keys[0]})" in told
    assert f"1 of {rows} test rows have a probability that is empty, NaN or infinite (for example {keys[1]})" in told
    assert "did you mean" not in refused(good.withColumnRenamed("decision_key", "payment"))
    assert "probability (0 to 1) or score" in refused(good.select("decision_key"))
    more = good.withColumn("decision_key", F.concat("decision_key", F.lit("-later")))
    assert with_predictions(frame, good.unionByName(more))[0].count() == len(table)


def test_a_name_of_finlakes_own_is_refused():
    for name in ("finlake", "baseline_rule", "light gbm", "2nd"):
        with pytest.raises(TrainingError):
            check_name(name)
