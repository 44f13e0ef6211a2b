"""`make bench`: silver and windows beside DuckDB and Polars, scoring beside the raw booster, rows a second of each step."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks import scoring
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


def main() -> None:
    """Prints one line for each measurement: ours, the reference, their ratio."""
    options = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000, help="rows of the generated table")
    options.add_argument("--repeat", type=int, default=3, help="runs of each; the median counts")
    options.add_argument("--lake", type=Path, default=Path("lake"), help="a lake whose steps have run, for their speed")
    given = options.parse_args()
    config = configuration()
    spark = open_session()
    with tempfile.TemporaryDirectory() as folder:
        received, versions = f"{folder}/received", f"{folder}/versions"
        generated(spark, given.rows).write.parquet(received)
        silver(spark.read.parquet(received), config.source("payments")).write.parquet(versions)
        compare(
            f"silver: versions of {given.rows:,} rows, beside DuckDB",
            lambda: count(silver(spark.read.parquet(received), config.source("payments"))),
            lambda: duckdb_versions(received),
            given.repeat,
        )
        for name, beside in (("DuckDB", duckdb_windows), ("Polars", polars_windows)):
            compare(
                f"features: 5 windows over {given.rows:,} rows, beside {name}",
                lambda: count(windows(spark.read.parquet(versions), config)),
                partial(beside, versions),
                given.repeat,
            )
        table, artefact = f"{folder}/features", scoring.learnt()
        scoring.feature_table(spark, given.rows, table)
        read = spark.read.format("delta").load
        compare(
            f"scoring: {given.rows:,} rows × {len(scoring.FEATURES)}, Delta to Delta, beside the raw booster",
            lambda: scoring.ours(read(table), artefact, config.use_case("measured"), f"{folder}/scores"),
            lambda: scoring.raw(read(table), artefact, f"{folder}/raw"),
            given.repeat,
        )
    steps(given.lake)


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
