"""Training sets as of a moment: features as known at each decision, labels as known at that moment, parts in time."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.features.splits import Bounds, Span

PARTS = ("train", "choose", "test")


def training_set(features: DataFrame, labels: DataFrame, bounds: Bounds, as_of: datetime) -> DataFrame:
    """Decisions with a matured label, each in its part; those in a gap are in none and left out.

    A row whose label has not matured is left out even if it was already reported: keeping early positives without the
    negatives beside them would make positives look more frequent than they are.

    Args:
        features: rows of the feature table.
        labels: of `labels.labels`: decision_key, label, matured.
        bounds: of `splits.split_bounds`.
        as_of: aware moment; decisions after it are left out.

    Returns:
        the feature table's columns, `label INT` and `part` (train, choose or test).
    """
    known = labels.filter(F.col("matured") & F.col("label").isNotNull()).select("decision_key", "label")
    part = F.coalesce(*(F.when(_inside(getattr(bounds, name)), name) for name in PARTS))
    joined = features.filter(F.col("decision_ts") <= F.lit(as_of)).join(known, "decision_key")
    return joined.withColumn("part", part).filter(F.col("part").isNotNull())


def _inside(span: Span) -> Column:
    before = F.col("event_ts") < F.lit(span.until)
    return before if span.since is None else before & (F.col("event_ts") >= F.lit(span.since))
