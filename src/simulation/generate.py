"""The entry: both product lines, as files in a landing folder, with the truth beside it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation import card_files, loan_files
from finlake.simulation.deliver import FILE, Delivery, slot_number, write
from finlake.simulation.dirt import KIND, SENT, ledger
from finlake.simulation.draws import Draws
from finlake.simulation.payments import payments as all_payments
from finlake.simulation.world import CLOCK, World

DELIVERIES: dict[str, Delivery] = {**card_files.DELIVERIES, **loan_files.DELIVERIES}
FORMAT = 1                               # raised when the same parameters would give other files


def generate(spark: SparkSession, out_dir: Path, *, payments: int = 600_000, loans: int = 80_000, seed: int = 7,
             dirt: float = 1.0, until: datetime | None = None,
             say: Callable[[str], None] = lambda text: None) -> dict[str, object]:  # fmt: skip
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
        `files` written or found, `new` files, `rows` of each source as delivered, `ledger` of what was planted, `frauds`.

    Raises:
        ConfigError: sizes out of range, or `until` without a zone.
    """
    until = until or CLOCK
    if until.tzinfo is None:
        raise ConfigError(f"until needs a time zone, got {until.isoformat()}; write for example 2025-10-15T00:00:00+00:00")
    world = World.sized(payments, seed)
    loan_world = loan_files.LoanWorld.sized(loans, seed)
    truth = out_dir.parent / "truth"
    parameters: dict[str, object] = {
        "format": FORMAT, "payments": payments, "loans": loans, "seed": seed, "dirt": dirt,
    }  # fmt: skip
    known = _manifest(truth, parameters)
    wanted = {s: [n for n, slot in enumerate(d.slots) if slot.delivered <= until] for s, d in DELIVERIES.items()}
    missing = {
        source: [n for n in numbers if not _there(DELIVERIES[source], n, known["files"], out_dir)]
        for source, numbers in wanted.items()
    }
    if not any(missing.values()) and known.get("until") == until.isoformat():
        say("all files are there already")
        return {**known["result"], "new": 0}
    out_dir.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=truth))
    try:
        result = _make(spark, world, loan_world, dirt, wanted, missing, known["files"], out_dir, truth, work, say)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _save(truth / "manifest.json", {**parameters, "until": until.isoformat(), "files": known["files"], "result": result})
    return result


def _make(spark: SparkSession, world: World, loan_world: loan_files.LoanWorld, dirt: float,
          wanted: Mapping[str, list[int]], missing: Mapping[str, list[int]], files: dict[str, str | None],
          out_dir: Path, truth: Path, work: Path, say: Callable[[str], None]) -> dict[str, object]:  # fmt: skip
    draws = world.draws
    say(f"simulating {world.customers:,} customers at {world.terminals:,} terminals")
    all_payments(spark, world).write.mode("overwrite").parquet(str(work / "paid"))
    paid = spark.read.parquet(str(work / "paid"))
    say("simulating loans")
    loan_world.underwrite(spark).write.mode("overwrite").parquet(str(work / "lent"))
    lent = spark.read.parquet(str(work / "lent"))
    frames = {
        "customers": lambda: card_files.customer_rows(spark, world, dirt),
        "cards": lambda: card_files.card_rows(spark, world, dirt),
        "terminals": lambda: card_files.terminal_rows(spark, world, dirt),
        "card_transactions": lambda: card_files.payment_rows(paid, draws, dirt),
        "fraud_reports": lambda: card_files.report_rows(paid, draws, dirt),
        **loan_files.frames(lent, loan_world, dirt),
    }
    counts: dict[tuple[str, str], int] = {}
    rows: dict[str, int] = {}
    new = 0
    for source, make in frames.items():
        delivery = DELIVERIES[source]
        frame = make()
        frame = frame.withColumn(FILE, slot_number(delivery, F.col(SENT))).drop(SENT)
        for kind, count in _count(frame, wanted[source]).items():
            rows[source] = rows.get(source, 0) + count
            if kind is not None:
                counts[source, kind] = count
        if missing[source]:
            written = write(frame.drop(KIND), delivery, missing[source], out_dir, work)
            files.update({delivery.path(delivery.slots[n]): None for n in missing[source]} | written)
            new += len(written)
        say(f"{source}: {rows.get(source, 0):,} rows")
    frauds = _truth(paid, truth, work)
    lines = ledger(counts, {**loan_files.spoils(loan_world), **_card_spoils(draws)})
    result: dict[str, object] = {
        "files": sum(1 for digest in files.values() if digest), "new": new, "rows": rows, "ledger": lines,
        "frauds": frauds, "defaults": loan_files.defaults(lent),
    }  # fmt: skip
    _save(truth / "ledger.json", {"ledger": lines, "rows": rows, "frauds": frauds})
    return result


def _card_spoils(draws: Draws) -> dict[str, Mapping[str, object]]:
    return {
        "card_transactions": card_files.payment_spoils(draws),
        "fraud_reports": card_files.report_spoils(draws),
        **card_files.register_spoils(),
    }


def _count(frame: DataFrame, wanted: list[int]) -> dict[str | None, int]:
    """Rows in the wanted files by kind of dirt: a handful of numbers."""
    found = frame.where(F.col(FILE).isin(wanted)).groupBy(KIND).agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row[KIND]: row["rows"] for row in found}


def _truth(paid: DataFrame, truth: Path, work: Path) -> dict[str, int]:
    """Writes which payments are frauds, and of which kind, as one Parquet file; returns how many of each up to the clock."""
    frauds = paid.where("fraud is not null").select("payment_id", "paid_at", F.col("fraud").alias("behaviour"))
    frauds.coalesce(1).sortWithinPartitions("payment_id").write.mode("overwrite").parquet(str(work / "frauds"))
    part = next((work / "frauds").glob("part-*.parquet"))
    os.replace(part, truth / "frauds.parquet")
    by_kind = paid.where(F.col("paid_at") < F.lit(CLOCK)).groupBy("fraud").agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row["fraud"] or "none": row["rows"] for row in sorted(by_kind, key=lambda r: r["fraud"] or "")}


def _there(delivery: Delivery, number: int, files: Mapping[str, str | None], out_dir: Path) -> bool:
    """Written by an earlier call with the same parameters, or known to be empty."""
    path = delivery.path(delivery.slots[number])
    return path in files and (files[path] is None or (out_dir / path).is_file())


def _manifest(truth: Path, parameters: Mapping[str, object]) -> dict[str, object]:
    path = truth / "manifest.json"
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if {key: known.get(key) for key in parameters} != dict(parameters):
        return {"files": {}, "result": {}}
    return dict(known)


def _save(path: Path, content: Mapping[str, object]) -> None:
    hidden = path.with_name(f".{path.name}.writing")
    hidden.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), "utf-8")
    os.replace(hidden, path)


def as_utc(text: str) -> datetime:
    """A date or time written by a person, in UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
