"""Whatever the order of batches, no row that is among its group's highest entities is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from finlake.models.top import Top


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_highest_of_all_batches_are_kept(seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "group": draw.integers(0, 4, 900),
            "entity": [f"e{n}" if n else None for n in draw.integers(0, 60, 900)],
            "score": draw.integers(0, 200, 900) / 10,  # with ties
        }
    )
    kept = []
    for task in np.array_split(rows, 3):
        top = Top(count)
        for batch in np.array_split(task, draw.integers(1, 9)):
            found = top.among(
                batch["group"].to_numpy(), pa.array(batch["entity"], pa.string()), batch["score"].to_numpy()
            )
            kept.append(batch[found])
    chosen = pd.concat(kept)

    def highest(frame: pd.DataFrame) -> pd.Series:
        own = frame.fillna({"entity": "nobody"}).groupby(["group", "entity"])["score"].max()
        limit = own.groupby("group").transform(lambda s: s.nlargest(count).min())
        return own[own >= limit].sort_index()

    pd.testing.assert_series_equal(highest(chosen), highest(rows))
    assert len(chosen) < len(rows)


def test_an_empty_batch_keeps_nothing() -> None:
    assert not len(Top(3).among(np.empty(0, "int32"), pa.array([], pa.string()), np.empty(0)))
