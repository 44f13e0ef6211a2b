"""Rows of a training set in this process: all of them, or as many as fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.models.served import clean

Part = tuple[np.ndarray, np.ndarray, np.ndarray]  # matrix, labels, weights
LOSS_WEIGHT = "_loss_weight"
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Rows:
    """Rows in the order of their keys.

    Attributes:
        matrix: float32, rows × features; what is missing or infinite is NaN.
        labels: 0 or 1.
        weights: how many rows of the whole each one stands for; 1 where none was left out.
        loss: `weights` times the weight that the use case gives a row in the loss.
        days: business day of each event, counted from 1970.
        span: first and last business day of the whole part, also of rows that were left out.
        complete: no row was left out.
    """

    matrix: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    loss: np.ndarray
    days: np.ndarray
    span: tuple[date, date]
    complete: bool = True

    @property
    def part(self) -> Part:
        """What is measured on: the whole part, whatever counts more in the loss."""
        return self.matrix, self.labels, self.weights

    @property
    def learnt(self) -> Part:
        """What a booster is fitted on."""
        return self.matrix, self.labels, self.loss

    def between(self, since: date, until: date) -> Rows:
        """Rows of the days [since, until)."""
        low, high = (since - _EPOCH).days, (until - _EPOCH).days
        kept = (self.days >= low) & (self.days < high)
        return Rows(
            self.matrix[kept], self.labels[kept], self.weights[kept], self.loss[kept], self.days[kept],
            (since, until - timedelta(days=1)), self.complete,
        )  # fmt: skip


def bounded_rows(frame: DataFrame, features: Sequence[str], rows: int, zone: str = "UTC") -> dict[str, Rows]:
    """Train and choose, at most about `rows` rows of each, chosen by hash of the row's key.

    Positives are kept before negatives, because they are few; weights make up for what was left out.

    Args:
        frame: decision_key, event_ts, label, part, features, and LOSS_WEIGHT where rows count differently.
        features: columns of the matrix, in this order.
        rows: most rows of a part.
        zone: the business zone that days are counted in.
    """
    labelled = frame.where(F.col("part").isin("train", "choose") & F.col("label").isNotNull())
    day = F.datediff(F.to_date(F.from_utc_timestamp("event_ts", zone)), F.lit(_EPOCH))
    labelled = labelled.withColumn("_day", day)
    counted = (
        labelled.groupBy("part", "label")
        .agg(F.count(F.lit(1)).alias("rows"), F.min("_day").alias("first"), F.max("_day").alias("last"))
        .collect()
    )
    rates = _rates({(row["part"], int(row["label"])): int(row["rows"]) for row in counted}, rows)
    rate = F.lit(1.0)
    for (part, label), share in rates.items():
        rate = F.when((F.col("part") == part) & (F.col("label") == label), F.lit(share)).otherwise(rate)
    drawn = F.pmod(F.xxhash64(F.lit("sample"), "decision_key"), F.lit(1_000_000)) / 1e6
    loss = F.col(LOSS_WEIGHT) if LOSS_WEIGHT in frame.columns else F.lit(1.0)
    values = [F.col(f"`{name}`").cast("float").alias(f"x_{name}") for name in features]
    chosen = labelled.withColumn("_rate", rate).where(drawn < F.col("_rate"))
    table = chosen.select(
        "decision_key", "part", F.col("label").cast("int"), "_rate", "_day", loss.alias("_loss"), *values
    ).toPandas()
    table = table.sort_values("decision_key", kind="stable")
    parts: dict[str, Rows] = {}
    for part in ("train", "choose"):
        some = table[table["part"] == part]
        matrix = clean(some[[f"x_{name}" for name in features]].to_numpy(dtype="float32", na_value=np.nan))
        weights = 1.0 / some["_rate"].to_numpy("float64")
        ends = [row[end] for row in counted if row["part"] == part for end in ("first", "last")] or [0]
        parts[part] = Rows(
            matrix, some["label"].to_numpy("float64"), weights, weights * some["_loss"].to_numpy("float64"),
            some["_day"].to_numpy("int64"), (_date(min(ends)), _date(max(ends))),
            all(rates[part, label] == 1.0 for label in (0, 1)),
        )  # fmt: skip
    return parts


def _rates(counts: dict[tuple[str, int], int], rows: int) -> dict[tuple[str, int], float]:
    """Share of each part's positives and negatives that is kept."""
    rates: dict[tuple[str, int], float] = {}
    for part in ("train", "choose"):
        positive, negative = counts.get((part, 1), 0), counts.get((part, 0), 0)
        kept = min(positive, max(rows // 2, rows - negative))
        rates[part, 1] = kept / positive if positive else 1.0
        rates[part, 0] = min(1.0, (rows - kept) / negative) if negative else 1.0
    return rates


def _date(days: int) -> date:
    return _EPOCH + timedelta(days=int(days))
