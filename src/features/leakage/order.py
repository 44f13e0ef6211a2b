"""Identifiers and row order that carry the label, and labels that were read too early."""

from __future__ import annotations

import numpy as np
from scipy import stats

from finlake.features.leakage.findings import Finding
from finlake.features.leakage.power import exclusion
from finlake.features.leakage.sample import Array, Sample
from finlake.features.leakage.strong import EXCLUDES, FEWEST_POSITIVES

UNIQUE = 0.99
FEWEST_ROWS = 1_000
MODULI = range(2, 17)
CHANCE, TIMES = 1e-12, 2.0
FEWEST_YOUNG = 20
NEWEST, COLLAPSE = (0.02, 0.05, 0.1), 0.1


def identifiers(sample: Sample) -> list[Finding]:
    """Columns with a value of its own in each row, or the order of the rows, that tell the label.

    Either an end of the order holds no positives though the same end of time does, or the remainder after a division
    goes with the label.
    """
    if sample.positives < FEWEST_POSITIVES or len(sample.label) < FEWEST_ROWS:
        return []
    found = []
    for name, kind in zip(sample.names, sample.kinds, strict=True):
        column = sample.column(name)
        known = column[~np.isnan(column)]
        whole = kind == "category" or bool(np.all(known == np.round(known)))
        if len(known) < FEWEST_ROWS or not whole or len(np.unique(known)) < UNIQUE * len(known):
            continue
        reason = _ordered(sample, column) or _divided(sample, column)
        if reason:
            advice = "An identifier says nothing about a new decision; leave it out."
            rows = np.flatnonzero(sample.label == 1)
            found.append(sample.finding("identifier", name, f"it is an identifier and {reason}", advice, rows))
    if sample.order is not None and (reason := _ordered(sample, sample.order.astype(float))):
        advice = "Do not split by the order of the rows, and look how the table was put together."
        rows = np.flatnonzero(sample.label == 1)
        found.append(sample.finding("identifier", "row order", reason, advice, rows, sure=False))
    return found


def too_young(sample: Sample) -> list[Finding]:
    """Rows that count as negative before their label could be known; or newest rows among which positives die out.

    The second needs no maturity, and is only said: a rate may really fall.
    """
    young = (sample.label == 0) & ~np.isnat(sample.matured)
    if sample.as_of is not None:
        young &= sample.matured > sample.as_of
        if young.sum() >= 1:
            reason = f"{int(sample.weight[young].sum()):,} rows count as negative whose label had not matured by {sample.as_of}"
            advice = "Leave rows out until their label has matured, positives too."
            return [sample.finding("immature label", "label", reason, advice, np.flatnonzero(young))]
    if np.isnat(sample.event).any() or sample.positives < FEWEST_POSITIVES:
        return []
    for share in NEWEST:
        since = np.quantile(sample.event.astype(np.int64), 1 - share)
        newest = sample.event.astype(np.int64) > since
        weights = sample.weight[newest].sum() / sample.weight.sum()
        expected, seen = weights * sample.positives, int(sample.label[newest].sum())
        if expected >= FEWEST_YOUNG and seen <= COLLAPSE * expected:
            reason = (
                f"among the newest {weights:.0%} of rows there are {seen} positives where {expected:.0f} would be usual"
            )
            advice = "Say when labels mature, and leave younger rows out."
            return [sample.finding("immature label", "label", reason, advice, np.flatnonzero(newest), sure=False)]
    return []


def _ordered(sample: Sample, place: Array) -> str | None:
    region = exclusion(place, sample.label)
    if region is None or region.likelihood > EXCLUDES:
        return None
    if not np.isnat(sample.event).all():
        timely = exclusion(np.where(np.isnat(sample.event), np.nan, sample.event.astype(np.int64)), sample.label)
        if timely is not None and timely.likelihood <= 2 * EXCLUDES:
            return None
    return (
        f"{region.share:.0%} of the negatives lie at one end of its order with {region.positives} of "
        f"{sample.positives} positives"
    )


def _divided(sample: Sample, column: Array) -> str | None:
    known = ~np.isnan(column)
    for modulus in MODULI:
        rest = (column[known] % modulus).astype(int)
        rows = np.bincount(rest, minlength=modulus)
        hits = np.bincount(rest, sample.label[known], modulus)
        if rows.min() < 50 or not 0 < hits.sum() < rows.sum():
            continue
        chance = stats.chi2_contingency(np.vstack([hits, rows - hits])).pvalue
        rates = hits / rows
        if chance < CHANCE and rates.max() >= TIMES * max(rates.min(), 1e-9):
            return (
                f"its remainder after division by {modulus} goes with the label: rates from {rates.min():.2%} to "
                f"{rates.max():.2%}"
            )
    return None
