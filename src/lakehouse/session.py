"""The Spark session: a tuned local one, a local Connect server's, or the workspace's own."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from finlake.errors import SetupError
from finlake.workspace.runtime import on_databricks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Delta's and Spark's defaults are made for clusters: 10000 listing tasks and 50 snapshot partitions
# turn seconds into minutes on two cores.
_LOCAL = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.sources.default": "delta",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.files.maxPartitionBytes": "32m",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.rdd.compress": "false",
    # A laptop that slept for two minutes would not be trusted by its own session any more, which then answers nothing.
    "spark.storage.blockManagerHeartbeatTimeoutMs": "30d",
}
# They print Java's stack, and received values with it, before the error that says the same in a sentence.
_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_LOGGING = Path(__file__).with_name("log4j2.properties")
_JAVA_OPTIONS = [
    "-XX:+UseSerialGC",
    "-XX:-DontCompileHugeMethods",  # the code Spark writes for wide rows is huge
    "-Duser.timezone=UTC",
    f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
]


def open_session(settings: dict[str, str] | None = None, warehouse: Path | None = None) -> SparkSession:
    """The session to use: the workspace's on Databricks, else a local one with Delta.

    `FINLAKE_REMOTE=local` gives a local Spark Connect server, which refuses what serverless compute refuses.

    Raises:
        SetupError: pyspark, Java or Delta's jars are missing.
    """
    use_utc()
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise SetupError(
            "pyspark is not installed; on a laptop install finlake with its extra: finlake[local]"
        ) from error
    if on_databricks():
        return SparkSession.builder.getOrCreate()
    active = SparkSession.getActiveSession()
    if active is not None:
        return active
    return _local(settings or {}, warehouse)


def use_utc() -> None:
    """`collect()` follows the process's zone, so the process runs in UTC."""
    os.environ["TZ"] = "UTC"
    if hasattr(time, "tzset"):
        time.tzset()


def _local(settings: dict[str, str], warehouse: Path | None) -> SparkSession:
    from pyspark.sql import SparkSession

    from finlake.lakehouse.jars import delta_conf
    from finlake.lakehouse.jvm import prepare_jvm

    jvm = prepare_jvm()
    os.environ.update(jvm.env)
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    cores = int(os.environ.get("FINLAKE_CORES", "0")) or os.cpu_count() or 2
    java = [*_JAVA_OPTIONS, *jvm.java_options]
    conf = {
        **_LOCAL,
        "spark.sql.shuffle.partitions": str(max(cores, 2)),
        # Sorts of much data fit into memory when they are cut finer; Spark brings what is small together again.
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": str(4 * max(cores, 2)),
        "spark.driver.memory": os.environ.get("FINLAKE_MEMORY") or _memory(),
        "spark.driver.extraJavaOptions": " ".join(java),
        **delta_conf(java),
        **settings,
    }
    if warehouse is not None:
        conf["spark.sql.warehouse.dir"] = str(warehouse)
    remote = os.environ.get("FINLAKE_REMOTE")
    builder = SparkSession.builder.appName("finlake")
    builder = builder.remote(f"local[{cores}]") if remote == "local" else builder.master(f"local[{max(cores, 2)}]")
    for key, value in conf.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise SetupError(f"Spark did not start: {error}; `finlake doctor` shows what this machine lacks") from error


def _memory() -> str:
    """A third of the machine's memory, between 1 and 8 GiB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "2g"
    return f"{min(max(total // 3 // 2**20, 1024), 8192)}m"
