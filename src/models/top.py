"""Which rows can be among the highest entities of their group, while batches go by."""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest
from typing import Any

import numpy as np


class Top:
    """Remembers, for each group, the `count` highest entities of the batches so far.

    A row is kept unless `count` entities of its group with strictly higher scores have been seen, in its own batch or
    before: so nothing that is among the highest over all batches is lost, in whichever order they come.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        # group -> entity -> its highest score
        self._best: defaultdict[int, dict[str | None, float]] = defaultdict(dict)
        self._floor: dict[int, float] = {}  # the lowest score that still counts, of groups with `count` entities

    def among(self, group: np.ndarray, entity: Any, score: np.ndarray) -> np.ndarray:
        """Whether each row is kept; `entity` is an Arrow array."""
        groups, of_row = np.unique(group, return_inverse=True)
        places = np.flatnonzero(score >= self._floors(groups)[of_row])
        for row_group, name, height in zip(
            group[places].tolist(), entity.take(places).to_pylist(), score[places].tolist(), strict=True
        ):
            best = self._best[row_group]
            best[name] = max(height, best.get(name, -np.inf))
        for changed in np.unique(group[places]).tolist():
            self._forget(changed)
        kept = np.zeros(len(score), dtype=bool)
        kept[places] = score[places] >= self._floors(groups)[of_row[places]]
        return kept

    def _floors(self, groups: np.ndarray) -> np.ndarray:
        return np.array([self._floor.get(group, -np.inf) for group in groups.tolist()], dtype="float64")

    def _forget(self, group: int) -> None:
        """Leaves the highest `count` entities of a group."""
        best = self._best[group]
        if len(best) > self.count:
            best = self._best[group] = dict(nlargest(self.count, best.items(), key=lambda one: one[1]))
        if len(best) == self.count:
            self._floor[group] = min(best.values())
