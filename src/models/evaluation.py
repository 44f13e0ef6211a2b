"""How good a model is on the test period, beside what people use today, with intervals.

Spark counts rows by day and score bin; everything else is arithmetic on those bounded counts.
Days are queue days of an alert budget, else business days. Intervals resample them, the same ones for every model, so
differences are paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.errors import TrainingError
from finlake.models import metrics
from finlake.models.bootstrap import Estimate, day_weights, estimate, resampled
from finlake.models.calibration import fit_calibration
from finlake.models.served import calibrated

BINS = 2**15
_EDGE = 20.0  # margins beyond ±20 share the last bins; a bin is 0.0012 wide
MODEL, LOGISTIC, RULE, CHAMPION = "finlake", "logistic_regression", "baseline_rule", "champion"
PERIODS = {"all": "", "month": "%Y-%m", "quarter": "%Y-Q", "year": "%Y"}
_FEW_DAYS = 8
_FEW_ROWS = 0.05


@dataclass(frozen=True)
class PeriodResult:
    """Calibration or stability of one period of the test."""

    period: str
    rows: float
    positives: float
    predicted: float
    observed: float
    estimate: Estimate


@dataclass(frozen=True)
class Evaluation:
    """Everything gates, figures, plots and pages need; stored as JSON."""

    figures: dict[str, Estimate]
    differences: dict[str, Estimate]  # "average_precision.baseline_rule": finlake minus that model
    calibration_by: dict[str, list[PeriodResult]]
    stability_by: dict[str, list[PeriodResult]]
    curves: dict[str, list[list[float]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Evaluation:
        periods = {
            key: {
                by: [PeriodResult(**{**row, "estimate": Estimate(**row["estimate"])}) for row in rows]
                for by, rows in data[key].items()
            }
            for key in ("calibration_by", "stability_by")
        }
        return cls(
            {name: Estimate(**row) for name, row in data["figures"].items()},
            {name: Estimate(**row) for name, row in data["differences"].items()},
            periods["calibration_by"], periods["stability_by"], data["curves"],
        )  # fmt: skip


def score_bin(margin: Column) -> Column:
    """Bin of a margin on the fixed grid; higher margins, higher bins."""
    inside = F.greatest(F.lit(-_EDGE), F.least(F.lit(_EDGE), margin))
    return F.least(F.lit(BINS - 1), F.floor((inside + _EDGE) / (2 * _EDGE) * BINS)).cast("int")


def bin_margin(bins: np.ndarray) -> np.ndarray:
    """Margin in the middle of a bin."""
    return np.asarray((bins + 0.5) / BINS * 2 * _EDGE - _EDGE)


def counted(frame: DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """Rows and positives by part, day, model and bin: bounded by the number of days and bins, not by rows.

    `frame`: part, day, label, value and `margin_<model>`; days and models other than finlake only for the test.
    """
    every = F.array(*(F.struct(F.lit(m).alias("model"), score_bin(F.col(f"margin_{m}")).alias("bin")) for m in models))
    own = F.array(F.struct(F.lit(MODEL).alias("model"), score_bin(F.col(f"margin_{MODEL}")).alias("bin")))
    tested = F.col("part") == "test"
    long = frame.where(F.col("label").isNotNull()).select(
        "part", F.when(tested, F.col("day")).alias("day"), F.col("label").cast("double").alias("label"), "value",
        F.explode(F.when(tested, every).otherwise(own)).alias("scored"),
    )  # fmt: skip
    return (
        long.groupBy("part", "day", "scored.model", "scored.bin")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.sum("label").alias("positives"),
            F.sum(F.col("value") * F.col("label")).alias("lost"),
        )
        .toPandas()
    )


def calibration_from(counts: pd.DataFrame) -> dict[str, Any]:
    """Calibration fitted on the choose part, which lies before the test."""
    choose = counts[counts["part"] == "choose"].groupby("bin")[["rows", "positives"]].sum()
    margins, positives = bin_margin(choose.index.to_numpy()), choose["positives"].to_numpy("float64")
    return fit_calibration(margins, positives, choose["rows"].to_numpy("float64") - positives)


def chosen_metric(counts: pd.DataFrame, metric: str) -> float:
    """The tuning metric of the final model on the choose part."""
    choose = counts[counts["part"] == "choose"].groupby("bin")[["rows", "positives"]].sum().sort_index(ascending=False)
    positives = choose["positives"].to_numpy("float64")
    measure = {"average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc}[metric]
    return float(measure(positives, choose["rows"].to_numpy("float64") - positives))


def evaluate(
    counts: pd.DataFrame, budget: pd.DataFrame | None, calibration: dict[str, Any], use_case: UseCase, seed: int
) -> Evaluation:
    """All figures of the test part.

    Args:
        counts: from `counted`.
        budget: from `finlake.models.budget.at_budget`, or None for cut-off policies.
        calibration: of the finlake model.

    Raises:
        TrainingError: the test part lacks positives or negatives.
    """
    test = counts[counts["part"] == "test"]
    own = test[test["model"] == MODEL]
    rows, positives = float(own["rows"].sum()), float(own["positives"].sum())
    if positives in (0.0, rows):
        raise TrainingError(
            f"the test part has {rows:,.0f} labelled rows and {positives:,.0f} positives; it needs both kinds: "
            "lengthen split.test"
        )
    days = np.sort(test["day"].unique())
    weights = day_weights(len(days), seed) if len(days) > 1 else np.ones((1, 1))
    tables = {model: _Table(test[test["model"] == model], days) for model in test["model"].unique()}
    figures, differences, curves = _ranking(tables, weights)
    figures["rows"], figures["positives"], figures["days"] = (
        Estimate(rows),
        Estimate(positives),
        Estimate(float(len(days))),
    )
    figures["value_total"] = Estimate(float(own["lost"].sum()))
    table = tables[MODEL]
    probability = calibrated(calibration, table.margins)
    figures[f"brier.{MODEL}"] = estimate(
        resampled(weights, lambda p, n: metrics.brier(p, n, probability), table.positives, table.negatives)
    )
    calibration_by = {by: _calibration(table, probability, days, by, seed) for by in PERIODS}
    figures["calibration"] = calibration_by["all"][0].estimate
    train = counts[counts["part"] == "train"]
    stability_by = {by: _stability(train, table, days, by, seed) for by in PERIODS}
    figures["psi"] = stability_by["all"][0].estimate
    curves["calibration"] = _calibration_curve(table, probability)
    if budget is not None:
        figures.update(_at_budget(budget, days, weights))
    else:
        figures.update(_at_cut_offs(table, probability, use_case, weights))
    return Evaluation(figures, differences, calibration_by, stability_by, curves)


class _Table:
    """Counts of one model as (days, bins) arrays, bins from the highest score down."""

    def __init__(self, counts: pd.DataFrame, days: np.ndarray) -> None:
        bins = np.sort(counts["bin"].unique())[::-1]
        row = np.searchsorted(days, counts["day"].to_numpy())
        column = len(bins) - 1 - np.searchsorted(bins[::-1], counts["bin"].to_numpy())
        self.margins = bin_margin(bins)
        self.positives = np.zeros((len(days), len(bins)))
        self.lost = np.zeros_like(self.positives)
        total = np.zeros_like(self.positives)
        np.add.at(total, (row, column), counts["rows"].to_numpy("float64"))
        np.add.at(self.positives, (row, column), counts["positives"].to_numpy("float64"))
        np.add.at(self.lost, (row, column), counts["lost"].to_numpy("float64"))
        self.negatives = total - self.positives


def _ranking(
    tables: dict[str, _Table], weights: np.ndarray
) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, list[list[float]]]]:
    figures: dict[str, Estimate] = {}
    differences: dict[str, Estimate] = {}
    curves: dict[str, list[list[float]]] = {}
    measures = {"average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc, "ks": metrics.ks}
    for name, measure in measures.items():
        drawn = {model: resampled(weights, measure, t.positives, t.negatives) for model, t in tables.items()}
        for model, values in drawn.items():
            figures[f"{name}.{model}"] = estimate(values)
            if model != MODEL:
                differences[f"{name}.{model}"] = estimate(drawn[MODEL] - values)
    for model, table in tables.items():
        hits, misses = np.cumsum(table.positives.sum(axis=0)), np.cumsum(table.negatives.sum(axis=0))
        shown = np.unique(np.linspace(0, len(hits) - 1, 400).astype(int))
        called, found = (hits + misses)[shown], hits[shown]
        curves[f"ranking.{model}"] = [
            (found / hits[-1]).tolist(), (found / called).tolist(), (called / (hits + misses)[-1]).tolist()
        ]  # fmt: skip
    return figures, differences, curves


def _periods(days: np.ndarray, by: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Period name -> which days belong to it; one with few of the test's rows is joined to the one before, or after.

    The last evening's decisions stand in the next day's queue, which may be in the next month.
    """
    stamps = pd.to_datetime(pd.Series(days))
    if by == "all":
        names = pd.Series(["all"] * len(days))
    elif by == "quarter":
        names = stamps.dt.year.astype(str) + "-Q" + stamps.dt.quarter.astype(str)
    else:
        names = stamps.dt.strftime(PERIODS[by])
    made: dict[str, np.ndarray] = {}
    waiting = np.zeros(len(days), dtype=bool)
    for name in sorted(names.unique()):
        inside = (names == name).to_numpy() | waiting
        waiting = np.zeros(len(days), dtype=bool)
        if rows[inside].sum() >= _FEW_ROWS * rows.sum():
            made[name] = inside
        elif made:
            made[max(made)] |= inside
        else:
            waiting = inside
    return made


def _calibration(table: _Table, probability: np.ndarray, days: np.ndarray, by: str, seed: int) -> list[PeriodResult]:
    made = []
    for name, inside in _periods(days, by, (table.positives + table.negatives).sum(axis=1)).items():
        positives, negatives = table.positives[inside], table.negatives[inside]
        rows, hits = float((positives + negatives).sum()), float(positives.sum())
        predicted = float(((positives + negatives) * probability).sum())
        if inside.sum() >= _FEW_DAYS:
            weights = day_weights(int(inside.sum()), seed)
            ratio = estimate(
                resampled(weights, lambda p, n: metrics.predicted_to_observed(p, n, probability), positives, negatives)
            )
        else:
            low, high = wilson(hits, rows)
            ratio = Estimate(
                predicted / hits if hits else None, predicted / rows / high, predicted / rows / low if low else None
            )
        made.append(PeriodResult(name, rows, hits, predicted / rows, hits / rows, ratio))
    return made


def _stability(train: pd.DataFrame, table: _Table, days: np.ndarray, by: str, seed: int) -> list[PeriodResult]:
    """PSI of the scores of each period against training, over tenths of training."""
    usual = train.groupby("bin")["rows"].sum().sort_index()
    share = (usual.cumsum() / usual.sum()).to_numpy()
    edges = np.unique(bin_margin(usual.index.to_numpy())[np.searchsorted(share, np.arange(0.1, 0.95, 0.1))])
    tenths = np.bincount(
        np.searchsorted(edges, bin_margin(usual.index.to_numpy())), usual.to_numpy("float64"), len(edges) + 1
    )
    place = np.searchsorted(edges, table.margins)
    into = np.zeros((len(place), len(edges) + 1))
    into[np.arange(len(place)), place] = 1
    seen = (table.positives + table.negatives) @ into
    made = []
    for name, inside in _periods(days, by, seen.sum(axis=1)).items():
        part = seen[inside]
        weights = day_weights(len(part), seed) if len(part) > 1 else np.ones((1, 1))
        found = estimate(resampled(weights, lambda counts: metrics.psi(tenths, counts), part))
        made.append(PeriodResult(name, float(part.sum()), 0.0, 0.0, 0.0, found))
    return made


def _calibration_curve(table: _Table, probability: np.ndarray, groups: int = 10) -> list[list[float]]:
    """Mean prediction and observed rate of groups that hold a tenth of the expected positives each."""
    positives, total = table.positives.sum(axis=0), (table.positives + table.negatives).sum(axis=0)
    expected = np.cumsum(total * probability)
    group = np.minimum((expected / expected[-1] * groups).astype(int), groups - 1)
    rows = np.bincount(group, total, groups)
    kept = rows > 0
    predicted = np.bincount(group, total * probability, groups)[kept] / rows[kept]
    return [predicted.tolist(), (np.bincount(group, positives, groups)[kept] / rows[kept]).tolist()]


def _at_budget(budget: pd.DataFrame, days: np.ndarray, weights: np.ndarray) -> dict[str, Estimate]:
    made: dict[str, Estimate] = {}
    mean = weights / weights.sum(axis=1, keepdims=True)
    for model, rows in budget.groupby("model"):
        by_day = rows.set_index("day").reindex(days).fillna(0.0)
        made[f"positives_at_budget.{model}"] = estimate(mean @ by_day["correct"].to_numpy("float64"))
        made[f"alerts.{model}"] = estimate(mean @ by_day["alerts"].to_numpy("float64"))
        made[f"value_found.{model}"] = estimate(weights @ by_day["found"].to_numpy("float64"))
        made[f"value_stoppable.{model}"] = estimate(weights @ by_day["stoppable"].to_numpy("float64"))
    return made


def _at_cut_offs(table: _Table, probability: np.ndarray, use_case: UseCase, weights: np.ndarray) -> dict[str, Estimate]:
    low, high = use_case.policy.approve_below or 0.0, use_case.policy.decline_above or 1.0
    total = table.positives + table.negatives
    approved, declined = (probability < low).astype(float), (probability > high).astype(float)
    rows = weights @ total.sum(axis=1)

    def share(above: np.ndarray, below: np.ndarray) -> Estimate:
        return estimate(np.divide(above, below, out=np.full(len(above), math.nan), where=below > 0))

    accepted = weights @ (total @ approved)
    return {
        f"approved_share.{MODEL}": share(accepted, rows),
        f"declined_share.{MODEL}": share(weights @ (total @ declined), rows),
        f"positives_among_approved.{MODEL}": share(weights @ (table.positives @ approved), accepted),
        f"value_found.{MODEL}": estimate(weights @ (table.lost @ (1 - approved))),
    }


def wilson(hits: float, rows: float, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a share, sound for few rows."""
    if rows <= 0:
        return 0.0, 1.0
    share, spread = hits / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / rows + spread / (4 * rows)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
