"""The entry: a bank's files with laundering among them, and the truth beside the landing folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.landing import ROWS, land, manifest, missing_slots, moment_of, save
from finlake.simulation.laundering.alerts import account_days
from finlake.simulation.laundering.behaviours import laundering
from finlake.simulation.laundering.files import DELIVERIES, frames
from finlake.simulation.laundering.honest import honest
from finlake.simulation.laundering.transfers import finish
from finlake.simulation.laundering.world import Bank, accounts
from finlake.simulation.world import CLOCK

FORMAT = 1  # raised when the same parameters would give other files
MANIFEST, TRUTH = "laundering.json", "laundering.parquet"


def generate_laundering(
    spark: SparkSession,
    out_dir: Path,
    *,
    accounts: int = 5_000,
    transfers: int = 200_000,
    seed: int = 7,
    until: datetime | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Writes every file that was delivered by `until` into `out_dir`, and the truth into the folder `truth` beside it.

    Files that are there already with the same content are left alone, so a second call adds nothing and a later
    `until` adds the later files. The same parameters give the same rows on any cluster.

    Args:
        out_dir: the landing folder; one folder for each source is made in it.
        accounts: how many accounts the bank has.
        transfers: about how many bookings they have up to 15 Oct 2025; 25 to 2,000 for each account.
        until: aware time; default 15 Oct 2025 00:00 UTC.

    Returns:
        `files` written or found, `new` files, `rows` of each source as delivered, and `bookings` by behaviour up to
        15 Oct 2025 (`none` is honest).

    Raises:
        ConfigError: sizes out of range, or `until` without a zone.
    """
    until = moment_of(until)
    bank = Bank.sized(accounts, transfers, seed)
    truth = out_dir.parent / "truth"
    parameters = {"format": FORMAT, "accounts": accounts, "transfers": transfers, "seed": seed}
    known = manifest(truth / MANIFEST, parameters, out_dir)
    missing = missing_slots(DELIVERIES, known, until)
    if not any(missing.values()):
        say("all files are there already")
        return {**known["result"], "new": 0}
    out_dir.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=truth))
    try:
        made = _make(spark, bank, missing, known, out_dir, work, say)
        os.replace(work / TRUTH, truth / TRUTH)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    save(truth / MANIFEST, {**parameters, **made})
    return dict(made["result"])


def _make(
    spark: SparkSession,
    bank: Bank,
    missing: Mapping[str, list[int]],
    known: Mapping[str, Any],
    out_dir: Path,
    work: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Simulates, writes the missing files, and adds what they hold to what is known of earlier ones."""

    def kept(frame: DataFrame, name: str) -> DataFrame:
        """Worked out once: everything is read more than once."""
        frame.write.mode("overwrite").parquet(str(work / name))
        return spark.read.parquet(str(work / name))

    say(f"simulating {bank.accounts:,} accounts of {bank.customers:,} customers")
    holders = kept(accounts(spark, bank), "holders")
    booked = kept(finish(bank, honest(spark, bank, holders).unionByName(laundering(spark, bank))), "booked")
    days = kept(account_days(booked, bank), "days")
    files: dict[str, str | None] = dict(known["files"])
    rows: dict[str, int] = dict(known.get("rows", {}))
    new = 0
    for source, make in frames(spark, bank, booked, days).items():
        if missing[source]:
            written, counted = land(make(), DELIVERIES[source], missing[source], out_dir, work)
            files |= written
            rows[source] = rows.get(source, 0) + counted.get(ROWS, 0)
            new += sum(1 for digest in written.values() if digest)
        say(f"{source}: {rows.get(source, 0):,} rows")
    _truth(booked, work)
    by_kind = booked.where(F.col("booked_at") < F.lit(CLOCK)).groupBy("behaviour").agg(F.count(F.lit(1)).alias("rows"))
    bookings = {row["behaviour"] or "none": row["rows"] for row in by_kind.orderBy("behaviour").collect()}
    result = {"files": sum(1 for digest in files.values() if digest), "new": new, "rows": rows, "bookings": bookings}
    return {"files": files, "rows": rows, "result": result}


def _truth(booked: DataFrame, work: Path) -> None:
    """Writes which bookings are laundering, as one Parquet file."""
    columns = ("transfer_id", "booked_at", "account_id", "counterparty_id", "direction", "amount", "channel")
    guilty = booked.where("behaviour is not null").select(*columns, "behaviour", "incident")
    guilty.coalesce(1).sortWithinPartitions("transfer_id").write.mode("overwrite").parquet(str(work / "truth"))
    os.replace(next((work / "truth").glob("part-*.parquet")), work / TRUTH)
