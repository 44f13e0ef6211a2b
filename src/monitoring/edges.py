"""Where the bins of a feature's histogram end, fixed on a reference so that periods can be compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_BINS = 20
FEW = MOST_BINS - 2  # that many different values get a bin each; the two outer bins hold what was never seen before
QUANTILES = tuple(number / FEW for number in range(1, FEW))


def edges(lowest: float, ends: Sequence[float]) -> list[float]:
    """Upper ends of the bins, from below the lowest value seen to the highest; the last bin has none.

    Args:
        lowest: the lowest value of the reference.
        ends: its different values if they are few, else its quantiles and its highest value. A value that many rows
            have ends its bin.
    """
    return [float(np.nextafter(lowest, -np.inf)), *map(float, np.unique(np.asarray(ends, dtype="float64")))]


def place(values: np.ndarray, ends: Sequence[float]) -> np.ndarray:
    """The bin of each known value: how many ends lie below it."""
    return np.searchsorted(np.asarray(ends), values, side="left")
