"""Calibration and stability of scores by month, quarter and year of the test."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from finlake.models import metrics
from finlake.models.bootstrap import Estimate, day_weights, estimate, resampled
from finlake.models.results import PeriodResult
from finlake.models.score_counts import Table, bin_margin

PERIODS = {"all": "", "month": "%Y-%m", "quarter": "%Y-Q", "year": "%Y"}
_FEW_DAYS = 8
_FEW_ROWS = 0.05


def periods(days: np.ndarray, by: str, rows: np.ndarray) -> dict[str, np.ndarray]:
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


def calibration(table: Table, probability: np.ndarray, days: np.ndarray, by: str, seed: int) -> list[PeriodResult]:
    """Predicted over observed positives of each period."""
    made = []
    for name, inside in periods(days, by, table.total.sum(axis=1)).items():
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


def stability(train: pd.DataFrame, table: Table, days: np.ndarray, by: str, seed: int) -> list[PeriodResult]:
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
    seen = table.total @ into
    made = []
    for name, inside in periods(days, by, seen.sum(axis=1)).items():
        part = seen[inside]
        weights = day_weights(len(part), seed) if len(part) > 1 else np.ones((1, 1))
        found = estimate(resampled(weights, lambda counts: metrics.psi(tenths, counts), part))
        made.append(PeriodResult(name, float(part.sum()), 0.0, 0.0, 0.0, found))
    return made


def wilson(hits: float, rows: float, z: float = 1.96) -> tuple[float, float]:
    """95% interval of a share, sound for few rows."""
    if rows <= 0:
        return 0.0, 1.0
    share, spread = hits / rows, z * z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / rows + spread / (4 * rows)) / (1 + spread)
    return max(middle - half, 0.0), min(middle + half, 1.0)
