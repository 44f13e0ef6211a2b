"""The final fit from Delta to a booster: distributed, with its checks and its order of rows, beside the same fit in one
process, and beside `xgboost.spark` left to itself.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from benchmarks.scoring import FEATURES
from finlake.models.boosting import fit_distributed, fit_here, spark_classifier
from finlake.models.sample import Part

WORKERS = 2
PARAMETERS = {"rounds": 100, "max_depth": 6, "learning_rate": 0.1, "max_bin": 256}


def training_set(features: DataFrame) -> DataFrame:
    """Four fifths to train and one to choose, with a label that two features and chance explain."""
    chance = F.pmod(F.xxhash64("decision_key", F.lit("chance")), F.lit(2_001)) / 1_000 - 1
    part = F.when(F.pmod(F.xxhash64("decision_key"), F.lit(5)) == 0, "choose").otherwise("train")
    label = (F.col("f0") + F.col("f1") * F.col("f2") + chance > 2).cast("int")
    return features.select("decision_key", part.alias("part"), label.alias("label"), *FEATURES)


def ours(table: DataFrame) -> str:
    return fit_distributed(table, FEATURES, PARAMETERS, workers=WORKERS, seed=7).digest


def one_process(table: DataFrame) -> str:
    """All rows to the driver, and xgboost with as many threads as the distributed fit has workers."""

    def part(name: str) -> Part:
        rows = table.where(F.col("part") == name).select("label", *FEATURES).toPandas()
        return rows[FEATURES].to_numpy("float32"), rows["label"].to_numpy("float64"), np.ones(len(rows))

    return fit_here(part("train"), part("choose"), FEATURES, PARAMETERS, seed=7, threads=WORKERS).digest


def left_to_itself(table: DataFrame) -> object:
    """Neither sharded nor sorted nor checked: another booster for other files."""
    values = F.array(*(F.col(name).cast("float") for name in FEATURES)).alias("features")
    data = table.select("label", (F.col("part") == "choose").alias("choose_row"), values)
    return spark_classifier(FEATURES, PARAMETERS, workers=WORKERS, seed=7).fit(data)
