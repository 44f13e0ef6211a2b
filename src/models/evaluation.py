"""How good a model is on the test period, beside what people use today, with intervals.

Spark counts rows by day and score bin; everything else is arithmetic on those bounded counts.
Days are queue days of an alert budget, else business days. Intervals resample them, and where a budget names an entity
groups of entities as well; the draws are the same for every model, so differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from finlake.config.use_case import UseCase
from finlake.errors import TrainingError
from finlake.models import metrics
from finlake.models.bootstrap import Drawn, Draws, Estimate, estimate, estimate_of, resampled
from finlake.models.periods import PERIODS, calibration, stability
from finlake.models.results import Evaluation, PeriodResult, SegmentResult
from finlake.models.score_counts import (
    CELL,
    CHAMPION,
    DAY,
    ENTITY,
    LOGISTIC,
    MODEL,
    RULE,
    Table,
    calibration_from,
    chosen_metric,
    counted,
    tested_by,
)
from finlake.models.segments import by_segment, four_ways
from finlake.models.served import calibrated

__all__ = [
    "CHAMPION",
    "LOGISTIC",
    "MODEL",
    "RULE",
    "Evaluation",
    "PeriodResult",
    "SegmentResult",
    "calibration_from",
    "chosen_metric",
    "counted",
    "evaluate",
    "probability_figures",
]

_SHARE, _SIGNED, _AMOUNT = (0.0, 1.0), (-1.0, 1.0), (0.0, math.inf)  # what figures can be
Figures = dict[str, Estimate]
Curves = dict[str, list[list[float]]]


def evaluate(
    counts: pd.DataFrame,
    budget: pd.DataFrame | None,
    calibration_of: dict[str, Any],
    use_case: UseCase,
    seed: int,
    segments: Sequence[str] = (),
    decided: pd.DataFrame | None = None,
) -> Evaluation:
    """All figures of the test part.

    Args:
        counts: from `counted`.
        budget: from `finlake.models.budget.at_budget`, for alert budgets.
        calibration_of: calibration of the finlake model.
        segments: what `counts` were also counted by.
        decided: from `finlake.models.decided.at_cut_offs`, for cut-offs and costs.

    Raises:
        TrainingError: the test part lacks positives or negatives.
    """
    test = tested_by(counts, DAY)
    own = test[test["model"] == MODEL]
    rows, positives = float(own["rows"].sum()), float(own["positives"].sum())
    if positives in (0.0, rows):
        raise TrainingError(
            f"the test part has {rows:,.0f} labelled rows and {positives:,.0f} positives; it needs both kinds: "
            "lengthen split.test"
        )
    days = np.sort(test["day"].unique())
    draws = Draws.of(len(days), seed, entities=bool((counts["by"] == ENTITY).any()))
    tables = {model: _ways(counts, model, days, draws) for model in test["model"].unique()}
    figures, differences = _ranking(tables, draws)
    figures |= {
        "rows": Estimate(rows),
        "positives": Estimate(positives),
        "days": Estimate(float(len(days))),
        "value_total": Estimate(float(own["lost"].sum())),
    }
    table = tables[MODEL][0]
    probability = calibrated(calibration_of, table.margins)
    figures[f"brier.{MODEL}"] = estimate(
        resampled(draws.days, lambda p, n: metrics.brier(p, n, probability), table.positives, table.negatives)
    )
    calibration_by = {by: calibration(table, probability, days, by, seed) for by in PERIODS}
    figures["calibration"] = calibration_by["all"][0].estimate
    train = counts[counts["part"] == "train"]
    stability_by = {by: stability(train, table, days, by, seed) for by in PERIODS}
    figures["psi"] = stability_by["all"][0].estimate
    curves = {f"ranking.{model}": _ranking_curve(ways[0]) for model, ways in tables.items()}
    curves["calibration"] = _calibration_curve(table, probability)
    curves["value.total"] = [_ordinals(days), table.lost.sum(axis=1).tolist()]
    found: Figures = {}
    shown: Curves = {}
    if budget is not None:
        found, less, shown = _at_budget(budget, days, draws)
        differences |= less
    elif decided is not None:
        found, shown = _at_cut_offs(decided, use_case.policy.costs is not None, days, draws.days)
    by = by_segment(counts, segments, days, draws, calibration_of)
    apart = four_ways(counts, days, draws, calibration_of, seed) if use_case.split.hold_out else []
    return Evaluation(figures | found, differences, calibration_by, stability_by, curves | shown, by, apart)


def probability_figures(counts: pd.DataFrame, model: str, seed: int) -> Figures:
    """Brier score and calibration of a model whose margins are log odds of probabilities it stands by itself."""
    rows = tested_by(counts, DAY)
    own = rows[rows["model"] == model]
    days = np.sort(own["day"].unique())
    table = Table(own, days)
    chance = calibrated({"kind": "none"}, table.margins)
    weights = Draws.of(len(days), seed).days
    measures: dict[str, Callable[..., np.ndarray]] = {
        "brier": metrics.brier, "calibration": metrics.predicted_to_observed,
    }  # fmt: skip
    return {
        f"{name}.{model}": estimate(
            resampled(weights, lambda p, n, of=measure: of(p, n, chance), table.positives, table.negatives)
        )
        for name, measure in measures.items()
    }


def _ways(counts: pd.DataFrame, model: str, days: np.ndarray, draws: Draws) -> list[Table]:
    """The model's counts by day, and by block of entities and cells where those are drawn."""

    def rows(by: str) -> pd.DataFrame:
        found = tested_by(counts, by)
        return found[found["model"] == model]

    made = [Table(rows(DAY), days)]
    if draws.blocks is not None:
        units = np.arange(draws.blocks.shape[1])
        made += [Table(rows(by), units, "block") for by in (ENTITY, CELL)]
    return made


def _ranking(tables: dict[str, list[Table]], draws: Draws) -> tuple[Figures, Figures]:
    figures: Figures = {}
    differences: Figures = {}
    measures: dict[str, Callable[..., np.ndarray]] = {
        "average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc, "ks": metrics.ks,
    }  # fmt: skip
    for name, measure in measures.items():
        drawn = {
            model: [
                resampled(weights, measure, t.positives, t.negatives)
                for weights, t in zip(draws.ways, ways, strict=True)
            ]
            for model, ways in tables.items()
        }
        for model, values in drawn.items():
            figures[f"{name}.{model}"] = estimate_of(values, _SHARE)
            if name == "roc_auc":
                figures[f"gini.{model}"] = estimate_of([2 * way - 1 for way in values], _SIGNED)
            if model != MODEL:
                less = [own - other for own, other in zip(drawn[MODEL], values, strict=True)]
                differences[f"{name}.{model}"] = estimate_of(less)
    return figures, differences


def _ranking_curve(table: Table) -> list[list[float]]:
    """Share of positives found, precision, and share of rows called, from the highest score down."""
    hits, misses = np.cumsum(table.positives.sum(axis=0)), np.cumsum(table.negatives.sum(axis=0))
    shown = np.unique(np.linspace(0, len(hits) - 1, 400).astype(int))
    called, found = (hits + misses)[shown], hits[shown]
    return [(found / hits[-1]).tolist(), (found / called).tolist(), (called / (hits + misses)[-1]).tolist()]


def _calibration_curve(table: Table, probability: np.ndarray, groups: int = 10) -> list[list[float]]:
    """Mean prediction and observed rate of groups that hold a tenth of the expected positives each."""
    positives, total = table.positives.sum(axis=0), table.total.sum(axis=0)
    expected = np.cumsum(total * probability)
    group = np.minimum((expected / expected[-1] * groups).astype(int), groups - 1)
    rows = np.bincount(group, total, groups)
    kept = rows > 0
    predicted = np.bincount(group, total * probability, groups)[kept] / rows[kept]
    return [predicted.tolist(), (np.bincount(group, positives, groups)[kept] / rows[kept]).tolist()]


def _ordinals(days: np.ndarray) -> list[float]:
    """Days as numbers, as `datetime.date.fromordinal` reads them."""
    return [float(day.toordinal()) for day in pd.to_datetime(pd.Series(days))]


def _at_budget(budget: pd.DataFrame, days: np.ndarray, draws: Draws) -> tuple[Figures, Figures, Curves]:
    """Figures of an alert budget and paired differences; values are sums, the others means a day or ratios."""
    every: dict[str, dict[str, Drawn]] = {}
    curves: Curves = {}
    for key, rows in budget.groupby("model"):
        model, daily = str(key), rows.groupby("day").sum(numeric_only=True).reindex(days).fillna(0.0)
        every[model] = drawn = _budget_drawn(rows, daily, draws)
        recall, right = drawn["recall_at_budget"][0][0], 1 / drawn["alerts_per_true_positive"][0][0]
        if math.isfinite(recall) and math.isfinite(right):
            curves[f"budget.{model}"] = [[float(recall)], [float(right)]]
        curves[f"value.{model}"] = [_ordinals(days), daily["found"].tolist(), daily["stoppable"].tolist()]
    shares = ("precision_at_budget", "recall_at_budget")
    figures = {
        f"{name}.{model}": estimate_of(values, _SHARE if name in shares else _AMOUNT)
        for model, drawn in every.items()
        for name, values in drawn.items()
    }
    differences = {
        f"{name}.{model}": estimate_of([own - other for own, other in zip(every[MODEL][name], values, strict=True)])
        for model, drawn in every.items()
        for name, values in drawn.items()
        if model != MODEL and MODEL in every
    }
    return figures, differences, curves


def _budget_drawn(rows: pd.DataFrame, daily: pd.DataFrame, draws: Draws) -> dict[str, Drawn]:
    blocks = [rows.groupby(unit).sum(numeric_only=True) for unit in ("block", "cell")]

    def drawn(name: str) -> Drawn:
        made = [draws.days @ daily[name].to_numpy("float64")]
        if draws.blocks is not None:
            every = range(draws.blocks.shape[1])
            made += [draws.blocks @ part[name].reindex(every).fillna(0.0).to_numpy("float64") for part in blocks]
        return made

    def ratio(above: Drawn, below: Drawn) -> Drawn:
        return [_divided(a, b) for a, b in zip(above, below, strict=True)]

    count = [np.full(len(way), float(len(daily))) for way in draws.ways]
    alerts, correct = drawn("alerts"), drawn("correct")
    return {
        "positives_at_budget": ratio(correct, count),
        "alerts": ratio(alerts, count),
        "value_found": drawn("found"),
        "value_stoppable": drawn("stoppable"),
        "precision_at_budget": ratio(drawn("fresh_correct"), drawn("fresh_alerts")),
        "recall_at_budget": ratio(correct, drawn("positives")),
        "alerts_per_true_positive": ratio(alerts, correct),
    }


def _at_cut_offs(decided: pd.DataFrame, costs: bool, days: np.ndarray, weights: np.ndarray) -> tuple[Figures, Curves]:
    """Figures of cut-offs or costs; value is a sum, cost a mean of all decisions, the others shares."""

    def daily(name: str, *decisions: str) -> np.ndarray:
        rows = decided[decided["decision"].isin(decisions)]
        made: np.ndarray = rows.groupby("day")[name].sum().reindex(days).fillna(0.0).to_numpy("float64")
        return made

    every, called = ("approve", "refer", "decline"), ("refer", "decline")
    rows, approved = weights @ daily("rows", *every), weights @ daily("rows", "approve")
    found = daily("lost", *called)
    figures = {
        f"approved_share.{MODEL}": estimate(_divided(approved, rows)),
        f"declined_share.{MODEL}": estimate(_divided(weights @ daily("rows", "decline"), rows)),
        f"positives_among_approved.{MODEL}": estimate(_divided(weights @ daily("positives", "approve"), approved)),
        f"value_found.{MODEL}": estimate(weights @ found),
    }
    if costs:
        figures[f"cost_per_decision.{MODEL}"] = estimate(_divided(weights @ daily("cost", *every), rows))
    curves = {f"value.{MODEL}": [_ordinals(days), found.tolist()]}
    positives = daily("positives", *every).sum()
    for name, decisions in (("refer", called), ("decline", ("decline",))):
        hits, calls = float(daily("positives", *decisions).sum()), float(daily("rows", *decisions).sum())
        if calls:
            curves[f"cut_off.{name}"] = [[hits / float(positives)], [hits / calls]]
    return figures, curves


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), math.nan), where=below > 0)
