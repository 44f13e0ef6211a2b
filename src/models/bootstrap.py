"""Intervals from resampled days: rows of one day are not independent, days nearly are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 400


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its 95% interval; None where it cannot be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def text(self, digits: int = 3) -> str:
        if self.value is None:
            return "not measurable"
        if self.low is None or self.high is None:
            return f"{self.value:.{digits}f}"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f} to {self.high:.{digits}f}]"


def day_weights(days: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each day is drawn: row 0 is the data as it is, the others are resamples with replacement."""
    drawn = np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=resamples)
    return np.vstack([np.ones((1, days)), drawn]).astype("float64")


def estimate(values: np.ndarray, *, enough: float = 0.8) -> Estimate:
    """From the values under `day_weights`: the first is the figure, the rest give the percentile interval.

    No interval where fewer than `enough` of the resamples could be computed or there is one day only.
    """
    values = np.asarray(values, dtype="float64")
    point = float(values[0]) if np.isfinite(values[0]) else None
    drawn = values[1:][np.isfinite(values[1:])]
    if point is None or len(drawn) < enough * max(len(values) - 1, 1):
        return Estimate(point)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(point, float(low), float(high))


def resampled(
    weights: np.ndarray, measure: Callable[..., np.ndarray], *by_day: np.ndarray, chunk: int = 32
) -> np.ndarray:
    """`measure` under every row of `weights`; each of `by_day` is (days, bins) counts."""
    made = [
        measure(*(part @ table for table in by_day)) for part in np.array_split(weights, max(len(weights) // chunk, 1))
    ]
    return np.concatenate([np.atleast_1d(values) for values in made])
