"""Rows for searches that take a second: rare positives, which two of four features explain in part."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from finlake.models.sample import Rows

FEATURES = ["a", "b", "noise", "flat"]
FIRST = date(2025, 1, 1)


def rows(seed: int, count: int = 900, days: int = 60, first: date = FIRST) -> Rows:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(count, len(FEATURES))).astype("float32")
    chance = 1 / (1 + np.exp(3 - 1.6 * matrix[:, 0] - matrix[:, 0] * matrix[:, 1]))
    labels = (rng.random(count) < chance).astype("float64")
    day = (first - date(1970, 1, 1)).days + np.sort(rng.integers(0, days, count))
    ones = np.ones(count)
    return Rows(matrix, labels, ones, ones, day, (first, first + timedelta(days=days - 1)))
