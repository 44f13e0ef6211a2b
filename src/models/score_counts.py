"""Rows counted by score bin, and by what intervals, periods and segments need: bounded, whatever the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.features.training import HELD_OUT
from finlake.models import metrics
from finlake.models.bootstrap import BLOCKS
from finlake.models.calibration import fit_calibration

BINS = 2**15
_EDGE = 20.0  # margins beyond ±20 share the last bins; a bin is 0.0012 wide
MODEL, LOGISTIC, RULE, CHAMPION = "finlake", "logistic_regression", "baseline_rule", "champion"
DAY, ENTITY, CELL = "day", "entity", "cell"


def score_bin(margin: Column) -> Column:
    """Bin of a margin on the fixed grid; higher margins, higher bins."""
    inside = F.greatest(F.lit(-_EDGE), F.least(F.lit(_EDGE), margin))
    return F.least(F.lit(BINS - 1), F.floor((inside + _EDGE) / (2 * _EDGE) * BINS)).cast("int")


def bin_margin(bins: np.ndarray) -> np.ndarray:
    """Margin in the middle of a bin."""
    return np.asarray((bins + 0.5) / BINS * 2 * _EDGE - _EDGE)


def block(*columns: str) -> Column:
    """One of `BLOCKS` groups, by hash of the columns."""
    return F.pmod(F.xxhash64(*columns), F.lit(BLOCKS)).cast("int")


def counted(
    frame: DataFrame, models: Sequence[str], *, segments: Sequence[str] = (), entities: bool = False
) -> pd.DataFrame:
    """Rows, positives and lost value by part, model and bin; the test in several ways, which column `by` names.

    - `day`: by `day`; train and choose without days, and for finlake alone. The part `held_out` by this way only.
    - `entity` and `cell`, where `entities`: by `block` of entities, and by block of (entity, day) pairs.
    - a name of `segments`: by `day` and `segment`, the value of that column.

    Args:
        frame: part, day, label, value, `margin_<model>`, the columns of `segments`, and entity where `entities`.
        models: whose margins.
        segments: columns with a segment's name, never null.
        entities: whether rows of one entity depend on each other.
    """
    every = F.array(*(F.struct(F.lit(m).alias("model"), score_bin(F.col(f"margin_{m}")).alias("bin")) for m in models))
    own = F.array(F.struct(F.lit(MODEL).alias("model"), score_bin(F.col(f"margin_{MODEL}")).alias("bin")))
    tested = F.col("part") == "test"
    judged = F.col("part").isin("test", HELD_OUT)
    day = F.when(judged, F.col("day"))
    ways = [_way(DAY, day=day), *(_way(name, day=day, segment=F.col(f"`{name}`")) for name in segments)]
    if entities:
        ways += [_way(ENTITY, block=block("entity")), _way(CELL, block=block("entity", "day"))]
    first, test = F.array(ways[0]), F.array(*ways)
    long = (
        frame.where(F.col("label").isNotNull())
        .withColumn("_scored", F.when(judged, every).otherwise(own))
        .select(
            "part", F.col("label").cast("double").alias("label"), "value", "_scored",
            F.explode(F.when(tested, test).otherwise(first)).alias("way"),
        )
        .select("part", "way.*", "label", "value", F.explode("_scored").alias("scored"))
    )  # fmt: skip
    return (
        long.groupBy("part", "by", "day", "block", "segment", "scored.model", "scored.bin")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.sum("label").alias("positives"),
            F.sum(F.col("value") * F.col("label")).alias("lost"),
        )
        .toPandas()
    )


def _way(by: str, day: Column | None = None, block: Column | None = None, segment: Column | None = None) -> Column:
    return F.struct(
        F.lit(by).alias("by"),
        (F.lit(None) if day is None else day).cast("date").alias("day"),
        (F.lit(None) if block is None else block).cast("int").alias("block"),
        (F.lit("") if segment is None else segment).cast("string").alias("segment"),
    )


def tested_by(counts: pd.DataFrame, by: str) -> pd.DataFrame:
    """The test's counts in one of the ways of `counted`."""
    return counts[(counts["part"] == "test") & (counts["by"] == by)]


def calibration_from(counts: pd.DataFrame) -> dict[str, Any]:
    """Calibration fitted on the choose part, which lies before the test."""
    choose = counts[counts["part"] == "choose"].groupby("bin")[["rows", "positives"]].sum()
    margins, positives = bin_margin(choose.index.to_numpy()), choose["positives"].to_numpy("float64")
    return fit_calibration(margins, positives, choose["rows"].to_numpy("float64") - positives)


def chosen_metric(counts: pd.DataFrame, metric: str) -> float:
    """The tuning metric of the final model on the choose part."""
    choose = counts[counts["part"] == "choose"].groupby("bin")[["rows", "positives"]].sum().sort_index(ascending=False)
    positives = choose["positives"].to_numpy("float64")
    measure = {"average_precision": metrics.average_precision, "roc_auc": metrics.roc_auc}[metric]
    return float(measure(positives, choose["rows"].to_numpy("float64") - positives))


class Table:
    """Counts of one model as (units, bins) arrays, bins from the highest score down; units are days or blocks."""

    def __init__(self, counts: pd.DataFrame, units: np.ndarray, unit: str = "day") -> None:
        bins = np.sort(counts["bin"].unique())[::-1]
        row = np.searchsorted(units, counts[unit].to_numpy())
        column = len(bins) - 1 - np.searchsorted(bins[::-1], counts["bin"].to_numpy())
        self.margins = bin_margin(bins)
        self.positives = np.zeros((len(units), len(bins)))
        self.lost = np.zeros_like(self.positives)
        self.total = np.zeros_like(self.positives)
        np.add.at(self.total, (row, column), counts["rows"].to_numpy("float64"))
        np.add.at(self.positives, (row, column), counts["positives"].to_numpy("float64"))
        np.add.at(self.lost, (row, column), counts["lost"].to_numpy("float64"))
        self.negatives = self.total - self.positives
