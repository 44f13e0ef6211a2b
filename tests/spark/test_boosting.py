"""The distributed fit: the same booster for the same rows, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F
from synthetic import FEATURES, training_set, use_case

from finlake.errors import TrainingError
from finlake.models.boosting import (
    check_rows,
    check_slots,
    fit_distributed,
    fit_here,
    spark_classifier,
    task_slots,
)
from finlake.models.final import final_fit, refuse_sample
from finlake.models.frames import booster_margin, with_margins
from finlake.models.metrics import exact_roc_auc
from finlake.models.sample import LOSS_WEIGHT, bounded_rows
from finlake.models.weights import weighted

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


def test_shards_without_training_rows_are_refused(spark):
    frame = training_set(spark, rows=2000)
    few = frame.where("part = 'train'").orderBy(F.desc("label"), "decision_key").limit(2)
    few = few.unionByName(frame.where("part = 'train' AND label = 0").orderBy("decision_key").limit(1))
    with pytest.raises(TrainingError, match=r"would get no train rows \(3 in all\); lower model\.workers"):
        check_rows(few.unionByName(frame.where("part = 'choose'")), "decision_key", 8)


def test_infinities_and_exact_decimals_are_the_same_as_missing_values_and_doubles(spark):
    frame = training_set(spark, rows=2000)
    assert frame.where("noise = double('inf')").count()
    missing = F.when(F.abs("noise") < float("inf"), F.col("noise"))
    money = F.col("this_sum").cast("decimal(18,2)")
    plain = fit(frame)
    assert fit(frame.withColumn("noise", missing)).digest == plain.digest
    assert fit(frame.withColumn("noise", -F.col("noise"))).digest != plain.digest, "values do matter"
    assert fit(frame.withColumn("this_sum", money)).digest == plain.digest


def test_xgboost_never_repartitions_by_itself(spark):
    made = spark_classifier(FEATURES, PARAMETERS, workers=2, seed=7)
    assert made.getOrDefault("force_repartition") is False
    assert not made.isSet("weightCol")
    assert (
        spark_classifier(FEATURES, PARAMETERS, workers=2, seed=7, weighted=True).getOrDefault("weightCol")
        == LOSS_WEIGHT
    )


def test_value_weights_reach_both_fits_alike_and_keep_the_share_of_positives(spark):
    frame = training_set(spark)
    case = use_case(model={**use_case().model.model_dump(), "weights": "value"})
    heavier = weighted(frame, case)
    part = bounded_rows(heavier, FEATURES, 100_000)
    train = part["train"]
    positive = train.labels == 1
    assert train.loss[positive].sum() == pytest.approx(positive.sum())
    assert set(train.loss[~positive]) == {1.0} and set(train.weights) == {1.0}
    amounts = train.matrix[positive, FEATURES.index("this_sum")]
    np.testing.assert_allclose(train.loss[positive], amounts / amounts.mean(), rtol=1e-5)

    even = {**PARAMETERS, "subsample": 1.0}
    here = fit_here(train.learnt, part["choose"].learnt, FEATURES, even, seed=7)
    there = fit_distributed(heavier, FEATURES, even, workers=2, seed=7)
    plain = fit_distributed(frame, FEATURES, even, workers=2, seed=7)
    scores = [booster_margin(m.booster, FEATURES, m.rounds)()(part["choose"].matrix) for m in (here, there, plain)]
    chances = [1 / (1 + np.exp(-score)) for score in scores]
    apart = np.abs(chances[0] - chances[1]).mean()
    assert apart < 0.01 and apart < np.abs(chances[1] - chances[2]).mean()


def test_weights_that_cannot_weigh_are_refused(spark):
    frame = training_set(spark, rows=2000)

    def by(weights: str):
        return use_case(model={"weights": weights})

    assert weighted(frame, use_case()) is frame
    assert weighted(frame, by("this.sum")).where("part = 'train'").agg(F.avg(LOSS_WEIGHT)).first()[0] == pytest.approx(
        1
    )
    with pytest.raises(
        TrainingError, match=r"share_30d cannot weigh the loss: \d+ of .* are null, negative or infinite"
    ):
        weighted(frame, by("share_30d"))
    with pytest.raises(TrainingError, match="null, negative or infinite"):
        weighted(frame.withColumn("sum", -F.col("sum")), by("value"))
    with pytest.raises(TrainingError, match="its mean in train is 0"):
        weighted(frame.withColumn("sum", F.lit(0.0)), by("this.sum"))
    with pytest.raises(TrainingError, match=r"'this.sums' is not in the feature table.*features --rebuild"):
        weighted(frame, by("this.sums"))


def test_a_fit_on_the_driver_repeats_and_takes_all_rows_or_none(spark):
    frame = training_set(spark, rows=2000)
    alone = use_case(model={"fit": "single_node", "search": {"rows": 2000}}).model
    made = []
    for rows in (frame, frame.repartition(7, "noise").orderBy(F.desc("decision_key"))):
        parts = bounded_rows(rows, FEATURES, alone.search.rows)
        refuse_sample(parts, alone)
        made.append(final_fit(rows, parts, FEATURES, PARAMETERS, alone, {}))
    assert made[0].digest == made[1].digest
    less = use_case(model={"fit": "single_node", "search": {"rows": 1000}}).model
    big = bounded_rows(training_set(spark), FEATURES, 1000)
    with pytest.raises(TrainingError, match=r"train has more than model\.search\.rows \(1,000\)"):
        final_fit(frame, big, FEATURES, PARAMETERS, less, {})
