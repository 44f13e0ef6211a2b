"""Boosted trees with settings as data, averaged over seeds, and their measures with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xgboost

from finlake.models import metrics
from finlake.models.bootstrap import resampled

Measure = Callable[..., np.ndarray]
THREADS = 2


@dataclass(frozen=True)
class Setting:
    """Parameters of one fit; `seeds` boosters are averaged in log odds. No `bins`: exact splits."""

    depth: int
    rate: float
    rounds: int
    bins: int | None = 256
    child: float = 1.0
    rows: float = 1.0
    columns: float = 1.0
    ridge: float = 1.0
    seeds: int = 1

    def __str__(self) -> str:
        said = f"depth {self.depth}, rate {self.rate:g}, {self.rounds} trees, "
        said += f"{self.bins} bins" if self.bins else "exact splits"
        for name in ("child", "rows", "columns", "ridge"):
            if getattr(self, name) != 1:
                said += f", {name} {getattr(self, name):g}"
        return f"{said}, seed 7" if self.seeds == 1 else f"{said}, mean of seeds 7 to {6 + self.seeds}"


def boosted(
    matrix: np.ndarray, label: np.ndarray, setting: Setting, increases: Sequence[int] = ()
) -> Callable[[np.ndarray], np.ndarray]:
    """Fits the setting's seeds; gives the mean log odds of rows. NaN is missing; `increases`: 1, 0 or -1 a column."""
    fixed: dict[str, object] = {
        "objective": "binary:logistic", "tree_method": "hist" if setting.bins else "exact", "max_depth": setting.depth,
        "eta": setting.rate, "min_child_weight": setting.child, "subsample": setting.rows, "lambda": setting.ridge,
        "colsample_bytree": setting.columns, "nthread": THREADS, "verbosity": 0,
    }  # fmt: skip
    if setting.bins:
        fixed["max_bin"] = setting.bins
        data = xgboost.QuantileDMatrix(matrix, label, max_bin=setting.bins, nthread=THREADS)
    else:
        data = xgboost.DMatrix(matrix, label, nthread=THREADS)
    if any(increases):
        fixed["monotone_constraints"] = tuple(increases)
    made = [xgboost.train({**fixed, "seed": 7 + seed}, data, setting.rounds) for seed in range(setting.seeds)]
    return lambda rows: np.mean([one.inplace_predict(rows, predict_type="margin") for one in made], axis=0)


def drawn(
    score: np.ndarray, label: np.ndarray, unit: np.ndarray, weights: np.ndarray, measures: Mapping[str, Measure]
) -> dict[str, np.ndarray]:
    """Measures under every row of `weights` (draws, units); `unit` numbers what is drawn, such as test days."""
    _, place = np.unique(-score, return_inverse=True)
    counts = np.zeros((2, weights.shape[1], int(place.max()) + 1))
    np.add.at(counts, (label.astype(int), unit, place), 1.0)
    return {name: resampled(weights, measure, counts[1], counts[0]) for name, measure in measures.items()}


RANKING: dict[str, Measure] = {"average precision": metrics.average_precision, "ROC AUC": metrics.roc_auc}
RISK: dict[str, Measure] = {**RANKING, "KS": metrics.ks}
