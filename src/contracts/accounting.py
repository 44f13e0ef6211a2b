"""Every received row is in silver, superseded there, a noted duplicate or in quarantine: counted, not assumed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Account:
    """Where the rows of one batch are."""

    batch: str
    received: int
    silver: int = 0
    superseded: int = 0
    duplicate: int = 0
    quarantined: int = 0

    @property
    def adds_up(self) -> bool:
        return self.received == self.silver + self.superseded + self.duplicate + self.quarantined

    def __str__(self) -> str:
        places = f"{self.silver:,} in silver + {self.superseded:,} superseded + {self.duplicate:,} duplicates"
        return f"batch {self.batch}: {self.received:,} received, but {places} + {self.quarantined:,} in quarantine"


def count_silver(silver: DataFrame) -> DataFrame:
    """Per batch: rows that are the latest version of their key, and rows that were superseded."""
    rows, latest = F.count_if(F.col("_part") == 0), F.count_if(F.col("known_to").isNull())
    return silver.groupBy(F.col("_batch").alias("batch")).agg(
        latest.alias("silver"), (rows - latest).alias("superseded")
    )


def count_duplicates(duplicates: DataFrame, source: str) -> DataFrame:
    mine = duplicates.where((F.col("source") == source) & F.col("same_values"))
    return mine.groupBy("batch").agg(F.count(F.lit(1)).alias("duplicate"))


def count_quarantined(quarantine: DataFrame) -> DataFrame:
    waiting = quarantine.where(F.col("_released_at").isNull())
    return waiting.groupBy(F.col("_batch").alias("batch")).agg(F.count(F.lit(1)).alias("quarantined"))


def accounts(received: dict[str, int], *counts: DataFrame) -> list[Account]:
    """One account for each batch of `received`; `counts` are frames of `batch` and counts, read in one query."""
    names = ("silver", "superseded", "duplicate", "quarantined")
    parts = [
        frame.select("batch", *[(F.col(n) if n in frame.columns else F.lit(0)).cast("bigint").alias(n) for n in names])
        for frame in counts
    ]
    together = reduce(DataFrame.unionByName, parts).groupBy("batch").agg(*[F.sum(name).alias(name) for name in names])
    found = {row["batch"]: row for row in together.collect()}
    return [
        Account(batch, rows, *[found[batch][name] for name in names] if batch in found else ())
        for batch, rows in sorted(received.items())
    ]
