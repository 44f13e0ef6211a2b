"""The distributed fit: the same booster for the same rows, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F
from synthetic import FEATURES, training_set

from finlake.errors import TrainingError
from finlake.models.boosting import check_rows, check_slots, fit_distributed, fit_here, task_slots
from finlake.models.frames import booster_margin, with_margins
from finlake.models.metrics import exact_roc_auc
from finlake.models.sample import bounded_rows

PARAMETERS = {"max_depth": 3, "learning_rate": 0.3, "max_bin": 512, "subsample": 0.8, "rounds": 20, "reg_lambda": 1.0}


def fit(frame, workers=2):
    return fit_distributed(frame, FEATURES, PARAMETERS, workers=workers, seed=7, constraints={"visits_1h": 1})


def test_the_digest_does_not_depend_on_partitions_or_order(spark):
    frame = training_set(spark)
    first = fit(frame)
    again = fit(frame.repartition(7, "noise").orderBy(F.desc("decision_key")))
    assert first.digest == again.digest
    assert first.booster == again.booster


def test_batches_that_hold_one_part_only_do_not_stop_the_fit(spark):
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    before = spark.conf.get(setting)
    spark.conf.set(setting, "50")
    try:
        few = fit(training_set(spark, rows=2000))  # keys follow time, so sorted rows of one part lie together
    finally:
        spark.conf.set(setting, before)
    assert few.digest == fit(training_set(spark, rows=2000)).digest


def test_in_process_and_distributed_fits_agree(spark):
    frame = training_set(spark)
    parts = bounded_rows(frame, FEATURES, 100_000)
    assert set(parts["train"].weights) == {1.0} and parts["train"].complete, (
        "nothing is left out, so nothing is weighted"
    )
    here = fit_here(parts["train"].part, parts["choose"].part, FEATURES, {**PARAMETERS, "subsample": 1.0}, seed=7)
    there = fit_distributed(frame, FEATURES, {**PARAMETERS, "subsample": 1.0}, workers=2, seed=7)
    matrix, labels, _ = parts["choose"].part
    scores = [booster_margin(made.booster, FEATURES, made.rounds)()(matrix) for made in (here, there)]
    chances = [1 / (1 + np.exp(-score)) for score in scores]
    assert np.abs(chances[0] - chances[1]).mean() < 0.01
    assert abs(exact_roc_auc(scores[0], labels) - exact_roc_auc(scores[1], labels)) < 0.02


def test_executors_predict_what_this_process_predicts(spark):
    frame = training_set(spark, rows=2000)
    parts = bounded_rows(frame, FEATURES, 100_000)
    made = fit_here(parts["train"].part, parts["choose"].part, FEATURES, PARAMETERS, seed=7)
    build = booster_margin(made.booster, FEATURES, made.rounds)
    far = with_margins(frame.where("part = 'train'"), ["decision_key"], {"m": (FEATURES, build)})
    far = far.orderBy("decision_key").toPandas()["margin_m"].to_numpy()
    np.testing.assert_array_equal(far, build()(parts["train"].matrix))


def test_a_sample_keeps_positives_and_weighs_the_rest(spark):
    frame = training_set(spark)
    _, labels, weights = bounded_rows(frame, FEATURES, 1000)["train"].part
    counts = {row["label"]: row["count"] for row in frame.where("part = 'train'").groupBy("label").count().collect()}
    assert (labels == 1).sum() == counts[1]
    assert len(labels) < 1200
    assert weights[labels == 0].sum() == pytest.approx(counts[0], rel=0.1)


def test_unsound_training_data_is_refused(spark):
    frame = training_set(spark, rows=2000).where("part <> 'test'")
    with pytest.raises(TrainingError, match=r"train part has .* all labelled 0"):
        check_rows(frame.where("part = 'choose' OR label = 0"), "decision_key", 2)
    with pytest.raises(TrainingError, match="choose part has no rows"):
        check_rows(frame.where("part = 'train'"), "decision_key", 2)
    with pytest.raises(TrainingError, match="different ids"):
        check_rows(frame.unionByName(frame.limit(1)), "decision_key", 2)
    few = frame.where("part = 'train'").unionByName(frame.where("part = 'choose' AND label = 1").limit(1))
    few = few.unionByName(frame.where("part = 'choose' AND label = 0").limit(1))
    with pytest.raises(TrainingError, match=r"lower model\.workers"):
        check_rows(few, "decision_key", 8)


def test_more_workers_than_slots_are_refused_with_both_numbers(spark):
    slots = task_slots(spark)
    with pytest.raises(TrainingError, match=f"workers is {slots + 1}, but this cluster runs {slots} tasks"):
        check_slots(spark, slots + 1)
