"""When a trial is not worth going on with: the median stopping rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EVERY = 10  # rounds between two looks at a trial


@dataclass(frozen=True)
class MedianStopping:
    """Median stopping rule (Golovin et al. 2017, Google Vizier, 3.2.2).

    A trial is stopped at a look when its best value so far is below the median of what the earlier trials had on
    average up to the same look. A trial that had ended by itself before counts with all its looks; one that was stopped
    counts only as far as it got.
    """

    earlier: tuple[tuple[bool, tuple[float, ...]], ...]  # of each earlier trial: whether it ran to its end, its values

    def median(self, looks: int) -> float:
        """What a trial must reach by that many looks; −infinity where no earlier trial got so far."""
        means = [
            float(np.mean(curve[:looks])) for ended, curve in self.earlier if curve and _counts(ended, curve, looks)
        ]
        return float(np.median(means)) if means else -math.inf

    def poor(self, curve: Sequence[float]) -> bool:
        """Whether a trial with these values at its looks so far should be stopped."""
        return max(curve) < self.median(len(curve))


def _counts(ended: bool, curve: Sequence[float], looks: int) -> bool:
    return ended or len(curve) >= looks
