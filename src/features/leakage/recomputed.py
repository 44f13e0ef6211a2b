"""Power that a feature loses when it is computed again as of the decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from finlake.features.leakage.findings import Finding, Shown
from finlake.features.leakage.power import difference, oriented
from finlake.features.leakage.sample import SHOWN, Array, Sample
from finlake.features.leakage.strong import FEWEST_POSITIVES

LOST, DEVIATIONS = 0.02, 4.0
DIFFER = 0.001
_ADVICE = "Compute it from the versions visible at the decision."


def vanishing_power(sample: Sample) -> list[Finding]:
    """Features whose AUC falls as of the decision; those that merely have other values are only said."""
    found: list[Finding] = []
    if sample.recomputed is None:
        return found
    for place, name in enumerate(sample.names):
        stored, fresh = sample.values[:, place], sample.recomputed[:, place]
        same = np.isclose(stored, fresh, rtol=1e-6, atol=1e-9, equal_nan=True)
        if (~same).mean() <= DIFFER:
            continue
        changed = np.flatnonzero(~same)
        reason = f"as of the decision it has another value in {len(changed):,} of {len(same):,} rows"
        sure = False
        if sample.positives >= FEWEST_POSITIVES and sample.negatives >= FEWEST_POSITIVES:
            before, stored_score = oriented(stored, sample.label)
            after, fresh_score = oriented(fresh, sample.label)
            lost, error = difference(stored_score, fresh_score, sample.label)
            sure = lost >= LOST and lost >= DEVIATIONS * error
            reason += f", and its AUC goes from {before:.3f} to {after:.3f}"
        told = Finding(name, name, sample.about, reason, _ADVICE, kind="changed as of the decision", sure=sure)
        found.append(replace(told, rows=_both(sample, name, fresh, changed[:SHOWN])))
    return found


def _both(sample: Sample, name: str, fresh: Array, rows: Iterable[int]) -> tuple[Shown, ...]:
    """Rows with the value that is stored and that of the decision's moment."""
    again = replace(sample, names=(name,), kinds=(sample.kinds[sample.names.index(name)],), values=fresh[:, None])
    return tuple(
        Shown(
            str(sample.keys[row]),
            f"{sample.text(name, row)}, as of the decision {again.text(name, row)}, label {int(sample.label[row])}",
        )
        for row in rows
    )
