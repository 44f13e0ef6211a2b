"""Training sets as of a moment: features as known at each decision, labels as known at that moment, parts in time.

With entities held out, judged four ways: entities learnt from or not, in the days of training or later (the space-time
split of fklearn).
"""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import HoldOut
from finlake.features.splits import Bounds, Span

PARTS = ("train", "choose", "test")
HELD_OUT = "held_out"


def is_held_out(hold_out: HoldOut) -> Column:
    """Whether a row's entity is held out: by hash, so the same ones in every training set. Null is an entity too."""
    entity = F.xxhash64(F.col(f"`{hold_out.of}`").cast("string"), F.lit(HELD_OUT))
    return F.pmod(entity, F.lit(10_000)) < F.lit(round(hold_out.share * 10_000))


def training_set(
    features: DataFrame, labels: DataFrame, bounds: Bounds, as_of: datetime, hold_out: HoldOut | None = None
) -> DataFrame:
    """Decisions with a matured label, each in its part; those in a gap are in none and left out.

    A row whose label has not matured is left out even if it was already reported: keeping early positives without the
    negatives beside them would make positives look more frequent than they are.

    Args:
        features: rows of the feature table.
        labels: of `labels.labels`: decision_key, label, matured.
        bounds: of `splits.split_bounds`.
        as_of: aware moment; decisions after it are left out.
        hold_out: which entities neither train nor choose may see; their rows of those days are the part `held_out`.

    Returns:
        the feature table's columns, `label INT` and `part` (train, choose, test or held_out).
    """
    known = labels.filter(F.col("matured") & F.col("label").isNotNull()).select("decision_key", "label")
    part = F.coalesce(*(F.when(_inside(getattr(bounds, name)), name) for name in PARTS))
    if hold_out is not None:
        part = F.when(part.isin("train", "choose") & is_held_out(hold_out), HELD_OUT).otherwise(part)
    joined = features.filter(F.col("decision_ts") <= F.lit(as_of)).join(known, "decision_key")
    return joined.withColumn("part", part).filter(F.col("part").isNotNull())


def _inside(span: Span) -> Column:
    before = F.col("event_ts") < F.lit(span.until)
    return before if span.since is None else before & (F.col("event_ts") >= F.lit(span.since))
