"""Windows that hold the decision's own row, its label, or labels of rows at the same moment; and values of later rows."""

from __future__ import annotations

import numpy as np

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.sample import Array, History, Sample

FEWEST_ROWS = 30
STEPS, STEADY = 0.9, 0.1  # a window rises at this share of positives, and at that of negatives
SAME, OTHER = 0.95, 0.5


def own_label(sample: Sample) -> list[Finding]:
    """A window at rest that rises at a positive itself, or at a row of the same moment, rather than at the row after it."""
    found = {}
    for entity, history in sample.histories.items():
        for place, name in enumerate(sample.names):
            rests, rises = _rises(sample, name, history.previous[:, place])
            if name in found or not rests.any():
                continue
            quiet = rests & (sample.label == 0) & (history.tied_positives == 0)
            own = rests & (sample.label == 1)
            tied = rests & (sample.label == 0) & (history.tied_positives > 0)
            lasts = rises & ~rests & (sample.label == 0)  # what is no window falls back at once
            if min(quiet.sum(), lasts.sum()) < FEWEST_ROWS or rises[quiet].mean() > STEADY:
                continue
            for rows, what in ((own, "the decision's own label"), (tied, "labels of rows at the same moment")):
                if rows.sum() >= FEWEST_ROWS and rises[rows].mean() >= STEPS:
                    reason = (
                        f"it holds {what}: from rest it moves at {rises[rows].mean():.0%} of {rows.sum():,} such rows of "
                        f"a {entity}, at {rises[quiet].mean():.1%} of the others"
                    )
                    advice = "Let the window end before the moment of the decision."
                    found[name] = sample.finding("own label", name, reason, advice, np.flatnonzero(rows & rises))
                    break
    return list(found.values())


def own_row(sample: Sample) -> list[Finding]:
    """A window that equals another column where the entity has no earlier row, and differs where it has.

    Only later rows of the time of the first rows are compared: while all histories are short, many windows are equal.
    Harmless if that column is known at the decision, so this is only said.
    """
    found: dict[str, Finding] = {}
    for entity, history in sample.histories.items():
        first, later = history.earlier == 0, history.earlier > 0
        if not first.any() or np.isnat(sample.event).any():
            continue
        until = np.quantile(sample.event[first].astype(np.int64), 0.95)
        beside = later & (sample.event.astype(np.int64) <= until)
        if beside.sum() < FEWEST_ROWS or first.sum() < FEWEST_ROWS:
            continue
        numbers = [place for place, kind in enumerate(sample.kinds) if kind == "number"]
        smooth = {place: _smoothness(sample.values[later, place], history.previous[later, place]) for place in numbers}
        for other in numbers:
            column = sample.values[:, other]
            telling = first & ~np.isnan(column) & (column != _commonest(column[first])[0])
            if len(np.unique(column[telling])) < FEWEST_ROWS:
                continue
            for place in numbers:
                name, window = sample.names[place], sample.values[:, place]
                if name in found or smooth[place] <= smooth[other]:
                    continue
                equal = window == column
                if equal[telling].mean() >= SAME and equal[beside].mean() <= OTHER:
                    told = sample.names[other]
                    reason = f"it includes the decision's own row: it is {told} where a {entity} has no earlier row"
                    advice = f"Sound if {told} is known at the decision; else let the window end before it."
                    found[name] = sample.finding("own row", name, reason, advice, np.flatnonzero(first), sure=False)
    return list(found.values())


def later_rows(sample: Sample) -> list[Finding]:
    """A column that has one value wherever the entity has no next row, and others elsewhere: it looks at the next row.

    Only rows of the same stretch of time are compared, because last rows gather at the end of the table.
    """
    found: dict[str, Finding] = {}
    for entity, history in sample.histories.items():
        last = (history.later == 0) & (history.earlier > 0)
        if last.sum() < FEWEST_ROWS or np.isnat(sample.event).all():
            continue
        since = np.quantile(sample.event[last].astype(np.int64), 0.05)
        others = (history.later > 0) & (history.earlier > 0) & (sample.event.astype(np.int64) >= since)
        if others.sum() < FEWEST_ROWS:
            continue
        for place, name in enumerate(sample.names):
            column = sample.values[:, place]
            value, share = _commonest(column[last])
            same = np.isnan(column) if np.isnan(value) else column == value
            if name in found or share < SAME or same[others].mean() > OTHER:
                continue
            twin = _next_of(sample, history, column)
            copied = f"; it is the next row's {twin}" if twin else ""
            shown = "unknown" if np.isnan(value) else "***" if name in sample.masked else f"{value:.6g}"
            reason = (
                f"it is {shown} in {share:.0%} of the rows after which a "
                f"{entity} has none, and in {same[others].mean():.0%} of the others{copied}"
            )
            advice = "Take only rows before the decision; the next one is not known yet."
            found[name] = sample.finding("later rows", name, reason, advice, np.flatnonzero(others & ~same))
    return list(found.values())


def _rises(sample: Sample, name: str, previous: Array) -> tuple[Array, Array]:
    """Rows before which the feature was at its most frequent value, and whether it then moved."""
    rest = sample.profiles[name].mode if name in sample.profiles else np.nan
    column = sample.column(name)
    known = ~np.isnan(column)
    return known & (previous == rest), known & (column != rest)


def _smoothness(values: Array, previous: Array) -> float:
    """Correlation with the entity's previous row; of two equal columns the smoother one is the window."""
    known = ~np.isnan(values) & ~np.isnan(previous)
    if known.sum() < FEWEST_ROWS or not values[known].std() or not previous[known].std():
        return 0.0
    return float(np.corrcoef(values[known], previous[known])[0, 1])


def _commonest(values: Array) -> tuple[float, float]:
    unknown = float(np.isnan(values).mean())
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(known) and counts.max() / len(values) > unknown:
        return float(known[counts.argmax()]), float(counts.max() / len(values))
    return float("nan"), unknown


def _next_of(sample: Sample, history: History, column: Array) -> str | None:
    rows = (history.later > 0) & ~np.isnan(column)
    if not rows.any():
        return None
    equal = (history.following[rows] == column[rows, None]).mean(axis=0)
    moves = (history.following[rows] != sample.values[rows]).mean(axis=0)
    return next((name for name, e, m in zip(sample.names, equal, moves, strict=True) if e >= SAME and m >= OTHER), None)
