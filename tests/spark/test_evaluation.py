"""The distributed evaluation gives what scikit-learn gives on the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from synthetic import training_pandas, use_case

from finlake.config.use_case import HoldOut
from finlake.errors import TrainingError
from finlake.features.training import HELD_OUT, is_held_out
from finlake.models import evaluation as ev
from finlake.models.budget import Opening, at_budget
from finlake.models.decided import at_cut_offs
from finlake.models.evaluation import Evaluation
from finlake.models.segments import HELD_OUT_LATER, HELD_OUT_THEN, LEARNT_LATER, apart_column, segment_columns
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
    kept = ["decision_key", "part", "day", "label", "value", "margin_finlake", "margin_baseline_rule"]
    return table, spark.createDataFrame(table[kept])


@pytest.fixture(scope="module")
def counts(scored):
    return ev.counted(scored[1], ["finlake", "baseline_rule"])


def test_measures_from_counts_equal_scikit_learn(scored, counts):
    test = scored[0].query("part == 'test'")
    case = use_case(policy={"approve_below": 0.02, "decline_above": 0.2})
    decided = at_cut_offs(scored[1].where("part = 'test'"), {"kind": "none"}, case.policy)
    found = ev.evaluate(counts, None, {"kind": "none"}, case, 7, decided=decided)
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
    assert found.figures["approved_share.finlake"].value == pytest.approx(approved.mean())
    lost = test["sum"] * test["label"]
    assert found.figures["value_total"].value == pytest.approx(lost.sum())
    assert found.figures["value_found.finlake"].value == pytest.approx(lost[~approved].sum())
    difference = found.differences["average_precision.baseline_rule"]
    assert difference.low is not None and 0 < difference.low < difference.value < difference.high
    assert Evaluation.from_dict(found.to_dict()) == found


def test_rows_in_another_order_are_judged_alike_to_the_last_digit(scored):
    rows = scored[1].withColumn("entity", F.substring("decision_key", -2, 2))
    turned = rows.orderBy(F.desc("decision_key")).repartition(5)
    found = [
        ev.evaluate(
            ev.counted(frame, ["finlake", "baseline_rule"], entities=True), None, {"kind": "none"}, use_case(), 7
        )
        for frame in (rows, turned)
    ]
    assert found[0].figures["average_precision.finlake"].low is not None
    assert found[0] == found[1]


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


def test_segments_and_entities_are_counted_with_the_days(scored):
    table, frame = scored
    rows = frame.join(
        frame.sparkSession.createDataFrame(table[["decision_key", "visitor", "visits_1h"]]), "decision_key"
    )
    columns = segment_columns(rows, ["this.visitor", "visits_1h"])
    rows = rows.withColumn("entity", F.col("visitor")).withColumns(
        {"segment_0": columns["this.visitor"], "segment_1": columns["visits_1h"]}
    )
    counts = ev.counted(rows, ["finlake", "baseline_rule"], segments=["segment_0", "segment_1"], entities=True)
    tested = counts[counts["part"] == "test"]
    sums = tested.groupby(["by", "model"])[["rows", "positives"]].sum()
    test = table.query("part == 'test'")
    assert (sums["rows"] == len(test)).all() and (sums["positives"] == test["label"].sum()).all()
    assert (
        tested[tested["by"] == "entity"]["block"].nunique() > 50
        and tested[tested["by"] == "entity"]["day"].isna().all()
    )
    named = tested[tested["by"] == "segment_0"]["segment"].unique()
    counted = table.query("part == 'train'")["visitor"].value_counts()
    largest = sorted(counted.index, key=lambda visitor: (-counted[visitor], visitor))[:8]
    assert "visitor = other" in named and set(named) <= {f"visitor = {v}" for v in largest} | {"visitor = other"}
    visits = tested[(tested["by"] == "segment_1") & (tested["model"] == "finlake")].groupby("segment")["rows"].sum()
    trained = table.query("part == 'train'")["visits_1h"]
    assert trained.nunique() > 5 and len(visits) <= 5
    first = f"visits_1h < {trained.quantile(0.4):g}"
    assert visits[first] == (test["visits_1h"] < trained.quantile(0.4)).sum()


def test_unknown_values_are_a_segment_of_their_own_and_times_are_refused(scored):
    frame = scored[1].withColumn("channel", F.when(F.col("decision_key") > "d002000", "web"))
    rows = frame.select(segment_columns(frame, ["this.channel"])["this.channel"].alias("s")).distinct().collect()
    assert {row["s"] for row in rows} == {"channel = web", "channel unknown"}
    flag = frame.withColumn("flag", (F.col("decision_key") > "d002000").cast("double"))
    rows = flag.select(segment_columns(flag, ["flag"])["flag"].alias("s")).distinct().collect()
    assert {row["s"] for row in rows} == {"flag = 0", "flag = 1"}
    with pytest.raises(TrainingError, match=r"segments: 'this\.day' is date"):
        segment_columns(frame, ["this.day"])
    with pytest.raises(TrainingError, match="did you mean 'channel'"):
        segment_columns(frame, ["this.chanel"])


def test_a_budget_finds_what_a_loop_over_days_finds(scored):
    table, frame = scored
    rows = frame.join(
        frame.sparkSession.createDataFrame(table[["decision_key", "visitor", "event_ts"]]), "decision_key"
    )
    rows = rows.withColumn("entity", F.col("visitor")).where("part = 'test'")
    policy = use_case().policy.model_copy(update={"alerts_per_day": 20})
    found = at_budget(rows, ["finlake", "baseline_rule"], policy, Opening.of(policy, "UTC"))
    test = table.query("part == 'test'")
    for model, least in (("finlake", -99.0), ("baseline_rule", 0.0)):
        mine = found[found["model"] == model].groupby("day").sum(numeric_only=True)
        gone: set[str] = set()
        for day, today in test.groupby("day"):
            by_entity = today.groupby("visitor").agg(margin=(f"margin_{model}", "max"), hit=("label", "max"))
            assert mine["positives"][day] == by_entity["hit"].sum()
            if model == "finlake":  # the rule's scores tie, and which of them come first is by hash
                order = by_entity[by_entity["margin"] > least].sort_values("margin", ascending=False)
                assert mine["correct"][day] == order.head(20)["hit"].sum()
                left = order[~order.index.isin(gone)].head(20)
                assert (mine["fresh_alerts"][day], mine["fresh_correct"][day]) == (len(left), left["hit"].sum())
                gone |= set(left.index[left["hit"] == 1])
        assert (len(gone) > 20) == (model == "finlake") and (mine["alerts"] <= 20).all()


def test_what_a_model_knows_of_entities_it_never_learnt_from_is_told_apart(scored):
    table = scored[0].copy()
    hold_out = HoldOut(of="visitor", share=0.4)
    spark = scored[1].sparkSession
    visitors = spark.createDataFrame(table[["visitor"]].drop_duplicates())
    held = {row["visitor"] for row in visitors.where(is_held_out(hold_out)).collect()}
    apart = table["visitor"].isin(held)
    rng = np.random.default_rng(4)
    table["margin_finlake"] = np.where(apart, rng.normal(size=len(table)), table["margin_finlake"])
    table["part"] = np.where(apart & table["part"].isin(["train", "choose"]), HELD_OUT, table["part"])
    rows = spark.createDataFrame(table).withColumn(HELD_OUT, apart_column(hold_out))
    counts = ev.counted(rows, ["finlake", "baseline_rule"], segments=[HELD_OUT])
    case = use_case(policy={"approve_below": 0.02, "decline_above": 0.2})
    case = case.model_copy(update={"split": case.split.model_copy(update={"hold_out": hold_out})})
    found = ev.evaluate(counts, None, {"kind": "none"}, case, 7)
    assert Evaluation.from_dict(found.to_dict()) == found

    parts = {
        LEARNT_LATER: table[(table["part"] == "test") & ~apart],
        HELD_OUT_LATER: table[(table["part"] == "test") & apart],
        HELD_OUT_THEN: table[table["part"] == HELD_OUT],
    }
    assert {way.segment: (way.rows, way.positives) for way in found.apart} == {
        name: (len(part), part["label"].sum()) for name, part in parts.items()
    }
    area = {way.segment: way.figures["roc_auc.finlake"] for way in found.apart}
    for name, part in parts.items():
        assert area[name].value == pytest.approx(roc_auc_score(part["label"], part["margin_finlake"]), abs=2e-3)
    assert area[LEARNT_LATER].low > 0.6 > area[HELD_OUT_LATER].value and area[HELD_OUT_THEN].value < 0.6


@pytest.mark.parametrize("review", [None, 2.0])
def test_costs_by_value_are_counted_as_each_row_was_decided(scored, counts, review):
    test = scored[0].query("part == 'test'")
    costs = {"false_positive": 3, "false_negative": "value", "review": review}
    case = use_case(policy={"costs": costs, "value": "this.sum"})
    decided = at_cut_offs(scored[1].where("part = 'test'"), {"kind": "none"}, case.policy)
    found = ev.evaluate(counts, None, {"kind": "none"}, case, 7, decided=decided).figures

    chance, value, label = sigmoid(test["margin_finlake"].to_numpy()), test["sum"].to_numpy(), test["label"].to_numpy()
    approving, declining = chance * value, (1 - chance) * 3
    looking = np.full(len(test), review or np.inf)
    least = np.minimum(np.minimum(approving, declining), looking)
    approved, declined = (value > 0) & (approving == least), (value > 0) & (declining == least)
    assert approved.any() and declined.any() and (~approved & ~declined).any() == bool(review)
    assert found["approved_share.finlake"].value == pytest.approx(approved.mean())
    assert found["declined_share.finlake"].value == pytest.approx(declined.mean())
    cost = np.select([approved, declined], [value * label, 3 * (1 - label)], review or 0)
    assert found["cost_per_decision.finlake"].value == pytest.approx(cost.mean())
    assert found["value_found.finlake"].value == pytest.approx((value * label)[~approved].sum())
