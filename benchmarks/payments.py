"""Generated payments, our silver and windows over them, and the same in DuckDB and Polars."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from ruamel.yaml import YAML

from finlake.config import Config, FeatureGroup, Source, Target, UseCase
from finlake.config.load import plain
from finlake.contracts.versions import silver_rows, timeline, with_clocks
from finlake.features.build import build_features
from finlake.features.decisions import decisions


def configuration() -> Config:
    """The models of conf.yml, as the loader would make them."""
    text = plain(YAML(typ="rt").load(Path(__file__).with_name("conf.yml").read_text("utf-8")))
    config = Config(Path(__file__).parent, Target.model_validate(text["target"]))
    config.sources["payments"] = Source.model_validate(text["source"])
    config.groups["habits"] = FeatureGroup.model_validate(text["group"])
    config.use_cases["measured"] = UseCase.model_validate(text["use_case"])
    return config


def generated(spark: SparkSession, rows: int) -> DataFrame:
    """Payments of 180 days, a tenth of them at one merchant; one in twenty is a correction of an earlier one."""
    number = F.col("id")
    seconds = F.pmod(F.xxhash64(number, F.lit("when")), F.lit(180 * 86_400))
    paid = F.timestamp_seconds(F.lit(1_700_000_000) + seconds)
    late = F.when(number % 20 == 0, 90_000).otherwise(5)
    key = F.when(number % 20 == 0, number + 1).otherwise(number)
    other = 1 + F.pmod(F.xxhash64(key, F.lit("merchant")), F.lit(max(rows // 200, 1)))
    return spark.range(rows).select(
        key.alias("payment"),
        F.when(F.pmod(F.xxhash64(key, F.lit("where")), F.lit(10)) == 0, 0).otherwise(other).alias("merchant"),
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


WINDOWS = {"count": ("1 hour", "1 day", "30 days"), "mean": ("1 day", "30 days")}  # as in conf.yml


def duckdb_windows(versions: str) -> None:
    """By event time alone: DuckDB does not ask what was known."""
    over = (
        "OVER (PARTITION BY merchant ORDER BY event_ts "
        "RANGE BETWEEN INTERVAL {0} PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING)"
    )
    columns = [f"count(*) {over.format(length)}" for length in WINDOWS["count"]]
    columns += [f"avg(amount) {over.format(length)}" for length in WINDOWS["mean"]]
    named = ", ".join(f"{column} AS f{place}" for place, column in enumerate(columns))
    _duckdb(f"SELECT payment, {named} FROM '{versions}/*.parquet' WHERE known_to IS NULL")


def polars_windows(versions: str) -> None:
    """By event time alone, one rolling pass for each length."""
    current = polars.scan_parquet(f"{versions}/*.parquet").filter(polars.col("known_to").is_null())
    rows = current.select("payment", "merchant", "event_ts", "amount").sort("merchant", "event_ts").collect()
    for length in WINDOWS["count"]:
        period = length.split()[0] + length.split()[1][0]
        made = [polars.len().alias("n")]
        if length in WINDOWS["mean"]:
            made.append(polars.col("amount").mean())
        rows.rolling("event_ts", period=period, closed="left", group_by="merchant").agg(made)


def _duckdb(query: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2").execute(f"CREATE TABLE answer AS {query}")
