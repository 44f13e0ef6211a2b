"""Rows of the later parts that also lie in train, exactly or nearly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from finlake.features.leakage.findings import Finding, Shown
from finlake.features.leakage.power import thinned
from finlake.features.leakage.sample import SHOWN, Array, Copies, Profile, Sample

FEWEST_TWINS = 20
SHARE = 0.01
AGREE = 0.9
NEAR = 0.05  # of the usual distance between a later row and the nearest one of train
OWN = 0.5  # a value of its own in at least half of the rows: agreement in it is no accident
_TRAIN_ROWS, _LATER_ROWS = 20_000, 3_000
ALL = "all features"
_ADVICE = "Put all copies of a row into one part, and make additional rows after the split."


def twins(sample: Sample) -> list[Finding]:
    """Copies across the split.

    Exact copies count where they agree in a column whose values are mostly unique; in tables of few categories rows
    coincide honestly. Near ones count among positives, if nearly all of them lie beside a positive.
    """
    train, later = np.flatnonzero(sample.part == "train"), np.flatnonzero(sample.part != "train")
    if not len(train) or not len(later) or not len(sample.names):
        return []
    told = sample.copies
    if told.copied >= max(FEWEST_TWINS, SHARE * told.later):
        reason = f"{told.copied:,} of {told.later:,} later rows are also in train, value for value"
        return [Finding(ALL, ALL, sample.about, reason, _ADVICE, told.rows, kind="duplicates")]
    near, agree = _near_positives(sample, train, later)
    if len(near) >= max(FEWEST_TWINS, SHARE * sample.label[later].sum()) and agree >= AGREE:
        reason = (
            f"{len(near):,} positives of later parts lie next to a row of train, {NEAR:.0%} of the usual distance away "
            f"or less, and {agree:.0%} of those are positive"
        )
        return [sample.finding("duplicates", ALL, reason, _ADVICE, near)]
    return []


def telling(distinct: int, rows: int) -> bool:
    """Whether two rows hardly agree in a column by accident."""
    return distinct >= OWN * rows


def copied(
    values: Array, part: Array, keys: Array, profiles: Mapping[str, Profile], distinct: Mapping[str, int]
) -> Copies:
    """Later rows whose features, rounded to float32, occur in train; a most frequent value tells nothing.

    Args:
        values: float (rows, features) of all rows.
        part: of all rows.
        keys: of all rows.
        profiles: by feature, in the order of the columns.
        distinct: how many values each feature has.
    """
    told = np.zeros(len(part), dtype=bool)
    digest = np.zeros(len(part), dtype=np.uint64)
    for column, (name, profile) in zip(values.T, profiles.items(), strict=True):
        if telling(distinct[name], len(part)):
            told |= ~np.isnan(column) & (column != profile.mode)
        rounded = np.where(np.isnan(column), np.nan, column + 0.0).astype(np.float32)
        digest = digest * np.uint64(1_000_003) + pd.util.hash_array(rounded)
    later = part != "train"
    found = np.flatnonzero(later & told & np.isin(digest, digest[~later]))
    shown = tuple(Shown(str(keys[row]), "in train too") for row in found[:SHOWN])
    return Copies(int(later.sum()), len(found), shown)


def _near_positives(sample: Sample, train: Array, later: Array) -> tuple[Array, float]:
    """Positive later rows beside a row of train, and how many of their neighbours are positive."""
    train = train[thinned(sample.label[train], _TRAIN_ROWS)]
    later = later[thinned(sample.label[later], _LATER_ROWS)]
    hits = later[sample.label[later] == 1]
    if len(hits) < FEWEST_TWINS or len(train) < FEWEST_TWINS:
        return hits[:0], 0.0
    scaled = _ranked(sample.values)
    distance, nearest = _nearest(scaled[later], scaled[train])
    usual = float(np.median(distance))
    close = (distance <= NEAR * usual) & (sample.label[later] == 1) & (usual > 0)
    agree = float(sample.label[train][nearest[close]].mean()) if close.any() else 0.0
    return later[close], agree


def _ranked(values: Array) -> Array:
    """Each column between 0 and 1 by rank, so that no scale rules; unknown is a half."""
    made = np.full(values.shape, 0.5, dtype=np.float32)
    for place in range(values.shape[1]):
        known = ~np.isnan(values[:, place])
        distinct, codes = np.unique(values[known, place], return_inverse=True)
        made[known, place] = codes / max(len(distinct) - 1, 1)
    return made


def _nearest(asked: Array, among: Array) -> tuple[Array, Array]:
    squares = (among**2).sum(axis=1)
    distances, places = [], []
    for start in range(0, len(asked), 500):
        some = asked[start : start + 500]
        best = (squares - 2 * some @ among.T).argmin(axis=1)
        distances.append(np.sqrt(((some - among[best]) ** 2).sum(axis=1)))
        places.append(best)
    return np.concatenate(distances), np.concatenate(places)
