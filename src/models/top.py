"""Which rows can be among the highest entities of their group, while batches go by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


class Top:
    """Remembers, for each group, the `count` highest entities of the batches so far.

    A row is kept unless `count` entities of its group with strictly higher scores have been seen, in its own batch or
    before: so nothing that is among the highest over all batches is lost, in whichever order they come.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._best = pd.DataFrame(
            {"group": np.empty(0, "int64"), "entity": np.empty(0, "object"), "score": np.empty(0, "float64")}
        )

    def among(self, group: np.ndarray, entity: Any, score: np.ndarray) -> np.ndarray:
        """Whether each row is kept; `entity` is an Arrow array."""
        if not len(score):
            return np.zeros(0, dtype=bool)
        places = np.flatnonzero(score >= self._floors(group))
        if not len(places):
            return np.zeros(len(score), dtype=bool)
        new = pd.DataFrame({"group": group[places], "entity": entity.take(places).to_pandas(), "score": score[places]})
        both = pd.concat([self._best, new]).sort_values("score", ascending=False, kind="stable")
        both = both.drop_duplicates(["group", "entity"])
        self._best = both[both.groupby("group").cumcount() < self.count]
        kept = np.zeros(len(score), dtype=bool)
        kept[places] = score[places] >= self._floors(group[places])
        return kept

    def _floors(self, group: np.ndarray) -> np.ndarray:
        """The lowest score that still counts, by row; -inf in groups with fewer entities."""
        sizes = self._best.groupby("group")["score"].agg(["size", "min"])
        full = sizes.loc[sizes["size"] >= self.count, "min"]
        floors: np.ndarray = full.reindex(group).fillna(-np.inf).to_numpy()
        return floors
