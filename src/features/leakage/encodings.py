"""Encodings of a category by its label, and totals of an entity, taken over all rows instead of past ones."""

from __future__ import annotations

import numpy as np

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.sample import Array, Group, Levels, Sample

FEWEST_LEVELS = 5
EXACT = 1e-6  # of the value; float32 rounds at 6e-8
AGREE = 0.95
ALIKE = 4
FEWEST_SOLVED = 4
FEWEST_ROWS = 100
_ADVICE = "Encode each row by rows whose label was known before its decision."


def target_encodings(sample: Sample) -> list[Finding]:
    """A mean of labels per category that includes the row's own label or later ones, plain, smoothed or leave-one-out.

    Such a column equals the mean label of its own values exactly, whatever category it came from; an honest one, made of
    past rows, does so by accident at most. Leave-one-out and totals are looked for in the categories of the table.
    """
    found = []
    for name in sample.names:
        reason = next(
            (
                f"{how} {where} rows"
                for where, levels in (("all", sample.levels), ("the training", sample.train_levels))
                if name in levels and (how := _mean_of_labels(levels[name]))
            ),
            None,
        ) or _of_group(sample, name)
        if reason:
            rows = np.flatnonzero(sample.label == 1)
            found.append(sample.finding("target encoding", name, reason, _ADVICE, rows))
    return found


def _mean_of_labels(levels: Levels) -> str | None:
    """How the values come from the counts beside them, or None."""
    values, rows, hits = levels.values, levels.rows.astype(float), levels.positives
    if len(values) < FEWEST_LEVELS or len(values) > rows.sum() / 2:
        return None
    if _agree(values, hits / rows, rows):
        return "it is the mean label of its category over"
    fits = rows > 1
    # (hits + weight * prior) / (rows + weight) = value, solved for weight * prior and weight; then without the worst half
    for _ in range(3):
        if fits.sum() < FEWEST_SOLVED:
            return None
        left = np.column_stack([np.ones(int(fits.sum())), -values[fits]])
        (scaled, weight), *_ = np.linalg.lstsq(left, (values * rows - hits)[fits], rcond=None)
        if not 0 < scaled < weight:
            return None
        # categories of the same size and positives share a value
        made = np.stack([(hits / alike + scaled) / (rows / alike + weight) for alike in range(1, ALIKE + 1)])
        nearest = np.take_along_axis(made, np.abs(made - values).argmin(axis=0)[None], axis=0)[0]
        if _agree(values, nearest, rows):
            return (
                f"it is the mean label of its category, drawn to {scaled / weight:.4g} with weight {weight:.3g}, over"
            )
        gap = np.abs(made[0] - values)
        fits = fits & (gap <= np.median(gap[fits]))
    return None


def _of_group(sample: Sample, name: str) -> str | None:
    column = sample.column(name)
    known = ~np.isnan(column)
    if known.sum() < FEWEST_ROWS or len(np.unique(column[known])) < FEWEST_LEVELS:
        return None
    for category, group in sample.groups.items():
        several = known & (group.rows > 1)
        if category == name or several.sum() < max(FEWEST_ROWS, 0.2 * known.sum()):
            continue
        rows, hits = group.rows[several].astype(float), group.positives[several].astype(float)
        made = {
            "the mean label of its {} over all other rows, later ones too": (hits - sample.label[several]) / (rows - 1)
        }
        if group.entity:
            made["the number of positives of its {} over all rows"] = hits
            made["the number of rows of its {}, later ones too"] = rows
        for what, expected in made.items():
            if _agree(column[several], expected, np.ones(len(expected))):
                return "it is " + what.format(category)
        how = _constant_in(column, group, known)
        if how:
            return f"{how} all rows of {category}"
    return None


def _constant_in(column: Array, group: Group, known: Array) -> str | None:
    """How a column with one value for each category comes from the category's counts, or None."""
    values = column[known]
    if values.min() < 0 or values.max() > 1:
        return None
    _, first, codes = np.unique(group.codes[known], return_index=True, return_inverse=True)
    if np.mean(values == values[first][codes]) < AGREE:
        return None
    return _mean_of_labels(Levels(values[first], group.rows[known][first], group.positives[known][first]))


def _agree(values: Array, expected: Array, rows: Array) -> bool:
    """Nearly all rows have the expected value, also without the rows whose value is the most frequent one.

    Where positives are rare, most honest shares are 0 like most totals.
    """
    near = np.abs(values - expected) <= EXACT * np.maximum(1, np.abs(expected))
    if rows[near].sum() < AGREE * rows.sum():
        return False
    distinct, codes = np.unique(values, return_inverse=True)
    common = np.bincount(codes, rows).argmax()
    telling = np.where((codes == common) & near, 0.0, rows)
    return bool(len(distinct) >= FEWEST_LEVELS and telling[near].sum() >= AGREE * telling.sum() > 0)
