"""Network features over generated payments with one very busy account: time and peak memory, degrees beside DuckDB."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count as numbers
from pathlib import Path

import duckdb
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.measure import line
from benchmarks.payments import count
from finlake.features.networks.components import components
from finlake.features.networks.cycles import CycleLimits, cycles
from finlake.features.networks.degrees import degrees
from finlake.features.networks.edges import at_moments, pairs, sides, transfers
from finlake.features.networks.flow import flow_through
from finlake.lakehouse.session import open_session

BEGIN, DAYS = datetime(2025, 1, 1, tzinfo=UTC), 180
DAY = timedelta(days=1)
MOMENTS = [BEGIN + days * DAY for days in (90, 120, 150, 180)]
WINDOWS = {"7d": 7 * DAY, "30d": 30 * DAY}


def generated(spark: SparkSession, edges: int) -> DataFrame:
    """Payments of 180 days among a tenth as many accounts; popularity falls as a power, one account has 10% of them."""
    number, accounts = F.col("id"), max(edges // 10, 10)

    def drawn(what: str) -> Column:
        return F.pmod(F.xxhash64(number, F.lit(what)), F.lit(1_000_000_007)) / 1_000_000_007

    def account(what: str, hub: int) -> Column:
        named = 1 + F.floor(F.pow(drawn(what), F.lit(2.0)) * accounts).cast("bigint")
        return F.concat(F.lit("a"), F.when(number % 20 == hub, 0).otherwise(named).cast("string"))

    at = F.timestamp_seconds(F.lit(int(BEGIN.timestamp())) + F.floor(drawn("when") * DAYS * 86_400))
    return spark.range(edges).select(
        F.concat(F.lit("e"), number.cast("string")).alias("edge_id"),
        account("source", 0).alias("source"), account("target", 1).alias("target"),
        F.floor(F.exp(4 + 4 * drawn("amount")) * 100).cast("bigint").alias("amount_minor"),
        at.alias("at"), at.alias("known_from"), F.lit(None).cast("timestamp").alias("known_to"),
    )  # fmt: skip


def duckdb_degrees(folder: str) -> None:
    """The same degrees by event time alone: DuckDB does not ask what was known."""
    moments = ", ".join(f"(TIMESTAMPTZ '{moment.isoformat()}')" for moment in MOMENTS)
    made = [f"""
        SELECT as_of, account, incoming, sum(n), count(*), sum(amount), sum(n * n) / sum(n) ** 2 FROM (
          SELECT as_of, account, incoming, peer, count(*) AS n, sum(amount_minor) AS amount FROM sides
          JOIN moments ON happened < as_of AND happened >= as_of - INTERVAL {length.days} DAY GROUP BY ALL)
        GROUP BY ALL""" for length in WINDOWS.values()]  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2").execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE moments AS SELECT * FROM (VALUES {moments}) AS given(as_of)")
        connection.execute(f"""CREATE VIEW sides AS
            SELECT source AS account, target AS peer, false AS incoming, "at" AS happened, amount_minor FROM '{folder}/*.parquet'
            UNION ALL SELECT target, source, true, "at", amount_minor FROM '{folder}/*.parquet'""")
        for place, query in enumerate(made):
            connection.execute(f"CREATE TABLE answer{place} AS {query}")


def measured(what: str, work: Callable[[], str | None]) -> None:
    """One run: seconds, seconds of processor and the most memory of this process and all its children together."""
    done, (worked, resident) = threading.Event(), _used()
    held = [resident]

    def watch() -> None:
        while not done.wait(0.25):
            held.append(_used()[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        said = work()
    finally:
        seconds = time.perf_counter() - began
        done.set()
        watcher.join()
    worked = _used()[0] - worked
    line(
        f"{what}: {seconds:.1f} s, processor {worked:.1f} s, peak {max(held) / 2**30:.1f} GiB{f', {said}' if said else ''}"
    )


def _used() -> tuple[float, int]:
    """Seconds of processor, also of children that have ended, and bytes of resident memory."""
    parents, sizes, ticks = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents[folder.name] = fields[1]
        ticks[folder.name] = sum(map(int, fields[11:15]))
        sizes[folder.name] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    mine = list(_descendants(str(os.getpid()), parents))
    return sum(ticks[name] for name in mine) / os.sysconf("SC_CLK_TCK"), sum(sizes[name] for name in mine)


def _descendants(first: str, parents: dict[str, str]) -> Iterator[str]:
    yield first
    for name, parent in parents.items():
        if parent == first:
            yield from _descendants(name, parents)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks.networks", description=__doc__)
    options.add_argument("--edges", type=int, default=1_000_000)
    options.add_argument("--per-account", type=int, default=CycleLimits().per_account)
    given = options.parse_args()
    spark = open_session()
    with tempfile.TemporaryDirectory() as folder:
        step = numbers()

        def stage(name: str, frame: DataFrame) -> DataFrame:
            place = f"{folder}/{next(step)}-{name}"
            frame.write.parquet(place)
            return spark.read.schema(frame.schema).parquet(place)

        edges = stage("edges", generated(spark, given.edges))
        asked = stage(
            "asked", sides(at_moments(transfers(edges), MOMENTS, 30 * DAY)).select("as_of", "account").distinct()
        )
        line(f"networks: {given.edges:,} edges, {asked.count():,} accounts at {len(MOMENTS)} moments")
        measured("degrees over 7 and 30 days", lambda: count(degrees(edges, asked, WINDOWS)))
        measured("the same in DuckDB", lambda: duckdb_degrees(f"{folder}/0-edges"))
        measured(
            "flow-through within 48 hours", lambda: count(flow_through(edges, asked, WINDOWS, timedelta(hours=48)))
        )
        limits = CycleLimits(within=3 * DAY, per_account=given.per_account)

        def search() -> str:
            made = cycles(edges, limits, stage)
            return f"{made.found.count():,} found, {made.left_out.count():,} payments of busy accounts left out"

        measured("cycles of 2 to 5 payments within 3 days", search)
        measured("components of 30 days", lambda: count(components(pairs(edges, MOMENTS, 30 * DAY), stage)))


if __name__ == "__main__":
    main()
