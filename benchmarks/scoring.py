"""Batch scoring from Delta to Delta: ours decides, calibrates and gives reasons; beside it the raw booster alone."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import xgboost
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import scoring
from finlake.models.artefact import Artefact, Card
from finlake.models.calibration import isotonic
from finlake.models.explain import REASONS, reasons

FEATURES = [f"f{place}" for place in range(20)]


def feature_table(spark: SparkSession, rows: int, folder: str) -> None:
    """Decisions of 30 days with 20 features."""
    number = F.col("id")
    when = F.timestamp_seconds(F.lit(1_700_000_000) + F.pmod(F.xxhash64(number), F.lit(30 * 86_400)))
    drawn = [(F.pmod(F.xxhash64(number, F.lit(name)), F.lit(4_001)) / 1_000 - 2).alias(name) for name in FEATURES]
    table = spark.range(rows).select(
        number.cast("string").alias("decision_key"),
        F.pmod(number, F.lit(max(rows // 50, 1))).cast("string").alias("entity"),
        when.alias("decision_ts"),
        *drawn,
    )
    table.write.format("delta").save(folder)


def learnt() -> Artefact:
    """A hundred trees and an isotonic calibration, fitted on draws of the table's kind."""
    draw = np.random.default_rng(7)
    matrix = draw.uniform(-2, 2, size=(60_000, len(FEATURES))).astype("float32")
    label = (matrix[:, 0] + draw.normal(size=len(matrix)) > 2).astype(int)
    settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "seed": 7}
    booster = xgboost.train(settings, xgboost.DMatrix(matrix[:50_000], label[:50_000], feature_names=FEATURES), 100)
    margins = booster.inplace_predict(matrix[50_000:], predict_type="margin", validate_features=False)
    calibration = isotonic(margins, label[50_000:], 1 - label[50_000:])
    card = Card("measured", FEATURES, 100, "", calibration, {}, {}, dict.fromkeys(FEATURES))
    return Artefact(bytes(booster.save_raw("ubj")), card)


def ours(table: DataFrame, artefact: Artefact, use_case: UseCase, out: str) -> None:
    """What the step score writes: probability, log odds, the day's alerts, and reasons for these."""
    rows = scoring.probabilities(table, ["decision_key", "entity", "decision_ts"], artefact)
    decided = scoring.decided(scoring.kind_of(rows, None, in_charge=True), use_case)
    key = ["decision_key", "decision_ts"]
    acted = decided.where("decision = 'alert'").select(*key)
    said = reasons(table.join(acted, key), key, artefact, lambda name, *_: name)
    complete = decided.join(said, key, "left").withColumn("reasons", F.col("reasons").cast(REASONS))
    complete.write.format("delta").mode("overwrite").save(out)


def raw(table: DataFrame, artefact: Artefact, out: str) -> None:
    """The booster in Arrow batches: a key and a score."""
    taken = table.select("decision_key", *(F.col(name).cast("float").alias(name) for name in FEATURES))

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        booster = xgboost.Booster(params={"nthread": 1})
        booster.load_model(bytearray(artefact.booster))
        for batch in batches:
            matrix = np.column_stack([batch.column(name).to_numpy(zero_copy_only=False) for name in FEATURES])
            score = pa.array(booster.inplace_predict(matrix, validate_features=False).astype("float64"))
            yield pa.RecordBatch.from_arrays([batch.column("decision_key"), score], ["decision_key", "score"])

    made = taken.mapInArrow(run, "decision_key string, score double")
    made.write.format("delta").mode("overwrite").save(out)
