"""How far a feature's newest period lies from earlier ones: effect sizes, beyond what chance shows. NumPy only.

A test's p-value shrinks with the number of rows, so with enough of them every feature "drifts". Here an effect counts
when it is larger than its limit *and* larger than what samples of that size show by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtri

from finlake.models import metrics

FEWEST_PERIODS, FEWEST_ROWS, FEWEST_KNOWN = 6, 30, 10
CHANCE = 3e-5  # of one effect of one feature in one period, where nothing changed


@dataclass(frozen=True)
class Limits:
    """An effect above `notable` is a finding; above `gross` it stops an online publication."""

    notable: float
    gross: float
    words: str


# PSI: the bands that credit scoring uses (Siddiqi, 2006). Standardised mean difference: small and large (Cohen, 1988).
# Cliff's delta: small and large (Romano et al., 2006).
LIMITS = {
    "psi": Limits(0.1, 0.25, "population stability index"),
    "mean": Limits(0.2, 0.8, "mean difference in standard deviations"),
    "rank": Limits(0.147, 0.474, "Cliff's delta"),
    "unknown": Limits(0.05, 0.15, "change of the share of unknown values"),
}


@dataclass(frozen=True)
class Shape:
    """One feature in several periods; the first axis of every array is the period.

    `mean` and `std` are of known values, NaN where there are none. `counts` has one column for each bin, in the order
    of values, and a last one for unknown.
    """

    mean: np.ndarray
    std: np.ndarray
    counts: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return self.counts.sum(axis=-1)

    @property
    def known(self) -> np.ndarray:
        return self.counts[..., :-1].sum(axis=-1)

    def __getitem__(self, chosen: np.ndarray | slice) -> Shape:
        return Shape(self.mean[chosen], self.std[chosen], self.counts[chosen])


@dataclass(frozen=True)
class Effect:
    """One effect of one period against its reference."""

    name: str
    value: float
    usual: float  # the largest size among the reference's own periods, each against the others
    beyond_chance: bool

    @property
    def notable(self) -> bool:
        return self.beyond_chance and abs(self.value) > LIMITS[self.name].notable

    @property
    def gross(self) -> bool:
        return self.beyond_chance and abs(self.value) > LIMITS[self.name].gross


def judge(reference: Shape, now: Shape) -> list[Effect]:
    """Every effect of the one period `now`; none where there is too little to compare with.

    What chance shows is measured, not assumed: each period of the reference is compared with all its others, which
    holds whatever rows of one entity have in common and whatever periods differ by without anybody calling it drift.
    The squared effect over its variance for independent rows has mean 1 where rows are independent; its mean over the
    reference's periods is how much more there is. The band is that times an F quantile, which allows for how few
    periods there were.
    """
    periods = reference[reference.rows >= FEWEST_ROWS]
    count = len(periods.mean)
    if count < FEWEST_PERIODS or now.rows[0] < FEWEST_ROWS:
        return []
    others = pooled(periods, 1 - np.eye(count))
    usual, seen = _statistics(others, periods), _statistics(pooled(reference), now)
    return [_effect(name, seen[name], usual[name]) for name in LIMITS]


@dataclass(frozen=True)
class _Statistic:
    """An effect, the square of its stabilised form, and that square's mean for independent rows of one population."""

    value: np.ndarray
    square: np.ndarray
    expected: np.ndarray
    freedom: np.ndarray


def _effect(name: str, seen: _Statistic, usual: _Statistic) -> Effect:
    ratio = usual.square / usual.expected
    ratio = ratio[np.isfinite(ratio)]
    value = float(seen.value[0])
    if np.isnan(value) or len(ratio) < FEWEST_PERIODS:
        return Effect(name, 0.0, 0.0, False)
    typical = max(float(ratio.mean()), 1.0)
    # Satterthwaite: periods that differ in one way only have one degree of freedom, whatever the number of bins
    freedom = 2 * float(ratio.mean()) ** 2 / max(float(ratio.var(ddof=1)), 1e-12)
    freedom = float(np.clip(freedom, 1.0, seen.freedom[0]))
    # what periods differ by does not shrink when the newest one has more rows than they had
    level = max(typical * float(seen.expected[0]), float(np.nanmean(usual.square)))
    band = level * float(fdtri(freedom, freedom * len(ratio), 1 - CHANCE))
    return Effect(name, value, float(np.nanmax(np.abs(usual.value))), bool(seen.square[0] > band))


def _statistics(reference: Shape, now: Shape) -> dict[str, _Statistic]:
    one = np.ones(len(now.mean))
    by_rows = 1 / now.rows + 1 / reference.rows
    enough = now.known >= FEWEST_KNOWN
    by_known = np.where(enough, 1 / np.maximum(now.known, 1) + 1 / np.maximum(reference.known, 1), np.nan)
    both = reference.counts + now.counts
    bins = np.maximum((both > 0).sum(axis=-1) - 1, 1)
    psi = metrics.psi(reference.counts, now.counts)
    mean = np.where(enough, _mean_difference(reference, now), np.nan)
    rank = np.where(enough, _cliffs_delta(reference, now), np.nan)
    shares = both[..., :-1] / np.maximum(both[..., :-1].sum(axis=-1, keepdims=True), 1)
    untied = np.maximum(1 - (shares**3).sum(axis=-1), 1e-9)
    before, after = reference.counts[..., -1] / reference.rows, now.counts[..., -1] / now.rows
    angle = 2 * (np.arcsin(np.sqrt(after)) - np.arcsin(np.sqrt(before)))  # Cohen's h: its variance does not hang on p
    return {
        "psi": _Statistic(psi, psi, bins * by_rows, bins.astype("float64")),
        "mean": _Statistic(mean, mean**2, by_known, one),
        "rank": _Statistic(rank, rank**2, by_known * untied / 3, one),
        "unknown": _Statistic(after - before, angle**2, by_rows, one),
    }


def _mean_difference(reference: Shape, now: Shape) -> np.ndarray:
    """Difference of means over the root of the mean variance; infinite between two different constants.

    The mean of both variances, not the pooled one: an outlier in the small sample then raises both sides.
    """
    before, difference = np.nan_to_num(reference.mean), np.nan_to_num(now.mean) - np.nan_to_num(reference.mean)
    spread = np.sqrt((np.nan_to_num(reference.std) ** 2 + np.nan_to_num(now.std) ** 2) / 2)
    varies = spread > 1e-12 * np.abs(before)
    different = np.where(np.abs(difference) > 1e-9 * np.abs(before), np.copysign(np.inf, difference), 0.0)
    return np.divide(difference, spread, out=different, where=varies)


def _cliffs_delta(reference: Shape, now: Shape) -> np.ndarray:
    """P(now > before) − P(now < before), values of one bin tied; 2·AUC − 1."""
    return 2 * metrics.roc_auc(now.counts[..., -2::-1], reference.counts[..., -2::-1]) - 1


def pooled(parts: Shape, chosen: np.ndarray | None = None) -> Shape:
    """Several periods as one. `chosen` (pools × periods) says which periods each pool holds; without it one holds all."""
    weight = np.ones((1, len(parts.mean))) if chosen is None else chosen
    mean, variance = np.nan_to_num(parts.mean), np.nan_to_num(parts.std) ** 2
    known = weight @ parts.known
    centre = np.divide(weight @ (parts.known * mean), known, out=np.full(len(weight), np.nan), where=known > 0)
    apart = (weight * parts.known * (mean - np.nan_to_num(centre)[:, None]) ** 2).sum(axis=1)
    squares = weight @ (np.maximum(parts.known - 1, 0) * variance) + apart
    std = np.sqrt(np.divide(squares, known - 1, out=np.full(len(weight), np.nan), where=known > 1))
    return Shape(centre, std, weight @ parts.counts)
