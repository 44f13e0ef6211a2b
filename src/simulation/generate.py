"""The entry: both product lines, as files in a landing folder, with the truth beside it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation import card_files, loan_files
from finlake.simulation.deliver import Delivery
from finlake.simulation.dirt import Spoil, ledger
from finlake.simulation.draws import Draws
from finlake.simulation.landing import ROWS, land, manifest, missing_slots, moment_of, save
from finlake.simulation.payments import payments as all_payments
from finlake.simulation.world import CLOCK, Cast, World, cards, customers, terminals

DELIVERIES: dict[str, Delivery] = {**card_files.DELIVERIES, **loan_files.DELIVERIES}
REVISION = "revision"
FORMAT = 1  # raised when the same parameters would give other files


def generate(
    spark: SparkSession,
    out_dir: Path,
    *,
    payments: int = 600_000,
    loans: int = 80_000,
    seed: int = 7,
    dirt: float = 1.0,
    until: datetime | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Writes every file that was delivered by `until` into `out_dir`, and the truth into the folder `truth` beside it.

    Files that are there already with the same content are left alone, so a second call adds nothing and a later
    `until` adds the later files. The same parameters give the same rows on any cluster.

    Args:
        out_dir: the landing folder; one folder for each source is made in it.
        payments: about how many card payments up to 15 Oct 2025.
        loans: about how many loans since 2017.
        dirt: 1 plants the demo's share of broken rows, 0 none.
        until: aware time; default 15 Oct 2025 00:00 UTC.

    Returns:
        `files` written or found, `new` files, `rows` of each source as delivered, `ledger` of what was
        planted, `frauds` by behaviour and `defaults` by outcome.

    Raises:
        ConfigError: sizes out of range, or `until` without a zone.
    """
    until = moment_of(until)
    world = World.sized(payments, seed)
    loan_world = loan_files.LoanWorld.sized(loans, seed)
    truth = out_dir.parent / "truth"
    parameters: dict[str, object] = {
        "format": FORMAT,
        "payments": payments,
        "loans": loans,
        "seed": seed,
        "dirt": dirt,
    }
    known = manifest(truth / "manifest.json", parameters, out_dir)
    missing = missing_slots(DELIVERIES, known, until)
    if not any(missing.values()):
        say("all files are there already")
        return {**known["result"], "new": 0}
    out_dir.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=truth))
    try:
        made = _make(spark, world, loan_world, dirt, missing, known, out_dir, truth, work, say)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    save(truth / "manifest.json", {**parameters, **made})
    return dict(made["result"])


def _make(
    spark: SparkSession,
    world: World,
    loan_world: loan_files.LoanWorld,
    dirt: float,
    missing: Mapping[str, list[int]],
    known: Mapping[str, Any],
    out_dir: Path,
    truth: Path,
    work: Path,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Simulates, writes the missing files, and adds what they hold to what is known of earlier ones."""
    draws = world.draws

    def kept(frame: DataFrame, name: str) -> DataFrame:
        """Worked out once: everything is read more than once."""
        frame.write.mode("overwrite").parquet(str(work / name))
        return spark.read.parquet(str(work / name))

    people = kept(customers(spark, world), "people")
    cast = Cast(people, kept(cards(people, world), "plastic"), kept(terminals(spark, world), "places"))
    say(f"simulating {world.customers:,} customers at {world.terminals:,} terminals")
    paid = kept(all_payments(spark, world, cast), "paid")
    say("simulating loans")
    lent = kept(loan_world.underwrite(spark), "lent")
    frames: dict[str, Callable[[], DataFrame]] = {
        "customers": lambda: card_files.customer_rows(cast.customers, world, dirt),
        "cards": lambda: card_files.card_rows(cast.cards, world, dirt),
        "terminals": lambda: card_files.terminal_rows(cast.terminals, world, dirt),
        "card_transactions": lambda: card_files.payment_rows(paid, cast.cards, draws, dirt),
        "fraud_reports": lambda: card_files.report_rows(paid, draws, dirt),
        **loan_files.frames(lent, loan_world, dirt),
    }
    spoils = {**_card_spoils(draws), **loan_files.spoils(loan_world)}
    files = dict(known["files"])
    planted = {source: dict(found) for source, found in known.get("planted", {}).items()}
    new = 0
    for source, make in frames.items():
        if missing[source]:
            kinds = [*spoils[source], REVISION]
            written, found = land(make(), DELIVERIES[source], missing[source], out_dir, work, kinds)
            files |= written
            before = planted.setdefault(source, {})
            planted[source] = before | {kind: before.get(kind, 0) + count for kind, count in found.items()}
            new += sum(1 for digest in written.values() if digest)
        say(f"{source}: {planted.get(source, {}).get(ROWS, 0):,} rows")
    lines = ledger(planted, spoils)
    result = {
        "files": sum(1 for digest in files.values() if digest),
        "new": new,
        "ledger": lines,
        "rows": {source: found.get(ROWS, 0) for source, found in planted.items()},
        "frauds": _truth(paid, truth, work),
        "defaults": loan_files.defaults(lent),
    }
    save(truth / "ledger.json", result)
    return {"files": files, "planted": planted, "result": result}


def _card_spoils(draws: Draws) -> dict[str, dict[str, Spoil]]:
    return {
        "card_transactions": card_files.payment_spoils(draws),
        "fraud_reports": card_files.report_spoils(draws),
        **card_files.register_spoils(),
    }


def _truth(paid: DataFrame, truth: Path, work: Path) -> dict[str, int]:
    """Writes which payments are frauds, as one Parquet file; returns how many of each kind up to the clock."""
    frauds = paid.where("fraud is not null").select("payment_id", "paid_at", F.col("fraud").alias("behaviour"))
    frauds.coalesce(1).sortWithinPartitions("payment_id").write.mode("overwrite").parquet(str(work / "frauds"))
    part = next((work / "frauds").glob("part-*.parquet"))
    os.replace(part, truth / "frauds.parquet")
    by_kind = (
        paid.where(F.col("paid_at") < F.lit(CLOCK)).groupBy("fraud").agg(F.count(F.lit(1)).alias("rows")).collect()
    )
    return {row["fraud"] or "none": row["rows"] for row in sorted(by_kind, key=lambda r: r["fraud"] or "")}


def as_utc(text: str) -> datetime:
    """A date or time written by a person, in UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
