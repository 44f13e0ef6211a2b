"""`make bench`: silver and windows beside DuckDB, scoring beside the raw booster, rows a second of each step."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import xgboost
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from ruamel.yaml import YAML

from finlake.config import Config, FeatureGroup, Source, Target, UseCase
from finlake.config.load import plain
from finlake.contracts.versions import silver_rows, timeline, with_clocks
from finlake.features.build import build_features
from finlake.features.decisions import decisions
from finlake.lakehouse import open_lake
from finlake.lakehouse.session import open_session
from finlake.models.served import Scorer


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
        compare(
            f"features: 5 windows over {given.rows:,} rows, beside DuckDB",
            lambda: count(windows(spark.read.parquet(versions), config)),
            lambda: duckdb_windows(versions),
            given.repeat,
        )
    scoring(given.rows, given.repeat)
    steps(given.lake)


def configuration() -> Config:
    """The models of conf.yml, as the loader would make them."""
    text = plain(YAML(typ="rt").load(Path(__file__).with_name("conf.yml").read_text("utf-8")))
    config = Config(Path(__file__).parent, Target.model_validate(text["target"]))
    config.sources["payments"] = Source.model_validate(text["source"])
    config.groups["habits"] = FeatureGroup.model_validate(text["group"])
    config.use_cases["measured"] = UseCase.model_validate(text["use_case"])
    return config


def generated(spark: SparkSession, rows: int) -> DataFrame:
    """Uniform payments of 180 days; one in twenty is a correction of an earlier one."""
    number = F.col("id")
    seconds = F.pmod(F.xxhash64(number, F.lit("when")), F.lit(180 * 86_400))
    paid = F.timestamp_seconds(F.lit(1_700_000_000) + seconds)
    late = F.when(number % 20 == 0, 90_000).otherwise(5)
    key = F.when(number % 20 == 0, number + 1).otherwise(number)
    return spark.range(rows).select(
        key.alias("payment"),
        F.pmod(F.xxhash64(key, F.lit("card")), F.lit(max(rows // 200, 1))).alias("card"),
        paid.alias("paid_at"),
        F.timestamp_seconds(F.unix_timestamp(paid) + late).alias("sent_at"),
        (F.pmod(F.xxhash64(number, F.lit("amount")), F.lit(20_000)) / 100).cast("decimal(18,2)").alias("amount"),
        number.cast("string").alias("_row_id"),
        F.lit("one").alias("_batch"),
        F.lit("file").alias("_file"),
        number.alias("_row"),
        F.timestamp_seconds(F.lit(1_720_000_000)).alias("_arrived_at"),
    )


def silver(received: DataFrame, source: Source) -> DataFrame:
    return silver_rows(timeline(with_clocks(received, source), source), source)


def windows(versions: DataFrame, config: Config) -> DataFrame:
    use_case, source = config.use_case("measured"), config.source("payments")
    return build_features(decisions(versions, use_case, source), {"payments": versions}, use_case, config)


def count(frame: DataFrame) -> None:
    """Works out every column and keeps none."""
    frame.write.format("noop").mode("overwrite").save()


def duckdb_versions(received: str) -> None:
    _duckdb(
        f"SELECT *, lead(sent_at) OVER (PARTITION BY payment ORDER BY sent_at, _row) AS known_to "
        f"FROM '{received}/*.parquet' "
        "QUALIFY row_number() OVER (PARTITION BY payment, sent_at ORDER BY _row) = 1"
    )


def duckdb_windows(versions: str) -> None:
    """Event time only: DuckDB does not ask what was known."""
    frame = "RANGE BETWEEN INTERVAL {0} PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING"
    over = "OVER (PARTITION BY card ORDER BY event_ts " + frame + ")"
    columns = [f"count(*) {over.format(length)}" for length in ("1 HOUR", "1 DAY", "30 DAY")]
    columns += [f"avg(amount) {over.format(length)}" for length in ("1 DAY", "30 DAY")]
    named = ", ".join(f"{column} AS f{place}" for place, column in enumerate(columns))
    _duckdb(f"SELECT payment, {named} FROM '{versions}/*.parquet' WHERE known_to IS NULL")


def _duckdb(query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2").execute(f"CREATE TABLE answer AS {query}")


def scoring(rows: int, repeat: int) -> None:
    """The served model with its calibration beside the bare booster, in one process."""
    names = [f"f{place}" for place in range(20)]
    draw = np.random.default_rng(7)
    matrix = draw.normal(size=(rows, len(names))).astype("float32")
    label = (matrix[:, 0] + draw.normal(size=rows) > 2).astype(int)
    learnt = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 4, "nthread": 1},
        xgboost.DMatrix(matrix[:50_000], label[:50_000], feature_names=names),
        100,
    )
    card = {"features": names, "rounds": 100, "calibration": {"kind": "none"}, "policy": {}}
    scorer = Scorer(bytes(learnt.save_raw("ubj")), card)
    compare(
        f"scoring: {rows:,} rows × {len(names)}, beside the raw booster",
        lambda: scorer.probability(scorer.margin(matrix)),
        lambda: learnt.inplace_predict(matrix, validate_features=False),
        repeat,
    )


def steps(lake: Path) -> None:
    """Rows a second of the longest run of each step, from the lake's own record."""
    if not (lake / "ops" / "runs").is_dir():
        _line(f"steps: no lake at {lake}; run `make demo` first")
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
            _line(f"step {row['step']:10} {row['seconds']:8.1f} s {rows:12,} rows {speed:12,.0f} rows a second")


def compare(what: str, ours: Callable[[], object], reference: Callable[[], object], repeat: int) -> None:
    """Runs both in turn after one warm-up; the ratio is of the medians."""
    ours(), reference()
    pairs = [(_seconds(ours), _seconds(reference)) for _ in range(repeat)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    _line(f"{what}: {mine:.2f} s / {other:.2f} s = {mine / other:.2f}")


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _line(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
