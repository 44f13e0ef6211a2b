"""Features too good for what they could know: alone, beside the weaker ones, or in a ratio with another."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy import stats

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.power import Region, difference, exclusion, oriented, out_of_fold, strength, thinned
from finlake.features.leakage.sample import Array, Sample

FEWEST_POSITIVES = 50
CERTAIN_AUC = 0.98
EXCLUDES = 0.025  # a tenth of the negatives with at most a fortieth of the positives that chance would put there
DOMINANT_AUC, DOMINANT_SURE = 0.85, 0.90
MARGIN, DEVIATIONS = 0.08, 3.0
RATIO_AUC, RATIO_GAIN = 0.90, 0.08
AMBIGUOUS = 0.05  # in AUC: of two columns this close, the rows do not say which one leaks
MODEL_ROWS, PAIR_ROWS, PAIR_COLUMNS = 12_000, 6_000, 100
_LOOK = "Look at what it is made from, and when that was known."


def too_good(sample: Sample) -> list[Finding]:
    """A feature that alone is nearly perfect, excludes the outcome over a stretch of its range, or beats all weaker ones.

    The weaker ones are taken up from the weakest; one that is found does not enter, so leaks do not hide each other.
    """
    if sample.positives < FEWEST_POSITIVES or sample.negatives < FEWEST_POSITIVES:
        return []
    found: list[Finding] = []
    scores = {name: strength(sample.column(name), sample.label) for name in sample.names}
    honest: list[str] = []
    for name in sorted(scores, key=lambda one: scores[one][0]):
        power, score = scores[name]
        finding = _alone(sample, name, power) or _dominant(sample, name, power, score, honest)
        if finding is None:
            honest.append(name)
        else:
            found.append(finding)
    return found


def ratios(sample: Sample) -> list[Finding]:
    """Two columns whose quotient gives the outcome away while neither does: paid of owed, returned of lent.

    Of all telling pairs, the feature that takes part in most of them is named, then that of the pairs that are left; of
    two alike, the one that is clearly stronger alone, or else both.
    """
    if sample.positives < FEWEST_POSITIVES or sample.negatives < FEWEST_POSITIVES:
        return []
    rows = thinned(sample.label, PAIR_ROWS)
    label = sample.label[rows]
    alone = {}
    for name, kind in zip(sample.names, sample.kinds, strict=True):
        column = sample.column(name)[rows]
        if kind == "number" and len(np.unique(column[~np.isnan(column)])) > 10:
            alone[name] = oriented(column, label)[0]
    columns = {n: sample.column(n)[rows] for n in sorted(alone, key=lambda n: -alone[n])[:PAIR_COLUMNS]}
    names = [name for name in columns if alone[name] < RATIO_AUC]
    telling = {}
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            power = _quick(divided(columns[first], columns[second]), label)
            if power >= max(RATIO_AUC, max(alone[first], alone[second]) + RATIO_GAIN):
                telling[first, second] = power
    found = []
    while telling:
        often = Counter(name for pair in telling for name in pair)
        blamed = max(often, key=lambda name: (often[name], alone[name]))
        pair = max((pair for pair in telling if blamed in pair), key=lambda one: telling[one])
        other = pair[0] if pair[1] == blamed else pair[1]
        alike = often[other] == often[blamed] and alone[blamed] - alone[other] < AMBIGUOUS
        for name, beside in ((blamed, other), (other, blamed)) if alike else ((blamed, other),):
            reason = (
                f"beside {beside} it gives the outcome away: their ratio has AUC {telling[pair]:.3f}, "
                f"alone they have {alone[name]:.3f} and {alone[beside]:.3f}"
            )
            advice = f"It or {beside} is known too late. {_LOOK}" if alike else _LOOK
            found.append(sample.finding("too good", name, reason, advice, np.flatnonzero(sample.label == 1)))
        telling = {pair: power for pair, power in telling.items() if blamed not in pair}
    return found


def divided(first: Array, second: Array) -> Array:
    """The quotient; unknown where it is not finite."""
    with np.errstate(all="ignore"):
        quotient = first / second
    return np.where(np.isfinite(quotient), quotient, np.nan)


def _quick(values: Array, label: Array) -> float:
    """AUC over the rows where the quotient is known, if these are most of both classes."""
    known = ~np.isnan(values)
    hits = label == 1
    inside, outside = int((known & hits).sum()), int((known & ~hits).sum())
    if inside < 0.5 * hits.sum() or outside < 0.5 * (~hits).sum():
        return 0.0
    ranks = stats.rankdata(values[known])
    power = (ranks[hits[known]].sum() - inside * (inside + 1) / 2) / (inside * outside)
    return float(max(power, 1 - power))


def _alone(sample: Sample, name: str, power: float) -> Finding | None:
    column, label = sample.column(name), sample.label
    if power > CERTAIN_AUC:
        reason = f"alone it tells positives from negatives with AUC {power:.3f}"
        return sample.finding("too good", name, reason, _LOOK, np.flatnonzero(label == 1))
    region = exclusion(column, label)
    if region is None or region.likelihood > EXCLUDES:
        return None
    shown = np.flatnonzero(region.inside & (label == 0))
    return sample.finding("too good", name, _excluded(sample, name, region), _LOOK, shown, sure=not region.single)


def _excluded(sample: Sample, name: str, region: Region) -> str:
    hidden = name in sample.masked
    ends = "over a stretch of its range" if hidden else f"between {region.low:.6g} and {region.high:.6g}"
    if region.single and not hidden:
        ends = f"around {region.low if region.low == region.high else region.high:.6g}"
    return (
        f"{ends} the outcome all but never happens: {region.share:.0%} of the negatives lie there and "
        f"{region.positives} of {sample.positives} positives"
    )


def _dominant(sample: Sample, name: str, power: float, score: Array, weaker: list[str]) -> Finding | None:
    if power < DOMINANT_AUC:
        return None
    rows = thinned(sample.label, MODEL_ROWS)
    label = sample.label[rows]
    places = [sample.names.index(one) for one in weaker]
    others = out_of_fold(sample.values[rows][:, places], label) if places else np.zeros(len(rows))
    margin, error = difference(score[rows], others, label)
    if margin < MARGIN or margin < DEVIATIONS * error:
        return None
    reason = (
        f"alone it has AUC {power:.3f}, a model of all {len(weaker)} weaker features together {power - margin:.3f} "
        f"(difference {margin:.3f}, standard error {error:.3f})"
    )
    top = np.argsort(-score, kind="stable")
    return sample.finding("too good", name, reason, _LOOK, top, sure=power >= DOMINANT_SURE)
