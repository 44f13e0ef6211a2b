"""`make bench`: silver and windows beside DuckDB and Polars, the final fit beside one process, scoring beside the raw
booster, rows a second of each step.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks import scoring, training
from benchmarks.measure import compare, line
from benchmarks.payments import (
    configuration,
    count,
    duckdb_versions,
    duckdb_windows,
    generated,
    polars_windows,
    silver,
    windows,
)
from finlake.config import Config, Target
from finlake.lakehouse import open_lake
from finlake.lakehouse.session import open_session

PARTS = ("silver", "features", "training", "scoring", "steps")


def main() -> None:
    """Prints one line for each measurement: ours, the reference, their ratio."""
    options = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000, help="rows of the generated table")
    options.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    options.add_argument("--lake", type=Path, default=Path("lake"), help="a lake whose steps have run, for their speed")
    options.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="what to measure; default: all")
    options.add_argument("--alone", action="store_true", help="silver and features without their references")
    given = options.parse_args()
    spark = open_session()
    with tempfile.TemporaryDirectory() as folder:
        if {"silver", "features"} & set(given.only):
            payments(spark, Path(folder), given)
        if "training" in given.only:
            fitted(spark, Path(folder), given.rows, given.repeat)
        if "scoring" in given.only:
            scored(spark, Path(folder), given.rows, given.repeat)
    if "steps" in given.only:
        steps(given.lake)


def payments(spark: SparkSession, folder: Path, given: argparse.Namespace) -> None:
    """Silver and windows."""
    config, rows = configuration(), given.rows
    received, versions = f"{folder}/received", f"{folder}/versions"
    generated(spark, rows).write.parquet(received)
    silver(spark.read.parquet(received), config.source("payments")).write.parquet(versions)
    if "silver" in given.only:
        compare(
            f"silver: versions of {rows:,} rows",
            lambda: count(silver(spark.read.parquet(received), config.source("payments"))),
            {} if given.alone else {"DuckDB": lambda: duckdb_versions(received)},
            given.repeat,
        )
    if "features" in given.only:
        compare(
            f"features: 5 windows over {rows:,} rows",
            lambda: count(windows(spark.read.parquet(versions), config)),
            {}
            if given.alone
            else {"DuckDB": lambda: duckdb_windows(versions), "Polars": lambda: polars_windows(versions)},
            given.repeat,
        )


def fitted(spark: SparkSession, folder: Path, rows: int, repeat: int) -> None:
    """From the training set to a booster."""
    stored = f"{folder}/decisions"
    scoring.feature_table(spark, rows, stored)
    training.training_set(spark.read.format("delta").load(stored)).write.format("delta").save(f"{folder}/training")
    table = spark.read.format("delta").load(f"{folder}/training")
    compare(
        f"training: {rows:,} rows × {len(scoring.FEATURES)}, {training.WORKERS} workers",
        lambda: training.ours(table),
        {
            "one process": lambda: training.one_process(table),
            "xgboost.spark left to itself": lambda: training.left_to_itself(table),
        },
        repeat,
    )


def scored(spark: SparkSession, folder: Path, rows: int, repeat: int) -> None:
    """From features to scores."""
    table, artefact = f"{folder}/features", scoring.learnt()
    scoring.feature_table(spark, rows, table)
    read = spark.read.format("delta").load
    config = configuration()
    lake = open_lake(replace(config, target=config.target.model_copy(update={"lake": f"{folder}/lake"})), spark)
    compare(
        f"scoring: {rows:,} rows × {len(scoring.FEATURES)}, Delta to Delta",
        lambda: scoring.ours(lake, table, artefact, config),
        {
            "the raw booster": lambda: scoring.raw(read(table), artefact, f"{folder}/raw"),
            "xgboost.spark": lambda: scoring.transform(read(table), artefact, f"{folder}/transformed"),
        },
        repeat,
    )


def steps(lake: Path) -> None:
    """Rows a second of the longest run of each step, from the lake's own record."""
    if not (lake / "ops" / "runs").is_dir():
        line(f"steps: no lake at {lake}; run `make demo` first")
        return
    opened = open_lake(Config(lake, Target(target="local", lake=str(lake))))
    query = (
        "SELECT step, max(seconds) AS seconds, max_by(writes, seconds) AS writes FROM ops.runs "
        "WHERE status = 'ok' GROUP BY step ORDER BY min(started_at)"
    )
    for row in opened.sql(query).collect():
        data = [name for name in row["writes"] if not name.startswith("ops.")]
        rows = sum(opened.read(name).count() for name in data)
        if rows:
            speed = rows / row["seconds"]
            line(f"step {row['step']:10} {row['seconds']:8.1f} s {rows:12,} rows {speed:12,.0f} rows a second")


if __name__ == "__main__":
    main()
