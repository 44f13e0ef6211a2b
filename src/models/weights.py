"""How much each row counts in the loss."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.errors import TrainingError, suggestion
from finlake.models.frames import value_of
from finlake.models.sample import LOSS_WEIGHT


def weighted(frame: DataFrame, use_case: UseCase) -> DataFrame:
    """The frame with LOSS_WEIGHT, where `model.weights` is given; else as it is.

    `value`: a positive weighs its value over the mean value of the positives in train, a negative 1, so that positives
    weigh as much together as without. A column: its value over its mean in train. Weights act on what trees learn and on
    early stopping; trials are chosen, and models calibrated and measured, on rows that count once.

    Raises:
        TrainingError: the column is missing, or a weight is null, negative or infinite.
    """
    written = use_case.model.weights
    if written is None:
        return frame
    plain = value_of(frame.columns, use_case.policy.value) if written == "value" else _column(frame, written)
    counts = (F.col("label") == 1) if written == "value" else F.lit(True)
    weighing = F.col("part").isin("train", "choose") & F.col("label").isNotNull() & counts
    unsound = plain.isNull() | F.isnan(plain) | (plain < 0) | (plain == float("inf"))
    found = (
        frame.where(weighing)
        .agg(
            F.count_if(unsound).alias("unsound"),
            F.count(F.lit(1)).alias("rows"),
            F.avg(F.when(F.col("part") == "train", plain)).alias("mean"),
        )
        .first()
    )
    assert found is not None
    if found["unsound"] or not found["mean"]:
        what = f"policy.value {use_case.policy.value}" if written == "value" else written
        seen = f"{found['unsound']:,} of {found['rows']:,} rows are" if found["unsound"] else "its mean in train is"
        raise TrainingError(
            f"model.weights: {what} cannot weigh the loss: {seen} {'null, negative or infinite' if found['unsound'] else 0}; "
            "name a column that is known and not negative on every row"
        )
    return frame.withColumn(LOSS_WEIGHT, F.when(counts, plain / F.lit(float(found["mean"]))).otherwise(F.lit(1.0)))


def _column(frame: DataFrame, written: str) -> Column:
    bare = written.removeprefix("this.")
    for name in (bare, f"this_{bare}"):
        if name in frame.columns:
            return F.col(f"`{name}`").cast("double")
    raise TrainingError(
        f"model.weights {written!r} is not in the feature table{suggestion(bare, frame.columns)}; "
        "if it was named since the table was built: finlake features --rebuild"
    )
