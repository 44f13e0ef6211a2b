"""What a model must beat: the rule people use today, and logistic regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from finlake.models.sample import Part


@dataclass(frozen=True)
class Logistic:
    """Logistic regression as arrays: missing → training median with an own indicator, then scaled."""

    medians: np.ndarray
    shown: np.ndarray  # indices of features that had missing values in training
    means: np.ndarray
    scales: np.ndarray
    weights: np.ndarray
    offset: float

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """Log odds."""
        scaled = (_widen(matrix, self.medians, self.shown) - self.means) / self.scales
        return np.asarray(np.clip(scaled, -20, 20) @ self.weights + self.offset)


def fit_logistic(train: Part, seed: int = 7) -> Logistic:
    """Fits on (matrix, labels, weights); imputation and scaling see training rows only.

    Large amounts are squeezed by asinh, as anyone who builds such a model by hand would do.
    """
    from sklearn.linear_model import LogisticRegression

    matrix, labels, weights = train
    missing = np.isnan(matrix)
    known = ~missing.all(axis=0)
    medians = np.zeros(matrix.shape[1])
    for place in np.flatnonzero(known):
        medians[place] = np.arcsinh(weighted_median(matrix[:, place], weights))
    shown = np.flatnonzero(missing.any(axis=0) & known)
    wide = _widen(matrix, medians, shown)
    means = np.average(wide, axis=0, weights=weights)
    scales = np.sqrt(np.average((wide - means) ** 2, axis=0, weights=weights))
    scales[scales < 1e-12] = 1.0
    model = LogisticRegression(C=1.0, max_iter=300, random_state=seed)
    model.fit(np.clip((wide - means) / scales, -20, 20), labels, sample_weight=weights)
    return Logistic(medians, shown, means, scales, model.coef_[0].astype("float64"), float(model.intercept_[0]))


def usual_values(train: Part, features: Sequence[str]) -> dict[str, float | None]:
    """Training median of each feature, for the words of reasons; None where it was never known."""
    matrix, _, weights = train
    found = [weighted_median(matrix[:, place], weights) for place in range(len(features))]
    return {name: value if math.isfinite(value) else None for name, value in zip(features, found, strict=True)}


def weighted_median(column: np.ndarray, weights: np.ndarray) -> float:
    """The lowest value up to which half of the weight lies; NaN and infinities are left out, NaN where nothing is left."""
    finite = np.isfinite(column)
    if not finite.any():
        return math.nan
    order = np.argsort(column[finite], kind="stable")
    upto = np.cumsum(weights[finite][order])
    return float(column[finite][order][np.searchsorted(upto, upto[-1] / 2)])


def _widen(matrix: np.ndarray, medians: np.ndarray, shown: np.ndarray) -> Any:
    squeezed = np.arcsinh(matrix.astype("float64"))
    missing = np.isnan(squeezed)
    return np.hstack([np.where(missing, medians, squeezed), missing[:, shown].astype("float64")])
