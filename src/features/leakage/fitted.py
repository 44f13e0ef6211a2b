"""Preprocessing that was fitted on rows of the test part too."""

from __future__ import annotations

import numpy as np

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.sample import Profile, Sample

FEWEST_ROWS = 100
EXACT = 1e-6
DIFFERS = 1e-3  # train must miss by this what all rows hit exactly
_ADVICE = "Fit it on train, and apply it to the other parts."


def fitted_on_all(sample: Sample) -> list[Finding]:
    """Standardised, min-maxed, ranked or mean-filled columns whose statistics are exact over all rows, not over train."""
    found = []
    for name, whole in sample.profiles.items():
        train = sample.train_profiles.get(name)
        if train is None or min(whole.rows, train.rows) < FEWEST_ROWS or train.rows == whole.rows or not whole.std:
            continue
        how = (
            _standardised(whole, train) or _ranked(whole, train) or _min_max(whole, train) or _mean_filled(whole, train)
        )
        if how:
            reason = f"{how}, of all rows and not of train ({train.rows:,} of {whole.rows:,})"
            later = np.flatnonzero(sample.part != "train")
            found.append(sample.finding("fitted on test rows", name, reason, _ADVICE, later))
    return found


def _standardised(whole: Profile, train: Profile) -> str | None:
    spread = min(abs(whole.std - 1), abs(whole.std * np.sqrt(whole.rows / (whole.rows - 1)) - 1))
    exact = abs(whole.mean) < EXACT and spread < EXACT
    return "its mean is 0 and its deviation 1" if exact and _misses(train.mean, 0, train.std, 1) else None


def _min_max(whole: Profile, train: Profile) -> str | None:
    """A continuous column whose ends were set by single rows outside train; shares reach 0 and 1 in many rows."""
    scaled = (whole.low, whole.high) in ((0.0, 1.0), (-1.0, 1.0)) and max(whole.at_low, whole.at_high) <= 3
    outside = train.low > whole.low or train.high < whole.high
    return f"it lies between {whole.low:g} and {whole.high:g}" if scaled and outside else None


def _ranked(whole: Profile, train: Profile) -> str | None:
    """Ranks of n rows divided by n, by n - 1, or by n + 1, or half a rank lower."""
    n = whole.rows
    means = {(n + 1) / (2 * n): 1 / n, 0.5: 0.0}
    uniform = abs(whole.std - 12**-0.5) < 2 / n
    exact = any(
        abs(whole.mean - mean) < 1e-9 and (low == 0.0 or abs(whole.low - low) < EXACT) for mean, low in means.items()
    )
    ranked = "it is a rank" if uniform and exact and 0 <= whole.low < whole.high <= 1 else None
    return ranked if ranked and _misses(train.mean, whole.mean, train.std, whole.std) else None


def _mean_filled(whole: Profile, train: Profile) -> str | None:
    exact = abs(whole.mode - whole.mean) <= 1e-9 * max(abs(whole.mean), whole.std)
    often = whole.at_mode >= 20 and float(whole.mode) != round(whole.mode, 3)
    if exact and often and abs(train.mean - whole.mean) > DIFFERS * whole.std:
        return "its most frequent value is its mean, put where it was unknown"
    return None


def _misses(mean: float, right_mean: float, std: float, right_std: float) -> bool:
    return abs(mean - right_mean) > DIFFERS or abs(std - right_std) > DIFFERS
