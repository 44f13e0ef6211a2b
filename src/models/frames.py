"""What training, evaluation and scoring do to frames alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

from finlake.config.use_case import UseCase
from finlake.errors import TrainingError, suggestion
from finlake.models.budget import Opening
from finlake.models.served import Scorer, clean

if TYPE_CHECKING:
    import pyarrow as pa

Margin = Callable[[np.ndarray], np.ndarray]


def business_day(moment: str, zone: str) -> Column:
    """Date of a UTC moment in the business zone."""
    return F.to_date(F.from_utc_timestamp(F.col(moment), zone))


def block_day(use_case: UseCase) -> Column:
    """The day that alerts and intervals count by: the queue day of an alert budget, else the business day."""
    if use_case.policy.alerts_per_day:
        return Opening.of(use_case.policy, use_case.zone).day("decision_ts")
    return business_day("decision_ts", use_case.zone)


def value_of(columns: Sequence[str], written: str | None) -> Column:
    """The policy's value as a double column; 0 where the use case names none or a row has none.

    Raises:
        TrainingError: no column of the frame is meant.
    """
    if written is None:
        return F.lit(0.0)
    return F.coalesce(F.col(f"`{value_name(columns, written)}`").cast("double"), F.lit(0.0))


def value_name(columns: Sequence[str], written: str) -> str:
    """`this.x` is the column `x`, or the feature `this_x`."""
    bare = written.removeprefix("this.")
    for name in (bare, f"this_{bare}"):
        if name in columns:
            return name
    raise TrainingError(f"policy.value {written!r} is not in the feature table{suggestion(bare, columns)}")


def with_margins(
    frame: DataFrame, keep: Sequence[str], models: Mapping[str, tuple[Sequence[str], Callable[[], Margin]]]
) -> DataFrame:
    """`keep` columns plus `margin_<model>` for each model, in Arrow batches.

    A model is its features and a function that makes the margin function where the batch is (once a task).
    """
    every = list(dict.fromkeys(name for features, _ in models.values() for name in features))
    taken = frame.select(
        *(F.col(f"`{name}`") for name in keep), *(F.col(f"`{name}`").cast("float").alias(f"x_{name}") for name in every)
    )
    fields = [taken.schema[name] for name in keep]
    schema = StructType([*fields, *(StructField(f"margin_{name}", DoubleType()) for name in models)])
    names, wanted = list(keep), dict(models)

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        import pyarrow

        made = {name: (list(features), build()) for name, (features, build) in wanted.items()}
        for batch in batches:
            found = {name: margin(batch_matrix(batch, features)) for name, (features, margin) in made.items()}
            columns = [batch.column(name) for name in names]
            arrays = [*columns, *(pyarrow.array(values, pyarrow.float64()) for values in found.values())]
            yield pyarrow.RecordBatch.from_arrays(arrays, [*names, *(f"margin_{name}" for name in found)])

    return taken.mapInArrow(run, schema)


def booster_margin(booster: bytes, features: Sequence[str], rounds: int) -> Callable[[], Margin]:
    """Makes the margin function of a booster's bytes; each task loads them once."""
    card = {"features": list(features), "rounds": rounds, "calibration": {"kind": "none"}, "policy": {}}

    def build() -> Margin:
        return Scorer(booster, card).margin

    return build


def batch_matrix(batch: pa.RecordBatch, features: Sequence[str]) -> np.ndarray:
    if not batch.num_rows:
        return np.empty((0, len(features)), dtype="float32")
    columns = [batch.column(f"x_{name}").to_numpy(zero_copy_only=False) for name in features]
    return clean(np.column_stack(columns).astype("float32", copy=False))
