"""How well numbers tell positives from negatives: areas under the ROC curve, regions without an outcome, small models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from finlake.features.leakage.sample import Array

BINS = 32
_CUTS = 160


def area(score: Array, label: Array) -> float:
    """Chance that a positive lies above a negative; ties count half. No unknown values."""
    hits = label == 1
    positives, negatives = int(hits.sum()), int((~hits).sum())
    if not positives or not negatives:
        return 0.5
    ranks = stats.rankdata(score)
    return float((ranks[hits].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def oriented(values: Array, label: Array) -> tuple[float, Array]:
    """The better of the four ways to read a feature as a score: up or down, unknown lowest or highest; and that score."""
    best: tuple[float, Array] = (0.0, values)
    for missing in (-np.inf, np.inf) if np.isnan(values).any() else (np.inf,):
        score = np.where(np.isnan(values), missing, values)
        up = area(score, label)
        best = max(best, (up, score), (1 - up, -score), key=lambda found: found[0])
    return best


def strength(values: Array, label: Array, seed: int = 7) -> tuple[float, Array]:
    """AUC of one feature alone, and its score: read up or down, or as rates of its values or of 32 bins.

    Rates are taken from the other half of the rows, so that many values do not look strong by chance.
    """
    best = oriented(values, label)
    codes = binned(values)
    half = np.random.default_rng(seed).permutation(len(label)) % 2
    size = int(codes.max()) + 1
    score = np.zeros(len(label))
    for fold in (0, 1):
        seen, asked = half != fold, half == fold
        rate = label[seen].mean() if seen.any() else 0.0
        rows, hits = np.bincount(codes[seen], minlength=size), np.bincount(codes[seen], label[seen], size)
        score[asked] = ((hits + 5 * rate) / (rows + 5))[codes[asked]]
    rated = area(score, label)
    return (rated, score) if rated > best[0] + 0.01 else best


def binned(values: Array) -> Array:
    """Codes from 0: the values themselves up to twice 32 of them, else 32 bins of equal size; unknown is its own."""
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    edges = distinct if len(distinct) <= 2 * BINS else np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    codes = np.searchsorted(edges, values, side="left")
    return np.where(np.isnan(values), len(edges) + 1, codes).astype(np.int64)


def difference(first: Array, second: Array, label: Array) -> tuple[float, float]:
    """AUC of the first score less that of the second on the same rows, and its standard error.

    DeLong, DeLong and Clarke-Pearson (1988), with midranks.
    """
    hits = label == 1
    positives, negatives = int(hits.sum()), int((~hits).sum())
    above, below = [], []
    for score in (first, second):
        ranks = stats.rankdata(score)
        above.append((ranks[hits] - stats.rankdata(score[hits])) / negatives)
        below.append(1 - (ranks[~hits] - stats.rankdata(score[~hits])) / positives)
    up, down = above[0] - above[1], below[0] - below[1]
    error = np.sqrt(up.var(ddof=1) / positives + down.var(ddof=1) / negatives)
    return float(up.mean()), float(error)


@dataclass(frozen=True, eq=False)
class Region:
    """An end of a feature's range, or one value, in which hardly a positive lies.

    Attributes:
        likelihood: upper 95 % bound of the share of positives in it, over the share of negatives in it.
        share: of the negatives.
        inside: bool by row.
        single: one value holds most of it.
    """

    likelihood: float
    share: float
    low: float
    high: float
    positives: int
    inside: Array
    single: bool


def exclusion(values: Array, label: Array, fewest: float = 0.1) -> Region | None:
    """The widest of the regions with the smallest bound, or None where no end holds `fewest` of the negatives.

    The bound is Clopper and Pearson's; unknown values are in no region.
    """
    known = ~np.isnan(values)
    hits = label == 1
    total, others = int(hits.sum()), int((~hits).sum())
    low, high = values[known & ~hits], values[known & hits]
    if not total or len(low) < fewest * others:
        return None
    low, high = np.sort(low), np.sort(high)
    places = np.unique(np.linspace(fewest * others, len(low), _CUTS).astype(int)) - 1
    cuts = np.unique(np.concatenate([low[places], low[::-1][places]]))
    found: list[tuple[float, float, bool, float]] = []
    for upward in (False, True):
        if upward:
            inside = len(low) - np.searchsorted(low, cuts, "left"), len(high) - np.searchsorted(high, cuts, "left")
        else:
            inside = np.searchsorted(low, cuts, "right"), np.searchsorted(high, cuts, "right")
        share = inside[0] / others
        bound = upper(inside[1], total) / np.maximum(share, 1e-12)
        fits = share >= fewest
        found += [
            (float(b), -float(s), upward, float(c))
            for b, s, c in zip(bound[fits], share[fits], cuts[fits], strict=True)
        ]
    if not found:
        return None
    bound_, negative_share, upward, cut = min(found)
    with np.errstate(invalid="ignore"):
        rows = known & ((values >= cut) if upward else (values <= cut))
    _, counts = np.unique(values[rows & ~hits], return_counts=True)
    single = bool(counts.max() >= 0.8 * counts.sum())
    ends = float(values[rows].min()), float(values[rows].max())
    return Region(bound_, -negative_share, *ends, int((rows & hits).sum()), rows, single)


def upper(count: Array | int, total: int) -> Array:
    """Upper 95 % bound of a share, Clopper and Pearson (1934)."""
    count = np.asarray(count, dtype=float)
    bound = stats.beta.ppf(0.95, count + 1, np.maximum(total - count, 1e-9))
    return np.where(count >= total, 1.0, bound)


def out_of_fold(values: Array, label: Array, seed: int = 7, folds: int = 3) -> Array:
    """Margins of a small boosted model (60 trees of depth 3), each row scored by a model that has not seen it."""
    import xgboost

    settings = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.15, "seed": seed, "nthread": 1, "max_bin": 256}
    fold = np.random.default_rng(seed).permutation(len(label)) % folds
    score = np.zeros(len(label))
    for place in range(folds):
        seen, asked = fold != place, fold == place
        model = xgboost.train(settings, xgboost.DMatrix(values[seen], label[seen]), 60)
        score[asked] = model.predict(xgboost.DMatrix(values[asked]), output_margin=True)
    return score


def thinned(label: Array, limit: int, seed: int = 7) -> Array:
    """Positions of at most `limit` rows, up to half of them positives, drawn with the seed and sorted."""
    if len(label) <= limit:
        return np.arange(len(label))
    draw = np.random.default_rng(seed)
    hits, others = np.flatnonzero(label == 1), np.flatnonzero(label != 1)
    hits = draw.permutation(hits)[: max(limit // 2, limit - len(others))]
    return np.sort(np.concatenate([hits, draw.permutation(others)[: limit - len(hits)]]))
