"""Evaluation from counts alone: two-way intervals, segments, budgets and cut-offs, without Spark."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from finlake.config.use_case import UseCase
from finlake.models.bootstrap import BLOCKS, Draws, estimate, estimate_of
from finlake.models.budget import _fresh
from finlake.models.evaluation import Evaluation, evaluate
from finlake.models.plots import draw
from finlake.models.score_counts import BINS

MODELS = ("finlake", "baseline_rule")
FIRST = date(2025, 3, 30)


def use_case(**policy: object) -> UseCase:
    return UseCase.model_validate(
        {
            "use_case": "u", "purpose": "p", "owner": "o", "approver": "a", "materiality": "low",
            "score": {"each": "s"}, "features": ["g"], "baseline_rule": "x",
            "label": {"name": "l", "positive": "y", "from": {"source": "s"}, "matures_after": "1d"},
            "split": {"train": "9d", "choose": "9d", "test": "9d"},
            "policy": policy or {"alerts_per_day": 2, "one_alert_per": "card"},
        }
    )  # fmt: skip


def rows(number: int = 4000, days: int = 20, seed: int = 1) -> pd.DataFrame:
    """Test rows of cards and days; channel tells how well the model knows."""
    draw = np.random.default_rng(seed)
    day, card = draw.integers(0, days, number), draw.integers(0, 400, number)
    channel = np.where(draw.random(number) < 0.3, "phone", "web")
    label = (draw.random(number) < 0.1).astype(int)
    known = np.where(channel == "web", 3.0, 0.3)
    return pd.DataFrame(
        {
            "part": "test", "day": day, "entity": card, "segment": channel, "label": label, "value": draw.random(number),
            "finlake": np.round((-3 + known * label + draw.normal(size=number)) * BINS / 40) + BINS // 2,
            "baseline_rule": np.where(draw.random(number) < 0.1 + 0.3 * label, BINS // 2 + 800, BINS // 2),
        }
    ).assign(day=[FIRST + timedelta(days=int(d)) for d in day])  # fmt: skip


def counts_of(table: pd.DataFrame, *ways: str) -> pd.DataFrame:
    """What `counted` gives for these rows."""
    made = []
    for model in MODELS:
        one = table.assign(model=model, bin=table[model].astype(int), lost=table["value"] * table["label"])
        cell = one["entity"].astype(str) + one["day"].astype(str)
        shown = {
            "day": one.assign(block=-1, segment=""),
            "this.channel": one.assign(block=-1),
            "entity": one.assign(day=None, segment="", block=one["entity"] % BLOCKS),
            "cell": one.assign(day=None, segment="", block=pd.util.hash_array(cell.to_numpy()) % BLOCKS),
        }
        made += [shown[way].assign(by=way) for way in ("day", *ways)]
        trained = one.assign(part="train", by="day", day=None, block=-1, segment="")
        made += [trained, trained.assign(part="choose")] if model == "finlake" else []
    keys = ["part", "by", "day", "block", "segment", "model", "bin"]
    every = pd.concat(made, ignore_index=True)
    found = every.groupby(keys, dropna=False).agg(
        rows=("label", "size"), positives=("label", "sum"), lost=("lost", "sum")
    )
    return found.reset_index()


def chance_of(table: pd.DataFrame) -> pd.Series:
    return 1 / (1 + np.exp(20 - (table["finlake"] + 0.5) / BINS * 40))


def decided_of(table: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """What `at_cut_offs` gives for these rows."""
    chance = chance_of(table)
    decision = np.select([chance < low, chance > high], ["approve", "decline"], "refer")
    rows = table.assign(decision=decision, lost=table["value"] * table["label"], cost=0.0)
    found = rows.groupby(["day", "decision"], as_index=False).agg(
        rows=("label", "size"), positives=("label", "sum"), lost=("lost", "sum"), cost=("cost", "sum")
    )
    return found


def test_each_segment_is_measured_as_if_it_were_alone() -> None:
    table = rows()
    counts = counts_of(table, "this.channel")
    found = evaluate(counts, None, {"kind": "none"}, use_case(), 7, segments=["this.channel"])
    web, phone = found.segments["this.channel"]
    assert (web.segment, phone.segment) == ("web", "phone")
    for result in (web, phone):
        part = table[table["segment"] == result.segment]
        assert (result.rows, result.positives) == (len(part), part["label"].sum())
        for model in MODELS:
            exact = average_precision_score(part["label"], part[model])
            assert result.figures[f"average_precision.{model}"].value == pytest.approx(exact)
            assert result.figures[f"roc_auc.{model}"].value == pytest.approx(roc_auc_score(part["label"], part[model]))
    better, same = web.differences["roc_auc.baseline_rule"], phone.differences["roc_auc.baseline_rule"]
    assert better.low is not None and better.low > 0
    assert same.low is not None and same.high is not None and same.low < better.low
    assert phone.calibration.value is not None
    assert Evaluation.from_dict(found.to_dict()) == found


def test_a_segment_without_positives_has_no_figures_and_stops_nothing() -> None:
    table = rows()
    table.loc[table["segment"] == "phone", "label"] = 0
    found = evaluate(counts_of(table, "this.channel"), None, {"kind": "none"}, use_case(), 7, segments=["this.channel"])
    phone = found.segments["this.channel"][1]
    assert phone.positives == 0 and phone.figures["roc_auc.finlake"].value is None
    assert phone.differences["roc_auc.baseline_rule"].value is None and phone.calibration.value is None


def test_gini_is_twice_what_the_area_exceeds_one_half() -> None:
    found = evaluate(counts_of(rows()), None, {"kind": "none"}, use_case(), 7).figures
    area, gini = found["roc_auc.finlake"], found["gini.finlake"]
    assert gini.value == pytest.approx(2 * (area.value or 0) - 1)
    assert gini.low == pytest.approx(2 * (area.low or 0) - 1)


def test_the_interval_of_days_and_entities_covers_what_either_alone_does_not() -> None:
    """Means over rows of cards and days which both have effects of their own; the truth is 0."""
    draw = np.random.default_rng(11)
    runs, days, cards, each = 150, 25, 300, 3000
    covered = {"days": 0, "both": 0}
    for run in range(runs):
        day, card = draw.integers(0, days, each), draw.integers(0, cards, each)
        value = draw.normal(0, 0.15, days)[day] + draw.normal(0, 0.6, cards)[card] + draw.normal(size=each)
        cell = (
            pd.util.hash_array(np.char.add(np.char.add(day.astype(str), "|"), card.astype(str)).astype(object)) % BLOCKS
        )
        draws = Draws.of(days, run, entities=True)
        assert draws.blocks is not None
        units = [(day, days), (card % BLOCKS, BLOCKS), (cell.astype(int), BLOCKS)]
        drawn = [
            (weights @ np.bincount(unit, value, number)) / (weights @ np.bincount(unit, minlength=number))
            for weights, (unit, number) in zip(draws.ways, units, strict=True)
        ]
        for name, found in (("days", estimate(drawn[0])), ("both", estimate_of(drawn))):
            assert found.low is not None and found.high is not None
            covered[name] += found.low <= 0 <= found.high
    assert covered["days"] / runs < 0.88
    assert 0.9 <= covered["both"] / runs <= 0.99


def test_entities_widen_an_interval_and_never_move_its_figure() -> None:
    table = rows(6000)
    table.loc[table["entity"] % 40 == 0, "label"] = 1  # whole cards are positive: their rows are no news of their own
    alone = evaluate(counts_of(table), None, {"kind": "none"}, use_case(), 7).figures["average_precision.finlake"]
    both = evaluate(counts_of(table, "entity", "cell"), None, {"kind": "none"}, use_case(), 7)
    found = both.figures["average_precision.finlake"]
    assert found.value == alone.value
    assert None not in (found.low, found.high, alone.low, alone.high)
    assert (found.high or 0) - (found.low or 0) > 1.1 * ((alone.high or 0) - (alone.low or 0))


def test_who_is_found_leaves_the_queue_of_later_days() -> None:
    queue = pd.DataFrame(
        [  # model, day, entity, hit, place
            ("m", 1, "a", 1, 1), ("m", 1, "b", 0, 2), ("m", 1, "c", 1, 3),
            ("m", 2, "a", 1, 1), ("m", 2, "b", 0, 2), ("m", 2, "c", 1, 3),
            ("m", 3, "c", 0, 1), ("m", 3, "d", 0, 2), ("m", 3, "a", 0, 3), ("m", 3, "e", 1, 4),
        ],
        columns=["model", "day", "entity", "hit", "place"],
    ).assign(block=0, cell=0)  # fmt: skip
    found = _fresh(queue, calls=2).set_index("day")
    assert found["fresh_correct"].to_dict() == {1: 1, 2: 1, 3: 1}  # a; then c, since a has left; then e
    assert found["fresh_alerts"].to_dict() == {1: 2, 2: 2, 3: 2}


def test_figures_of_a_budget() -> None:
    table = rows()
    counts = counts_of(table, "entity", "cell")
    days = sorted(table["day"].unique())
    budget = pd.DataFrame(
        [
            {"model": model, "day": day, "block": place % BLOCKS, "cell": place % BLOCKS, "alerts": 10, "correct": 4 + place % 3,
             "found": 100.0, "stoppable": 50.0, "positives": 8, "fresh_alerts": 10, "fresh_correct": 3}
            for model in MODELS for place, day in enumerate(days)
        ]
    )  # fmt: skip
    found = evaluate(counts, budget, {"kind": "none"}, use_case(), 7)
    correct = np.mean([4 + place % 3 for place in range(len(days))])
    assert found.figures["positives_at_budget.finlake"].value == pytest.approx(correct)
    assert found.figures["precision_at_budget.finlake"].value == pytest.approx(0.3)
    assert found.figures["alerts_per_true_positive.finlake"].value == pytest.approx(10 / correct)
    assert found.figures["recall_at_budget.finlake"].value == pytest.approx(correct / 8)
    assert found.figures["value_found.finlake"].value == pytest.approx(100 * len(days))
    assert found.differences["precision_at_budget.baseline_rule"].value == 0
    recall, hits = found.curves["budget.finlake"]
    assert recall[0] == pytest.approx(correct / 8) and hits[0] == pytest.approx(correct / 10)
    ordinals, value, stoppable = found.curves["value.finlake"]
    assert [date.fromordinal(int(day)) for day in ordinals] == days
    assert sum(value) == pytest.approx(100 * len(days)) and sum(stoppable) == pytest.approx(50 * len(days))


def test_stretched_intervals_end_where_their_figure_does() -> None:
    draw = np.random.default_rng(3)
    near = [np.clip(0.02 + 0.03 * draw.normal(size=401), 0, 1) for _ in range(3)]
    near[1] = near[1] + np.where(np.arange(401), 0.4 * draw.random(401), 0)
    free, ended = estimate_of(near), estimate_of(near, (0.0, 1.0))
    assert free.low is not None and ended.low is not None and free.low < 0 == ended.low
    assert (free.value, free.high) == (ended.value, ended.high)


def test_cut_offs_are_marked_on_the_curve() -> None:
    table = rows()
    by_cut_off, decided = use_case(approve_below=0.1, decline_above=0.4), decided_of(table, 0.1, 0.4)
    found = evaluate(counts_of(table), None, {"kind": "none"}, by_cut_off, 7, decided=decided)
    called = chance_of(table) >= 0.1
    recall, hits = found.curves["cut_off.refer"]
    assert recall[0] == pytest.approx(table["label"][called].sum() / table["label"].sum())
    assert hits[0] == pytest.approx(table["label"][called].mean())
    assert sum(found.curves["value.finlake"][1]) == pytest.approx((table["value"] * table["label"])[called].sum())


def test_pictures_are_drawn_of_budgets_and_cut_offs(tmp_path: Path) -> None:
    table = rows()
    counts = counts_of(table, "this.channel")
    by_cut_off = use_case(approve_below=0.1, decline_above=0.4)
    found = evaluate(counts, None, {"kind": "none"}, by_cut_off, 7, ["this.channel"], decided_of(table, 0.1, 0.4))
    made = {path.name for path in draw(found, {"x": 0.7, "y": 0.3}, tmp_path)}
    assert made == {
        "precision_recall.png",
        "gains.png",
        "value_over_time.png",
        "calibration.png",
        "importance.png",
        "segments.png",
    }
    assert all((tmp_path / name).stat().st_size > 5000 for name in made)
