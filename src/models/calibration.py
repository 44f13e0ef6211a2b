"""From log odds to probabilities that happen as often as they say, fitted on counts by margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from finlake.models.served import sigmoid

ENOUGH_FOR_ISOTONIC = 1000
_TINY = 1e-6


def fit_calibration(margins: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> dict[str, Any]:
    """Isotonic with many positives, else Platt's two parameters, which a few positives can carry.

    `margins` are the bins' log odds; counts may be weighted. Both keep the order of scores (isotonic with ties).
    """
    if positives.sum() >= ENOUGH_FOR_ISOTONIC:
        return isotonic(margins, positives, negatives)
    return platt(margins, positives, negatives)


def platt(margins: np.ndarray, positives: np.ndarray, negatives: np.ndarray, steps: int = 50) -> dict[str, Any]:
    """Slope and offset of greatest likelihood by Newton's method, pulled lightly towards slope 1 and offset 0."""
    design = np.column_stack([margins, np.ones(len(margins))])
    total, prior = positives + negatives, np.array([1.0, 0.0])
    fitted = prior.copy()
    for _ in range(steps):
        expected = sigmoid(design @ fitted)
        gradient = design.T @ (positives - total * expected) - (fitted - prior)
        curvature = (design * (total * expected * (1 - expected))[:, None]).T @ design + np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        fitted = fitted + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-9:
            break
    return {"kind": "platt", "slope": float(max(fitted[0], 0.05)), "offset": float(fitted[1])}


def isotonic(margins: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> dict[str, Any]:
    """Pool adjacent violators; the blocks' mean margins and rates become the knots of straight lines."""
    order = np.argsort(margins, kind="stable")
    total = (positives + negatives)[order]
    blocks: list[list[float]] = []  # rows, positives, Σ rows·margin
    for margin, rows, hits in zip(margins[order], total, positives[order], strict=True):
        if rows <= 0:
            continue
        blocks.append([rows, hits, rows * margin])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    knots = [block[2] / block[0] for block in blocks]
    rates = [min(max(block[1] / block[0], _TINY), 1 - _TINY) for block in blocks]
    return {"kind": "isotonic", "margins": knots, "probabilities": rates}
