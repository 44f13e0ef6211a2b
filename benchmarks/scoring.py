"""Batch scoring from Delta to Delta: ours decides, calibrates and gives reasons; beside it the raw booster alone, and the
transform of `xgboost.spark`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import xgboost
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from xgboost.spark import SparkXGBClassifier, SparkXGBClassifierModel

from finlake.config import Config
from finlake.lakehouse import Lake
from finlake.models.artefact import Artefact, Card
from finlake.models.calibration import isotonic
from finlake.pipelines.score_rows import Run, write_scores
from finlake.pipelines.step import Step

FEATURES = [f"f{place}" for place in range(20)]
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def feature_table(spark: SparkSession, rows: int, folder: str) -> None:
    """Decisions of 30 days with 20 features."""
    number = F.col("id")
    when = F.timestamp_seconds(F.lit(1_700_000_000) + F.pmod(F.xxhash64(number), F.lit(30 * 86_400)))
    drawn = [(F.pmod(F.xxhash64(number, F.lit(name)), F.lit(4_001)) / 1_000 - 2).alias(name) for name in FEATURES]
    table = spark.range(rows).select(
        number.cast("string").alias("decision_key"),
        F.pmod(number, F.lit(max(rows // 50, 1))).cast("string").alias("merchant"),
        when.alias("event_ts"),
        when.alias("decision_ts"),
        F.lit("measured").alias("_definition"),
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


def ours(lake: Lake, table: str, artefact: Artefact, config: Config) -> None:
    """What the step score does with a new table: probability, log odds, the day's alerts, reasons for these, one commit."""
    use_case = config.use_case("measured")
    lake.drop(f"scores.{use_case.use_case}")
    step = Step(lake, config, NOW, "score")
    run = Run(step, use_case, artefact, "1", champion=True, render=lambda name, *_: name)
    write_scores(run, lake.spark.read.format("delta").load(table), None)


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


def transform(table: DataFrame, artefact: Artefact, out: str) -> None:
    """`xgboost.spark` with the same booster: a key, and what its transform adds of log odds and probability."""
    fitted = xgboost.XGBClassifier(n_jobs=1)
    fitted.load_model(bytearray(artefact.booster))
    # what its fit does with the booster that came of it
    model = SparkXGBClassifier(features_col=FEATURES)._copyValues(SparkXGBClassifierModel(fitted))
    made = model.transform(table.select("decision_key", *FEATURES)).select(
        "decision_key", "rawPrediction", "probability"
    )
    made.write.format("delta").mode("overwrite").save(out)
