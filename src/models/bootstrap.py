"""Intervals from resampled days and entities: rows of one day, or of one card, are not independent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 400
BLOCKS = 64  # groups of entities that are drawn together
Drawn = Sequence[np.ndarray]  # a figure under resampled days; where entities count too, also of entities and cells


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


def estimate_of(drawn: Drawn, within: tuple[float, float] = (-math.inf, math.inf)) -> Estimate:
    """The interval of resampled days; with entities, widened to cover what rows of one entity share as well.

    Two ways of clustering: V = V(days) + V(entities) - V(entity and day), after Cameron, Gelbach and Miller, "Robust
    Inference with Multiway Clustering" (2011). The days' interval is stretched around the figure to that variance,
    never below either way alone. It needs counts by day, by entity group and by group of pairs, not their product.
    `within`: what the figure can be at all, where the interval ends.
    """
    found = estimate(drawn[0])
    if len(drawn) < 3 or found.value is None or found.low is None or found.high is None:
        return found
    days, entities, cells = (_variance(values) for values in drawn)
    if not (days > 0 and np.isfinite(entities) and np.isfinite(cells)):
        return found
    stretch = float(np.sqrt(max(days + entities - cells, days, entities) / days))
    return Estimate(
        found.value,
        max(found.value - (found.value - found.low) * stretch, within[0]),
        min(found.value + (found.high - found.value) * stretch, within[1]),
    )


def _variance(values: np.ndarray) -> float:
    known = values[1:][np.isfinite(values[1:])]
    return float(np.var(known)) if len(known) else float("nan")


@dataclass(frozen=True)
class Draws:
    """Resamples of days, and of blocks where entities count too; the same ones for every model, so differences pair."""

    days: np.ndarray
    blocks: np.ndarray | None = None

    @classmethod
    def of(cls, days: int, seed: int, *, entities: bool = False) -> Draws:
        alone = np.ones((1, 1))
        return cls(day_weights(days, seed) if days > 1 else alone, day_weights(BLOCKS, seed + 1) if entities else None)

    @property
    def ways(self) -> list[np.ndarray]:
        """Weights by day, and by block of entities and of cells."""
        return [self.days] if self.blocks is None else [self.days, self.blocks, self.blocks]


def resampled(
    weights: np.ndarray, measure: Callable[..., np.ndarray], *by_day: np.ndarray, chunk: int = 32
) -> np.ndarray:
    """`measure` under every row of `weights`; each of `by_day` is (days, bins) counts."""
    made = [
        measure(*(part @ table for table in by_day)) for part in np.array_split(weights, max(len(weights) // chunk, 1))
    ]
    return np.concatenate([np.atleast_1d(values) for values in made])
