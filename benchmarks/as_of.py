"""A look-up as of a decision (a limit that changes), beside DuckDB's ASOF JOIN, which goes by one clock."""

from __future__ import annotations

import argparse
import tempfile

import duckdb
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.measure import compare
from benchmarks.payments import configuration, count, generated, silver
from finlake.config import Config, FeatureGroup, Source
from finlake.features.build import build_features
from finlake.features.decisions import decisions
from finlake.lakehouse.session import open_session

LIMITS = {
    "source": "limits",
    "about": "What each merchant may take, set again and again.",
    "owner": "nobody@example.invalid",
    "read": {"from": "limits", "format": "parquet"},
    "columns": {
        "merchant": {"type": "integer", "required": True},
        "set_at": {"type": "timestamp", "required": True},
        "level": {"type": "number", "required": True},
    },
    "key": ["merchant", "set_at"],
    "happened_at": "set_at",
    "known_at": "set_at",
}
GROUP = {
    "group": "limits",
    "about": "The limit in force.",
    "entity": "merchant",
    "source": "limits",
    "features": {"limit_in_force": {"lookup": "level"}},
}


def with_limits(config: Config) -> Config:
    config.sources["limits"] = Source.model_validate(LIMITS)
    config.groups["limits"] = FeatureGroup.model_validate(GROUP)
    measured = config.use_case("measured")
    config.use_cases["measured"] = measured.model_copy(
        update={"features": ["limits"], "baseline_rule": "limit_in_force >= 5"}
    )
    return config


def limits(spark: SparkSession, rows: int, merchants: int) -> DataFrame:
    number = F.col("id")
    seconds = F.pmod(F.xxhash64(number, F.lit("set")), F.lit(180 * 86_400))
    at = F.timestamp_seconds(F.lit(1_700_000_000) + seconds)
    return spark.range(rows).select(
        F.pmod(F.xxhash64(number, F.lit("whose")), F.lit(merchants)).alias("merchant"),
        at.alias("set_at"),
        (F.pmod(number, F.lit(1_000)) * 10).cast("double").alias("level"),
        at.alias("event_ts"),
        at.alias("known_from"),
        F.lit(None).cast("timestamp").alias("known_to"),
        number.cast("string").alias("_row_id"),
    )


def main() -> None:
    """Prints seconds of ours, of DuckDB's, and their ratio."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.as_of", description=__doc__)
    options.add_argument("--decisions", type=int, default=100_000)
    options.add_argument("--rows", type=int, default=1_000_000, help="rows that are looked up in")
    options.add_argument("--repeat", type=int, default=3)
    given = options.parse_args()
    config, spark = with_limits(configuration()), open_session()
    use_case, scored = config.use_case("measured"), config.source("payments")
    with tempfile.TemporaryDirectory() as folder:
        paid, held = f"{folder}/paid", f"{folder}/limits"
        silver(generated(spark, given.decisions), scored).write.parquet(paid)
        limits(spark, given.rows, max(given.decisions // 200, 1) + 1).write.parquet(held)

        def ours() -> None:
            versions = {"payments": spark.read.parquet(paid), "limits": spark.read.parquet(held)}
            count(build_features(decisions(versions["payments"], use_case, scored), versions, use_case, config))

        def theirs() -> None:
            with duckdb.connect() as connection:
                connection.execute("SET threads = 2").execute(
                    "CREATE TABLE answer AS SELECT p.payment, l.level "
                    f"FROM (SELECT * FROM '{paid}/*.parquet' WHERE known_to IS NULL) p "
                    f"ASOF LEFT JOIN '{held}/*.parquet' l ON p.merchant = l.merchant AND p.event_ts > l.set_at"
                )

        what = f"look-up of {given.decisions:,} decisions in {given.rows:,} rows"
        compare(what, ours, {"DuckDB's ASOF JOIN": theirs}, given.repeat)


if __name__ == "__main__":
    main()
