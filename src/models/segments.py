"""Segments of the test: what `segments` of a use case names, in few groups, and how models do in each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import HoldOut
from finlake.errors import TrainingError, suggestion
from finlake.features.training import HELD_OUT, is_held_out
from finlake.models import metrics
from finlake.models.bootstrap import Draws, Estimate, estimate, resampled
from finlake.models.results import SegmentResult
from finlake.models.score_counts import DAY, MODEL, Table, tested_by
from finlake.models.served import calibrated

NUMBERS, TEXTS = 5, 8  # at most so many groups of a number, values of a text
UNKNOWN, OTHER = "unknown", "other"
LEARNT_LATER, HELD_OUT_LATER, HELD_OUT_THEN = (
    "entities learnt from, later", "entities held out, later", "entities held out, in the days of training",
)  # fmt: skip
_MEASURES = {"average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc}


def segment_columns(frame: DataFrame, names: Sequence[str]) -> dict[str, Column]:
    """For each entry of `segments` a text column with the segment a row belongs to; the groups come from training rows.

    Numbers are cut at training's quintiles, unless they have five values or fewer, which are then the segments. Of
    texts the eight most frequent values are segments, all others are `other`. Null is `unknown`.

    Args:
        frame: the stored training set; its part `train` is read once for each name.
        names: features, or `this.<column>`.

    Raises:
        TrainingError: no column of the frame is meant, or its type has no segments.
    """
    kinds, train = dict(frame.dtypes), frame.where("part = 'train'")
    made = {}
    for name in names:
        bare = name.removeprefix("this.")
        column = next((found for found in (bare, f"this_{bare}") if found in kinds), None)
        if column is None:
            raise TrainingError(f"segments: {name!r} is not in the training set{suggestion(bare, frame.columns)}")
        kind = kinds[column]
        if kind in ("date", "timestamp") or kind.startswith(("array", "map", "struct")):
            raise TrainingError(f"segments: {name!r} is {kind}; segments are made of texts, numbers and yes/no")
        number = kind not in ("string", "boolean")
        value = F.col(f"`{column}`").cast("double" if number else "string")
        made[name] = _of_number(train, value, bare) if number else _of_text(train, value, bare)
    return made


def _of_text(train: DataFrame, value: Column, name: str) -> Column:
    counted = train.where(value.isNotNull()).groupBy(value.alias("value")).count()
    largest = [row["value"] for row in counted.orderBy(F.desc("count"), "value").limit(TEXTS).collect()]
    called = F.concat(F.lit(f"{name} = "), F.when(value.isin(largest), value).otherwise(OTHER))
    return F.when(value.isNull(), f"{name} {UNKNOWN}").otherwise(called)


def _of_number(train: DataFrame, value: Column, name: str) -> Column:
    known = value.isNotNull() & ~F.isnan(value)
    shown = train.where(known).select(value.alias("value"))
    few = sorted(row["value"] for row in shown.distinct().limit(NUMBERS + 1).collect())
    if len(few) <= NUMBERS:
        labels = [(value == number, f"{name} = {number:g}") for number in few]
        last = f"{name} = {OTHER}"
    else:
        shares = [place / NUMBERS for place in range(1, NUMBERS)]
        found = shown.agg(
            F.percentile_approx("value", shares, 10_000).alias("cuts"), F.min("value").alias("least")
        ).first()
        assert found is not None
        cuts = sorted({cut for cut in found["cuts"] if cut > found["least"]})
        starts = [f"{name} < {cuts[0]:g}", *(f"{name} {a:g} to {b:g}" for a, b in zip(cuts, cuts[1:], strict=False))]
        labels = [(value < cut, label) for cut, label in zip(cuts, starts, strict=True)]
        last = f"{name} ≥ {cuts[-1]:g}"
    made = F.when(~known, f"{name} {UNKNOWN}")
    for condition, label in labels:
        made = made.when(condition, label)
    return made.otherwise(last)


def by_segment(
    counts: pd.DataFrame, names: Sequence[str], days: np.ndarray, draws: Draws, calibration: dict[str, Any]
) -> dict[str, list[SegmentResult]]:
    """Figures, paired differences and calibration of each segment, largest first; intervals are of resampled days.

    `calibration`: finlake's own.
    """
    made: dict[str, list[SegmentResult]] = {}
    for name in names:
        rows = tested_by(counts, name)
        results = [_segment(str(segment), part, days, draws, calibration) for segment, part in rows.groupby("segment")]
        made[name] = sorted(results, key=lambda result: (-result.rows, result.segment))
    return made


def apart_column(hold_out: HoldOut) -> Column:
    """Of a test row, whether its entity was learnt from."""
    return F.when(is_held_out(hold_out), HELD_OUT_LATER).otherwise(LEARNT_LATER)


def four_ways(
    counts: pd.DataFrame, days: np.ndarray, draws: Draws, calibration: dict[str, Any], seed: int
) -> list[SegmentResult]:
    """Entities held out, in the days of training and later, beside those learnt from; fewer where a way has no rows."""
    made = by_segment(counts, [HELD_OUT], days, draws, calibration)[HELD_OUT]
    then = counts[(counts["part"] == HELD_OUT) & (counts["by"] == DAY)]
    if len(then):
        before = np.sort(then["day"].unique())
        made.append(_segment(HELD_OUT_THEN, then, before, Draws.of(len(before), seed), calibration))
    return made


def _segment(
    segment: str, counts: pd.DataFrame, days: np.ndarray, draws: Draws, calibration: dict[str, Any]
) -> SegmentResult:
    tables = {str(model): Table(part, days) for model, part in counts.groupby("model")}
    figures: dict[str, Estimate] = {}
    differences: dict[str, Estimate] = {}
    for name, measure in _MEASURES.items():
        drawn = {model: resampled(draws.days, measure, t.positives, t.negatives) for model, t in tables.items()}
        for model, values in drawn.items():
            figures[f"{name}.{model}"] = estimate(values)
            if model != MODEL:
                differences[f"{name}.{model}"] = estimate(drawn[MODEL] - values)
    table = tables[MODEL]
    chance = calibrated(calibration, table.margins)
    ratio = resampled(
        draws.days, lambda p, n: metrics.predicted_to_observed(p, n, chance), table.positives, table.negatives
    )
    return SegmentResult(
        segment, float(table.total.sum()), float(table.positives.sum()), figures, differences, estimate(ratio)
    )
