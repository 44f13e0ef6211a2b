"""Columns that are filled in once the outcome is there, and dates that lie after the decision."""

from __future__ import annotations

import numpy as np

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.power import area, strength, upper
from finlake.features.leakage.sample import Array, Sample

FEWEST_FILLED = 30
MOST_IMPURE = 0.03  # upper bound of the share of negatives among filled rows, or of positives where they are left empty
LIFT, AGE_AUC, AGE_DEVIATIONS, AGE_HONEST = 3.0, 0.65, 5.0, 0.55
LAGS, LATE_SHARE, LAG_AUC = 20, 0.1, 0.6
_ADVICE = "Leave it out, or take the value it had when the decision was taken."


def filled_after(sample: Sample) -> list[Finding]:
    """Filled only with one outcome, or filled for positives the more the longer ago they happened.

    Empty is unknown, or the value that more than a fifth of all rows have. A column that is filled for older positives
    but not for older negatives learnt of the outcome in between; history an entity gathers grows the other way.
    """
    found = []
    for name in sample.names:
        for empty, how in _empties(sample, name):
            finding = _only_with(sample, name, ~empty, how) or _with_age(sample, name, ~empty, how)
            if finding:
                found.append(finding)
                break
    return found


def dates_after(sample: Sample) -> list[Finding]:
    """Dates after the decision at irregular distances that carry the outcome; an agreed due date has few distances."""
    found: list[Finding] = []
    if np.isnat(sample.decision).all():
        return found
    decided = sample.decision.astype(np.int64) / 86_400e6
    decided = np.where(np.isnat(sample.decision), np.nan, decided)
    for name, kind in zip(sample.names, sample.kinds, strict=True):
        if kind != "date":
            continue
        lag = sample.column(name) - decided
        after = lag > 1
        known = ~np.isnan(lag)
        if after.sum() < max(FEWEST_FILLED, LATE_SHARE * known.sum()) or len(np.unique(np.round(lag[after]))) <= LAGS:
            continue
        power = strength(np.where(after, lag, np.nan), sample.label)[0]
        pure = _only_with(sample, name, known, "unknown") is not None
        if power >= LAG_AUC or pure:
            told = f"how long after tells the outcome (AUC {power:.3f})" if not pure else "only one outcome has them"
            reason = f"its dates lie after the decision for {after.sum():,} of {known.sum():,} rows, and {told}"
            found.append(sample.finding("after the decision", name, reason, _ADVICE, np.flatnonzero(after)))
    return found


def _empties(sample: Sample, name: str) -> list[tuple[Array, str]]:
    column, profile = sample.column(name), sample.profiles.get(name)
    made = []
    if np.isnan(column).mean() > 0.02:
        made.append((np.isnan(column), "unknown"))
    if profile and profile.at_mode > 0.2 * profile.rows and profile.low < profile.high:
        shown = "***" if name in sample.masked else f"{profile.mode:.6g}"
        made.append((np.isnan(column) | (column == profile.mode), shown))
    return made


def _only_with(sample: Sample, name: str, filled: Array, how: str) -> Finding | None:
    hits = sample.label == 1
    inside, others = int((filled & hits).sum()), int((filled & ~hits).sum())
    total, rest = sample.positives, sample.negatives
    if not total or not rest:
        return None
    weight = [float(sample.weight[sample.label == one].mean()) for one in (0, 1)]
    worst = float(upper(others, rest)) * rest * weight[0]
    if inside >= FEWEST_FILLED and inside < total and worst <= MOST_IMPURE * (worst + inside * weight[1]):
        reason = f"it is other than {how} in {inside:,} of {total:,} positives and {others:,} of {rest:,} negatives"
        return sample.finding("filled after", name, reason, _ADVICE, np.flatnonzero(filled & hits))
    chance = others / rest
    if how == "unknown" and chance > 0.1 and float(upper(inside, total)) <= MOST_IMPURE * chance:
        reason = f"it is known in {others:,} of {rest:,} negatives and {inside:,} of {total:,} positives"
        return sample.finding("filled after", name, reason, _ADVICE, np.flatnonzero(filled & ~hits))
    return None


def _with_age(sample: Sample, name: str, filled: Array, how: str) -> Finding | None:
    timed = ~np.isnat(sample.event)
    if sample.as_of is None or not timed.any():
        return None
    hits = timed & (sample.label == 1)
    rates = [float(filled[sample.label == one].mean()) if (sample.label == one).any() else 0.0 for one in (0, 1)]
    counted = int(filled[hits].sum()), int((~filled[hits]).sum())
    if min(counted) < FEWEST_FILLED or rates[1] < LIFT * rates[0]:
        return None
    age = (sample.as_of - sample.event).astype(np.int64).astype(float)
    grows = area(age[hits], filled[hits].astype(int))
    error = np.sqrt((sum(counted) + 1) / (12 * counted[0] * counted[1]))  # of Mann and Whitney's statistic
    others = timed & (sample.label == 0)
    same = area(age[others], filled[others].astype(int)) if filled[others].sum() >= FEWEST_FILLED else 0.5
    if grows < AGE_AUC or grows - 0.5 < AGE_DEVIATIONS * error or same > AGE_HONEST:
        return None
    reason = (
        f"it is other than {how} in {rates[1]:.1%} of positives and {rates[0]:.1%} of negatives, and the older a "
        f"positive the more often (AUC of the age {grows:.2f}; {same:.2f} for negatives)"
    )
    return sample.finding("filled after", name, reason, _ADVICE, np.flatnonzero(filled & hits))
