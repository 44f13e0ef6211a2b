"""Parts of a column that was found to leak."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.power import thinned
from finlake.features.leakage.sample import Array, Sample

ROWS, COLUMNS = 3_000, 60
MOST_PARTS = 8
EXACT, AGREE = 1e-3, 0.95


def parts_of(sample: Sample, leaking: Collection[str]) -> list[Finding]:
    """Columns that add up to one that leaks, to a thousandth of its spread. One of them may be innocent: they are said."""
    rows = thinned(sample.label, ROWS)
    usable = [
        name
        for name, kind in zip(sample.names, sample.kinds, strict=True)
        if kind == "number" and not np.isnan(sample.column(name)[rows]).any() and sample.column(name)[rows].std() > 0
    ][:COLUMNS]
    found: dict[str, Finding] = {}
    for total in (name for name in usable if name in leaking):
        others = [name for name in usable if name != total]
        parts = _parts(sample.column(total)[rows], sample.values[rows][:, [sample.names.index(n) for n in others]])
        if parts is None:
            continue
        for name in (others[place] for place in parts):
            if name not in leaking and name not in found:
                reason = f"it is a part of {total}, which is found to leak; they add up to it"
                advice = "Look when it becomes known; if only after the decision, leave it out too."
                shown = np.flatnonzero(sample.column(name) != 0)
                found[name] = sample.finding("part of a leak", name, reason, advice, shown, sure=False)
    return list(found.values())


def _parts(total: Array, others: Array) -> Array | None:
    """Places of the columns whose plain sum is the total."""
    scale = others.std(axis=0)
    weights = np.linalg.lstsq(others / scale, total, rcond=None)[0] / scale
    chosen = np.flatnonzero(np.abs(weights - 1) < 0.05)
    if not 2 <= len(chosen) <= MOST_PARTS:
        return None
    gap = np.abs(others[:, chosen].sum(axis=1) - total)
    return chosen if np.mean(gap <= EXACT * total.std()) >= AGREE else None
