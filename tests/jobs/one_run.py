"""What one undisturbed run of the small lake leaves: the measure of every other way to run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from finlake.lakehouse import table_digest

TABLES = (
    "bronze.claims", "bronze.policies", "silver.claims", "silver.policies", "quarantine.claims", "gold.claims_by_day",
    "gold.best_days",
)  # fmt: skip
FEATURES = (*TABLES, "features.claim_fraud")
VOLATILE = ("_arrived_at", "_quarantined_at", "_released_at")


@dataclass(frozen=True)
class OneRun:
    """The run's lake, the folder it began in, the version of its wheel, what it said and its tables' digests."""

    lake: Path
    folder: Path
    version: str
    said: str
    digests: dict[str, str]


def digests(spark: SparkSession, lake: Path, tables: tuple[str, ...] = TABLES) -> dict[str, str]:
    """Table -> digest, and how many batches do not add up."""
    wrong = spark.read.format("delta").load(str(lake / "ops" / "batches")).where("NOT adds_up").count()
    found = {"batches that do not add up": str(wrong)}
    for name in tables:
        frame = spark.read.format("delta").load(str(lake / name.replace(".", "/")))
        found[name] = table_digest(frame, exclude=VOLATILE)
    return found
