"""Measures of ranking and probability, exact on arrays and on counts by score.

Counts are arrays whose last axis runs over score bins from the highest to the lowest; leading axes are resamples.
Equal scores are one step, as in scikit-learn. A resample without positives or negatives gives NaN.
"""

from __future__ import annotations

import numpy as np

Counts = np.ndarray


def average_precision(positives: Counts, negatives: Counts) -> np.ndarray:
    """Mean precision over the positives, in order of score: Σ ΔTP/P · TP/(TP+FP)."""
    hits = np.cumsum(positives, axis=-1)
    called = hits + np.cumsum(negatives, axis=-1)
    precision = np.divide(hits, called, out=np.zeros_like(called), where=called > 0)
    return _ratio((positives * precision).sum(axis=-1), hits[..., -1])


def roc_auc(positives: Counts, negatives: Counts) -> np.ndarray:
    """Chance that a positive scores above a negative; ties count half."""
    below = negatives.sum(axis=-1, keepdims=True) - np.cumsum(negatives, axis=-1)
    won = (positives * (below + negatives / 2)).sum(axis=-1)
    return _ratio(won, positives.sum(axis=-1) * negatives.sum(axis=-1))


def ks(positives: Counts, negatives: Counts) -> np.ndarray:
    """Largest distance between the score distributions of positives and negatives."""
    hits, misses = np.cumsum(positives, axis=-1), np.cumsum(negatives, axis=-1)
    distance = _ratio(hits, hits[..., -1:]) - _ratio(misses, misses[..., -1:])
    return np.asarray(np.max(np.abs(distance), axis=-1))


def brier(positives: Counts, negatives: Counts, probability: np.ndarray) -> np.ndarray:
    """Mean squared distance of probability from outcome."""
    lost = (positives * (1 - probability) ** 2 + negatives * probability**2).sum(axis=-1)
    return _ratio(lost, (positives + negatives).sum(axis=-1))


def predicted_to_observed(positives: Counts, negatives: Counts, probability: np.ndarray) -> np.ndarray:
    """Expected positives over actual ones; 1 is calibrated, above 1 predicts too much."""
    return _ratio(((positives + negatives) * probability).sum(axis=-1), positives.sum(axis=-1))


def psi(expected: Counts, seen: Counts) -> np.ndarray:
    """Population stability: Σ (seen − expected)·ln(seen/expected) over shares; an empty bin counts as half a row."""
    first = (expected + 0.5) / (expected + 0.5).sum(axis=-1, keepdims=True)
    second = (seen + 0.5) / (seen + 0.5).sum(axis=-1, keepdims=True)
    return np.asarray(((second - first) * np.log(second / first)).sum(axis=-1))


def counts_of(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> tuple[Counts, Counts]:
    """(positives, negatives) by distinct score, highest first."""
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype="float64")
    _, place = np.unique(-np.asarray(scores, dtype="float64"), return_inverse=True)
    bins = int(place.max()) + 1 if len(place) else 0
    positive = np.bincount(place, weight * labels, bins)
    return positive, np.bincount(place, weight, bins) - positive


def exact_average_precision(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(average_precision(*counts_of(scores, labels, weights)))


def exact_roc_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    return float(roc_auc(*counts_of(scores, labels, weights)))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.asarray(above, dtype="float64"), np.asarray(below, dtype="float64")
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
