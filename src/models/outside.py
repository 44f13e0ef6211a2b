"""Predictions made elsewhere, brought to the test rows that finlake's own models are measured on."""

from __future__ import annotations

import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.errors import TrainingError, suggestion
from finlake.models.score_counts import CHAMPION, LOGISTIC, MODEL, RULE

MARGIN = "_outside_margin"
_EXAMPLES = 5
_TINY = 1e-8


def check_name(name: str) -> None:
    """A name for the leaderboard.

    Raises:
        TrainingError: it is one of finlake's own, or not letters, digits and underscores.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise TrainingError(
            f"a model's name is letters, digits and underscores, got {name!r}; for example lightgbm_depth_6"
        )
    if name in (MODEL, LOGISTIC, RULE, CHAMPION):
        raise TrainingError(f"the name {name!r} belongs to a model of finlake's own; call yours something else")


def with_predictions(frame: DataFrame, predictions: DataFrame) -> tuple[DataFrame, str]:
    """The training set with column `_outside_margin`, which is null outside the test; and what was given.

    A `probability` becomes its log odds. Of a `score` only the order counts; it is squeezed onto the bins of margins by
    asinh around its median.

    Args:
        frame: the stored training set: decision_key, decision_ts, part, label.
        predictions: decision_key, probability or score, and decision_ts if one decision has several. Rows of other
            decisions are left out.

    Returns:
        the frame, and `probability` or `score`.

    Raises:
        TrainingError: a column is missing, a test row has no prediction or several, or one is no number; the message
            counts them and shows some keys.
    """
    kind = _kind(predictions)
    keys = ["decision_key", *(["decision_ts"] if "decision_ts" in predictions.columns else [])]
    tested = frame.where("part = 'test' AND label IS NOT NULL").select(*keys)
    given = predictions.select(
        F.col("decision_key").cast("string").alias("decision_key"),
        *(F.col(key) for key in keys[1:]),
        F.col(kind).cast("double").alias("_given"),
    )
    found = tested.join(given.withColumn("_there", F.lit(True)), keys, "left")
    by_key = found.groupBy(*keys).agg(F.count("_there").alias("times"), F.first("_given").alias("value"))
    wrong = {
        "no prediction": F.col("times") == 0,
        "several predictions": F.col("times") > 1,
        f"a {kind} that is empty, NaN or infinite": (F.col("times") == 1) & ~_number(F.col("value")),
    }
    if kind == "probability":
        outside = _number(F.col("value")) & ~F.col("value").between(0, 1)
        wrong["a probability below 0 or above 1"] = (F.col("times") == 1) & outside
    _refuse(by_key, wrong)
    value = F.col("_given")
    margin = _log_odds(value) if kind == "probability" else _squeezed(by_key, value)
    joined = frame.join(given, keys, "left")
    return joined.withColumn(MARGIN, F.when(F.col("part") == "test", margin)).drop("_given"), kind


def _kind(predictions: DataFrame) -> str:
    if "decision_key" not in predictions.columns:
        hint = suggestion("decision_key", predictions.columns)
        raise TrainingError(
            f"predictions need the column decision_key; they have {', '.join(predictions.columns)}{hint}"
        )
    kinds = [name for name in ("probability", "score") if name in predictions.columns]
    if len(kinds) != 1:
        said = "both" if kinds else f"neither, only {', '.join(predictions.columns)}"
        raise TrainingError(
            f"predictions need a column probability (0 to 1) or score (higher is riskier); they have {said}"
        )
    return kinds[0]


def _refuse(by_key: DataFrame, wrong: dict[str, Column]) -> None:
    numbers = [F.sum(condition.cast("bigint")).alias(f"n{place}") for place, condition in enumerate(wrong.values())]
    counted = by_key.agg(F.count(F.lit(1)).alias("rows"), *numbers).first()
    assert counted is not None
    said = []
    for place, (about, condition) in enumerate(wrong.items()):
        number = counted[f"n{place}"] or 0
        if number:
            some = by_key.where(condition).orderBy("decision_key").limit(_EXAMPLES).collect()
            shown = ", ".join(row["decision_key"] for row in some)
            said.append(f"{number:,} of {counted['rows']:,} test rows have {about} (for example {shown})")
    if said:
        raise TrainingError(
            f"{'; '.join(said)}. An outside model is measured on the very rows that finlake's are: predict each row of "
            "features.training_<use case> with part = 'test' once"
        )


def _number(value: Column) -> Column:
    return value.isNotNull() & ~F.isnan(value) & (F.abs(value) < float("inf"))


def _log_odds(value: Column) -> Column:
    inside = F.least(F.greatest(value, F.lit(_TINY)), F.lit(1 - _TINY))
    return F.log(inside / (1 - inside))


def _squeezed(by_key: DataFrame, value: Column) -> Column:
    found = by_key.agg(
        F.percentile_approx("value", [0.25, 0.5, 0.75], 10_000).alias("q"),
        F.min("value").alias("a"),
        F.max("value").alias("b"),
    ).first()
    assert found is not None
    low, middle, high = found["q"]
    spread = (high - low) or (found["b"] - found["a"]) or 1.0
    return 1.5 * F.asinh(10 * (value - F.lit(middle)) / F.lit(spread))
