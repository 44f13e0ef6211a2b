"""Distributed XGBoost that gives the same booster for the same rows, however they are stored."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.errors import TrainingError, UnknownNameError
from finlake.models.sample import LOSS_WEIGHT, Part
from finlake.models.search_stopping import EVERY

if TYPE_CHECKING:
    from xgboost.spark import SparkXGBClassifier

Parameters = Mapping[str, float]
Watch = Callable[[int, np.ndarray], bool]
WHOLE = ("max_depth", "max_bin", "rounds")
_PATIENCE = 25


@dataclass(frozen=True)
class Fit:
    """A booster cut to its useful rounds, as bytes."""

    booster: bytes
    features: tuple[str, ...]
    rounds: int
    digest: str


def fit_distributed(
    frame: DataFrame,
    features: Sequence[str],
    parameters: Parameters,
    *,
    workers: int,
    seed: int,
    row_id: str = "decision_key",
    constraints: Mapping[str, int] | None = None,
) -> Fit:
    """Fits on `part` = train and stops early on `part` = choose; `label` is 0 or 1.

    The booster depends on the rows, the parameters, `workers` and the build of xgboost; not on files, partitions or
    shuffle settings: rows are sharded and sorted by `row_id`. Nulls and infinities are missing values. Where the frame
    has the column LOSS_WEIGHT, rows weigh by it in the loss, also in early stopping.

    Raises:
        TrainingError: no classic cluster, too few slots, ids not unique, a shard or class without rows.
    """
    logging.getLogger("XGBoost-PySpark").setLevel(logging.WARNING)
    check_slots(frame.sparkSession, workers)
    rows = frame.where(F.col("part").isin("train", "choose") & F.col("label").isNotNull())
    check_rows(rows, row_id, workers)
    # One array: with a list of columns xgboost 3.2 fails on an Arrow batch that holds rows of one part only.
    values = F.array(*(_finite(name) for name in features)).alias("features")
    chosen = (F.col("part") == "choose").alias("choose_row")
    weight = [F.col(LOSS_WEIGHT).cast("float").alias(LOSS_WEIGHT)] if LOSS_WEIGHT in frame.columns else []
    data = rows.select(row_id, F.col("label").cast("int").alias("label"), chosen, values, *weight)
    sharded = data.repartition(workers, F.col(row_id)).sortWithinPartitions(row_id)
    classifier = spark_classifier(
        features, parameters, workers=workers, seed=seed, constraints=constraints, weighted=bool(weight)
    )
    return finish(classifier.fit(sharded).get_booster(), features)


def spark_classifier(
    features: Sequence[str],
    parameters: Parameters,
    *,
    workers: int,
    seed: int,
    constraints: Mapping[str, int] | None = None,
    weighted: bool = False,
) -> SparkXGBClassifier:
    """The estimator, which takes partitions as they are: repartitioning by itself, it would shuffle rows at random."""
    from xgboost.spark import SparkXGBClassifier

    made = _booster_parameters(features, parameters, constraints or {})
    return SparkXGBClassifier(
        features_col="features",
        label_col="label",
        validation_indicator_col="choose_row",
        **({"weight_col": LOSS_WEIGHT} if weighted else {}),
        num_workers=workers,
        missing=float("nan"),
        tree_method="hist",
        eval_metric="logloss",
        early_stopping_rounds=_PATIENCE,
        random_state=seed,
        verbosity=0,
        verbose=False,
        n_estimators=int(parameters["rounds"]),
        **made,
    )


def fit_here(
    train: Part,
    choose: Part,
    features: Sequence[str],
    parameters: Parameters,
    *,
    seed: int,
    constraints: Mapping[str, int] | None = None,
    threads: int = 1,
    watch: Watch | None = None,
) -> Fit:
    """The same fit in this process, on (matrix, labels, weights) that fit its memory.

    `watch` gets, every ten rounds, their number and the margins on choose; the fit ends where it answers True.
    """
    bins = int(parameters.get("max_bin", 256))
    data = xgb.QuantileDMatrix(train[0], train[1], weight=train[2], max_bin=bins, missing=np.nan, nthread=threads)
    held = xgb.QuantileDMatrix(
        choose[0], choose[1], weight=choose[2], max_bin=bins, missing=np.nan, nthread=threads, ref=data
    )
    booster = xgb.train(
        {
            **_booster_parameters(features, parameters, constraints or {}),
            "objective": "binary:logistic", "tree_method": "hist", "eval_metric": "logloss",
            "seed": seed, "nthread": threads, "verbosity": 0,
        },
        data,
        num_boost_round=int(parameters["rounds"]),
        evals=[(held, "choose")],
        early_stopping_rounds=_PATIENCE,
        verbose_eval=False,
        callbacks=[_Looks(held, watch)] if watch else None,
    )  # fmt: skip
    return finish(booster, features)


class _Looks(xgb.callback.TrainingCallback):
    """Hands margins to a watch; xgboost adds up those of known rows as trees come, so a look costs little."""

    def __init__(self, held: xgb.DMatrix, watch: Watch) -> None:
        super().__init__()
        self._held, self._watch = held, watch

    def after_iteration(self, model: xgb.Booster, epoch: int, evals_log: Any) -> bool:
        if (epoch + 1) % EVERY:
            return False
        return self._watch(epoch + 1, np.asarray(model.predict(self._held, output_margin=True), dtype="float64"))


def finish(booster: xgb.Booster, features: Sequence[str]) -> Fit:
    """Cuts the booster to its best round, so that nothing can predict with the rounds after it."""
    rounds = int(booster.best_iteration) + 1
    cut = booster[:rounds]
    cut.feature_names = list(features)
    return Fit(bytes(cut.save_raw("ubj")), tuple(features), rounds, booster_digest(cut))


def booster_digest(booster: xgb.Booster) -> str:
    """sha256 of the trees and parameters, without the library's version and free attributes."""
    content = json.loads(booster.save_raw("json").decode("utf-8"))
    content.pop("version", None)
    content["learner"].pop("attributes", None)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def constraints_of(features: Sequence[str], increases: Sequence[str], decreases: Sequence[str]) -> dict[str, int]:
    """Feature -> 1 or -1.

    Raises:
        UnknownNameError: a name is not a feature of this model.
    """
    for name in [*increases, *decreases]:
        if name not in features:
            raise UnknownNameError("feature", name, features, "only_increases_with / only_decreases_with")
    return {**dict.fromkeys(increases, 1), **dict.fromkeys(decreases, -1)}


def check_slots(spark: SparkSession, workers: int) -> None:
    """Refuses what would hang or fail late: Spark Connect, and more workers than task slots."""
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        raise TrainingError(
            "distributed training needs a classic ML cluster with dedicated access; this session is Spark Connect or "
            "serverless compute. Run the training job on the cluster that resources/training.job.yml defines, or set "
            "model.fit: single_node, which fits on the driver what model.search.rows lets it hold"
        )
    slots = task_slots(spark)
    if workers > slots:
        raise TrainingError(
            f"model.workers is {workers}, but this cluster runs {slots} tasks at a time, so the fit would wait "
            f"for ever; lower workers to {slots} or fewer, or take a larger cluster"
        )


def task_slots(spark: SparkSession) -> int:
    context = spark.sparkContext._jsc.sc()
    profile = context.resourceProfileManager().resourceProfileFromId(0)
    return int(context.maxNumConcurrentTasks(profile))


def check_rows(rows: DataFrame, row_id: str, workers: int) -> None:
    """One aggregate over train and choose that refuses data on which a fit is unsound."""
    shard = F.pmod(F.hash(row_id), F.lit(workers)).alias("shard")  # the partitioning that repartition() uses
    positives = F.sum(F.col("label").cast("bigint")).alias("positives")
    counted = rows.groupBy(shard, "part").agg(F.count(F.lit(1)).alias("rows"), positives).collect()
    totals: dict[str, list[int]] = {"train": [0, 0], "choose": [0, 0]}
    for row in counted:
        totals[row["part"]][0] += row["rows"]
        totals[row["part"]][1] += row["positives"]
    for part, (count, positive) in totals.items():
        if positive in (0, count):
            seen = "no rows" if not count else f"{count:,} rows, all labelled {int(positive > 0)}"
            raise TrainingError(
                f"the {part} part has {seen}; it needs positives and negatives. Lengthen split.{part}, "
                "or check label.positive and how labels match the scored rows"
            )
    filled = {(row["shard"], row["part"]) for row in counted}
    for number in range(workers):
        for part in totals:
            if (number, part) not in filled:
                raise TrainingError(
                    f"worker {number} of {workers} would get no {part} rows ({totals[part][0]} in all); "
                    "lower model.workers"
                )
    total = sum(count for count, _ in totals.values())
    distinct = rows.select(row_id).distinct().count()
    if distinct != total:
        raise TrainingError(
            f"{row_id} must identify one row of the training set: {total:,} rows, {distinct:,} different ids; "
            "with repeated ids the fit cannot be repeated"
        )


def _finite(name: str) -> Any:
    """Float, NaN where missing or infinite: one infinity kills a fit. A double beyond float's range becomes one."""
    value = F.col(f"`{name}`").cast("float")
    return F.when(F.abs(value) < float("inf"), value).otherwise(F.lit(float("nan")).cast("float"))


def _booster_parameters(
    features: Sequence[str], parameters: Parameters, constraints: Mapping[str, int]
) -> dict[str, Any]:
    made: dict[str, Any] = {k: int(v) if k in WHOLE else float(v) for k, v in parameters.items() if k != "rounds"}
    if constraints:
        made["monotone_constraints"] = "(" + ",".join(str(constraints.get(name, 0)) for name in features) + ")"
    return made
