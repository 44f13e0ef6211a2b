"""Profiles of plain arrays, as the step `profile` makes them of a table."""

from __future__ import annotations

import numpy as np

from finlake.monitoring.drift import Shape
from finlake.monitoring.edges import place


def shape(periods: list[np.ndarray], ends: list[float]) -> Shape:
    known = [values[~np.isnan(values)] for values in periods]
    counts = [
        [*np.bincount(place(k, ends), minlength=len(ends) + 1), len(v) - len(k)]
        for k, v in zip(known, periods, strict=True)
    ]
    mean = [k.mean() if len(k) else np.nan for k in known]
    std = [k.std(ddof=1) if len(k) > 1 else np.nan for k in known]
    return Shape(np.array(mean), np.array(std), np.array(counts, dtype="float64"))
