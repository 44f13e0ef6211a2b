"""Thresholds that follow matured labels, by context: empirical Bayes on counts by context and score bin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.policy import HourGroups, Policy
from finlake.config.use_case import UseCase

THRESHOLDS = (
    "use_case string, context string, approve_below double, decline_above double, alert_above double, alerts_per_day int, "
    "basis string, labels_from date, labels_until date, rows bigint, positives bigint, valid_from timestamp, run_id string"
)
EVERYWHERE = ""
MOST_CONTEXTS = 200  # the largest; rarer ones lean wholly on the rest
BIN = 0.1  # width in log odds
_EDGE = 14.0  # log odds beyond which bins are not told apart


@dataclass(frozen=True)
class Counts:
    """Matured decisions of one context (for alert budgets: entities and queue days, by their highest decision)."""

    rows: Mapping[float, int]  # lower edge of the score bin, log odds -> how many
    expected: float  # sum of calibrated probabilities
    positives: int

    @property
    def total(self) -> int:
        return sum(self.rows.values())


@dataclass(frozen=True)
class Threshold:
    context: str
    approve_below: float | None
    decline_above: float | None
    alert_above: float | None
    basis: str
    rows: int
    positives: int


def context_of(use_case: UseCase, columns: Sequence[str]) -> Column:
    """`channel=web · hour=7-19`; a missing value is written `?`."""
    parts: list[Column] = []
    for context in use_case.policy.contexts or ():
        if isinstance(context, HourGroups):
            parts += [F.lit("hour="), _hours(context.hours, use_case.zone)]
        else:
            bare = context.removeprefix("this.")
            name = bare if bare in columns else f"this_{bare}"
            parts += [F.lit(f"{bare}="), F.coalesce(F.col(f"`{name}`").cast("string"), F.lit("?"))]
        parts.append(F.lit(" · "))
    return F.concat(*parts[:-1]) if parts else F.lit(EVERYWHERE)


def _hours(begins: Sequence[int], zone: str) -> Column:
    """The group of an event's hour; hours before the first group belong to the last, which runs over midnight."""
    hour = F.hour(F.from_utc_timestamp("event_ts", zone))
    until = [*begins[1:], begins[0] if begins[0] else 24]
    named = [f"{begin}-{end}" for begin, end in zip(begins, until, strict=True)]
    group = F.lit(named[-1])
    for begin, name in zip(begins, named, strict=True):
        group = F.when(hour >= begin, F.lit(name)).otherwise(group)
    return group


def score_bins(rows: DataFrame) -> DataFrame:
    """context, bin, rows, expected, positives; `rows`: context, probability, positive (boolean)."""
    chance = F.least(F.greatest(F.col("probability"), F.lit(1e-9)), F.lit(1 - 1e-9))
    odds = F.log(chance / (1 - chance))
    place = F.floor(F.least(F.greatest(odds, F.lit(-_EDGE)), F.lit(_EDGE)) / F.lit(BIN)) * F.lit(BIN)
    return rows.groupBy("context", F.round(place, 1).alias("bin")).agg(
        F.count(F.lit(1)).alias("rows"), F.sum("probability").alias("expected"),
        F.sum(F.col("positive").cast("int")).alias("positives"),
    )  # fmt: skip


def thresholds_from(counts: Mapping[str, Counts], policy: Policy, days: int) -> list[Threshold]:
    """Thresholds everywhere (context: empty) and by context, from what calibrated probabilities promised and what came.

    Gamma-Poisson shrinkage (Bühlmann credibility): with k positives where e were expected, a context's odds are its
    scores' odds times (k + m·F) / (e + m), where m is `policy.pooling` and F = (K + m) / (E + m) the same over all
    contexts, leaning on the model's calibration. A context with e = m goes half by its own experience.

    Cut-offs move so that each context is approved up to the same chance. Alert thresholds move so that the last alert in
    each context has the same chance, and `alerts_per_day` of the days' entities lie above them.
    """
    prior = policy.pooling
    every = Counts(
        _summed([c.rows for c in counts.values()]), sum(c.expected for c in counts.values()),
        sum(c.positives for c in counts.values()),
    )  # fmt: skip
    overall = (every.positives + prior) / (every.expected + prior)
    factors = {context: (c.positives + prior * overall) / (c.expected + prior) for context, c in counts.items()}
    wanted = (policy.alerts_per_day or 0) * days
    last = _last_alert(counts, factors, wanted) if wanted else None
    made = [_threshold(EVERYWHERE, every, overall, prior, last, policy)]
    for context in sorted(counts):
        if context != EVERYWHERE:
            made.append(_threshold(context, counts[context], factors[context], prior, last, policy))
    return made


def _threshold(
    context: str, counts: Counts, factor: float, prior: float, last: float | None, policy: Policy
) -> Threshold:
    shift = float(np.log(factor))
    low, high = policy.cut_offs
    weight = counts.expected / (counts.expected + prior)
    basis = (
        f"{counts.positives:,} positives of {counts.total:,} where {counts.expected:,.1f} were expected; own experience "
        f"counts {100 * weight:.0f}%, odds times {factor:.3f}"
    )
    return Threshold(
        context, _moved(low, shift), _moved(high, shift), None if last is None else _chance(last - shift), basis,
        counts.total, counts.positives,
    )  # fmt: skip


def _last_alert(counts: Mapping[str, Counts], factors: Mapping[str, float], wanted: int) -> float:
    """Adapted log odds above which `wanted` of the counted entities lie; lower edges of their bins."""
    ranked = sorted(
        (
            (edge + float(np.log(factors[context])), rows)
            for context, c in counts.items()
            for edge, rows in c.rows.items()
        ),
        reverse=True,
    )
    reached = 0
    for edge, rows in ranked:
        reached += rows
        if reached >= wanted:
            return edge
    return ranked[-1][0] if ranked else 0.0


def _moved(cut_off: float | None, shift: float) -> float | None:
    """The score whose adapted chance is the cut-off."""
    if cut_off is None or not 0 < cut_off < 1:
        return cut_off
    return _chance(float(np.log(cut_off / (1 - cut_off))) - shift)


def _chance(odds: float) -> float:
    return float(1 / (1 + np.exp(-odds)))


def _summed(parts: Sequence[Mapping[float, int]]) -> dict[float, int]:
    total: dict[float, int] = {}
    for part in parts:
        for edge, rows in part.items():
            total[edge] = total.get(edge, 0) + rows
    return total


def fixed_thresholds(policy: Policy) -> dict[str, Column]:
    """The columns of `with_thresholds` where the policy's own thresholds stand: the same for every row."""
    low, high = policy.cut_offs
    return {
        "_context": F.lit(None).cast("string"),
        "_thresholds_from": F.lit(None).cast("timestamp"),
        "_approve_below": F.lit(low).cast("double"),
        "_decline_above": F.lit(high).cast("double"),
        "_shift": F.lit(0.0),
    }


def with_thresholds(rows: DataFrame, use_case: UseCase, valid: DataFrame | None) -> DataFrame:
    """Adds _context, _thresholds_from, _approve_below, _decline_above and _shift, the log odds an alert's score must beat.

    A context without thresholds of its own gets those of everywhere; without any, the policy's stand and nothing is
    shifted.

    Args:
        rows: decisions with event_ts and the columns that contexts look at.
        use_case: with `policy.contexts`, or without, then only the policy's own stand.
        valid: rows of ops.thresholds of the use case valid at the step's moment.
    """
    fixed = fixed_thresholds(use_case.policy)
    if use_case.policy.contexts is None or valid is None:
        return rows.withColumns(fixed)
    names = ["valid_from", "approve_below", "decline_above", "alert_above"]
    own = valid.where(F.col("context") != EVERYWHERE).select(
        F.col("context").alias("_context"), F.struct(*names).alias("_own")
    )
    whole = valid.where(F.col("context") == EVERYWHERE).select(F.struct(*names).alias("_whole"))
    known = rows.withColumn("_context", context_of(use_case, rows.columns)).join(F.broadcast(own), "_context", "left")
    known = known.join(F.broadcast(whole), F.lit(True), "left")
    picked = F.coalesce("_own", "_whole")
    above = picked["alert_above"]
    return known.withColumns(
        {
            "_thresholds_from": picked["valid_from"],
            "_approve_below": F.coalesce(picked["approve_below"], fixed["_approve_below"]),
            "_decline_above": F.coalesce(picked["decline_above"], fixed["_decline_above"]),
            "_shift": F.coalesce(F.log(above / (1 - above)), F.lit(0.0)),
        }
    ).drop("_own", "_whole")


def valid_at(table: DataFrame, use_case: str, moment: Column) -> DataFrame:
    """The newest thresholds of a use case at a moment; contexts that these lack have none of their own any more."""
    mine = table.where((F.col("use_case") == use_case) & (F.col("valid_from") <= moment))
    newest = mine.agg(F.max("valid_from").alias("_newest"))
    return mine.join(F.broadcast(newest), F.col("valid_from") == F.col("_newest")).drop("_newest")


def days_of(first: date, last: date) -> int:
    return (last - first).days + 1
