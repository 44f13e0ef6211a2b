"""Every received row is in silver, superseded there, a noted duplicate or in quarantine: counted, not assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def accounts(received: Mapping[tuple[str, str], int], counts: Sequence[DataFrame]) -> list[tuple[str, Account]]:
    """One account for each (source, batch) of `received`; `counts` have source, batch and counts. One query for all."""
    names = ("silver", "superseded", "duplicate", "quarantined")
    parts = [
        frame.select(
            "source", "batch", *[(F.col(n) if n in frame.columns else F.lit(0)).cast("bigint").alias(n) for n in names]
        )
        for frame in counts
    ]
    together = reduce(DataFrame.unionByName, parts).groupBy("source", "batch").agg(*[F.sum(n).alias(n) for n in names])
    found = {(row["source"], row["batch"]): [row[name] for name in names] for row in together.collect()}
    return [(key[0], Account(key[1], rows, *found.get(key, ()))) for key, rows in sorted(received.items())]
