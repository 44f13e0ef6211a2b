"""Performance of the decisions that stand, period by period, once all labels of a period have matured.

Prequential: each decision was scored before its outcome was known (Dawid, "Present Position and Potential Developments:
The Prequential Approach", 1984). A period is judged at one moment, its end plus the label's maturity, by what was known then.
So its figures are the same whenever they are computed, and a label that comes later changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.models import metrics
from finlake.models.bootstrap import Estimate, day_weights, estimate, resampled
from finlake.models.frames import block_day
from finlake.models.score_counts import Table, score_bin
from finlake.models.served import calibrated

LENGTHS = {"week": "INTERVAL '7' DAY", "month": "INTERVAL '1' MONTH"}
_TINY = 1e-8


@dataclass(frozen=True)
class PeriodFigures:
    """One period: `2025-05` or `2025-W18`, its days, since when its labels are known, and which versions decided."""

    period: str
    first: date
    last: date
    known_on: datetime
    versions: list[str]
    figures: dict[str, Estimate]


def matured(scores: DataFrame, positive_periods: DataFrame, use_case: UseCase, now: datetime) -> DataFrame:
    """Decisions in periods whose labels have all matured at `now`, once for each length of period.

    Args:
        scores: one row for each decision that stands: decision_ts, label_key, probability, model_version.
        positive_periods: when rows were known as positive: label_key, known_from, known_to (null: still), as
            `finlake.features.labels.positive_periods` gives them.
        use_case: its zone, queue and label maturity.
        now: aware moment; nothing after it is used.

    Returns:
        period, first, last, known_on, day, model_version, bin, and label: 1 if a positive report was visible at
        `known_on`, else 0.
    """
    lengths = F.array(*(_bounds(length, step, use_case) for length, step in LENGTHS.items()))
    placed = (
        scores.withColumn("day", block_day(use_case)).withColumn("p", F.explode(lengths)).select("*", "p.*").drop("p")
    )
    ripe = placed.where(F.col("known_on") <= F.lit(now))
    hits = (
        ripe.select("label_key", "known_on")
        .distinct()
        .join(
            positive_periods.withColumnRenamed("known_from", "_from").withColumnRenamed("known_to", "_to"), "label_key"
        )
        .where((F.col("_from") <= F.col("known_on")) & (F.col("_to").isNull() | (F.col("_to") > F.col("known_on"))))
        .select("label_key", "known_on", F.lit(1).alias("label"))
        .distinct()
    )
    chance = F.greatest(F.lit(_TINY), F.least(F.lit(1 - _TINY), F.col("probability")))
    return ripe.join(hits, ["label_key", "known_on"], "left").select(
        "period", "first", "last", "known_on", "day", "model_version", score_bin(F.log(chance / (1 - chance))).alias("bin"),
        F.coalesce("label", F.lit(0)).alias("label"),
    )  # fmt: skip


def _bounds(length: str, step: str, use_case: UseCase) -> Column:
    first = F.to_date(F.date_trunc(length, "day"))
    following = F.to_date(first + F.expr(step))
    end = F.to_utc_timestamp(following.cast("timestamp"), use_case.zone)
    week = F.concat(
        F.extract(F.lit("YEAROFWEEK"), "day"), F.lit("-W"), F.lpad(F.weekofyear("day").cast("string"), 2, "0")
    )
    name = week if length == "week" else F.date_format("day", "yyyy-MM")
    return F.struct(
        name.alias("period"),
        first.alias("first"),
        F.date_sub(following, 1).alias("last"),
        (end + F.expr(use_case.label.matures_after.interval)).alias("known_on"),
    )


def counted_periods(rows: DataFrame) -> pd.DataFrame:
    """Of `matured`: rows and positives by period, day, version and bin; bounded by days and bins."""
    keys = ["period", "first", "last", "known_on", "day", "model_version", "bin"]
    counts = rows.groupBy(*keys).agg(F.count(F.lit(1)).alias("rows"), F.sum("label").alias("positives"))
    return counts.withColumn("lost", F.lit(0.0)).toPandas()


def period_figures(counts: pd.DataFrame, seed: int, reported: Sequence[str] = ()) -> list[PeriodFigures]:
    """Figures of each period that is not yet among `reported`, in order; intervals are of resampled days.

    `counts`: from `counted_periods`.
    """
    made = []
    for name, rows in counts.groupby("period"):
        if str(name) in reported:
            continue
        days = np.sort(rows["day"].unique())
        table = Table(rows, days)
        weights = day_weights(len(days), seed) if len(days) > 1 else np.ones((1, 1))
        start = rows.iloc[0]
        made.append(
            PeriodFigures(
                str(name), start["first"], start["last"], start["known_on"],
                sorted({str(version) for version in rows["model_version"]}), _figures(table, weights),
            )
        )  # fmt: skip
    return sorted(made, key=lambda found: (found.first, found.period))


def _figures(table: Table, weights: np.ndarray) -> dict[str, Estimate]:
    chance = calibrated({"kind": "none"}, table.margins)
    measures: dict[str, Callable[..., np.ndarray]] = {
        "average_precision": metrics.average_precision,
        "roc_auc": metrics.roc_auc,
        "gini": lambda p, n: 2 * metrics.roc_auc(p, n) - 1,
        "ks": metrics.ks,
        "brier": lambda p, n: metrics.brier(p, n, chance),
        "calibration": lambda p, n: metrics.predicted_to_observed(p, n, chance),
    }
    found = {
        name: estimate(resampled(weights, measure, table.positives, table.negatives))
        for name, measure in measures.items()
    }
    return {
        "rows": Estimate(float(table.total.sum())),
        "positives": Estimate(float(table.positives.sum())),
        **{name: one for name, one in found.items() if one.value is not None},
    }
