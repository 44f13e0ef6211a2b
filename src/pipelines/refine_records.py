"""What refine reads and writes besides rows: batches, quality, accounts and the lines people see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from finlake.contracts.accounting import accounts, count_duplicates, count_quarantined, count_silver
from finlake.contracts.checks import Outcome
from finlake.contracts.contract import silver_type
from finlake.errors import ContractError
from finlake.lakehouse.ops import BATCHES, QUALITY
from finlake.pipelines.step import Step

if TYPE_CHECKING:
    from finlake.pipelines.refine import Work

_SHOWN = 4


def pending_batches(step: Step, source: str, contract: str) -> list[str]:
    """Loaded batches without a sound account, and batches held under another contract."""
    lake = step.lake
    if lake.exists("ops.files"):
        loaded = (
            lake.read("ops.files").where((F.col("source") == source) & (F.col("status") == "loaded")).select("batch")
        )
    else:
        loaded = lake.read(f"bronze.{source}").select(F.col("_batch").alias("batch"))
    batches = {row["batch"] for row in loaded.distinct().collect()}
    if lake.exists("ops.batches"):
        mine = lake.read("ops.batches").where((F.col("source") == source) & F.col("adds_up"))
        done = mine.where((F.col("status") == "refined") | (F.col("contract") == contract))
        batches -= {row["batch"] for row in done.select("batch").collect()}
    return sorted(batches)


def check_layout(work: Work) -> None:
    """Silver keeps what it holds: a column that changed its type needs a rebuild.

    Raises:
        ContractError: a column of silver has another type than the contract now says.
    """
    lake, table = work.step.lake, work.table("silver")
    if not lake.exists(table):
        return
    held = dict(lake.read(table).dtypes)
    for name, column in work.source.silver_columns.items():
        if name in held and held[name] != silver_type(column):
            raise ContractError(
                f"{table} holds {name} as {held[name]}, but the contract now says {silver_type(column)}; "
                f"give the new reading another name with `as`, or rebuild {table} from bronze"
            )


def write_quality(work: Work) -> None:
    """One row for each rule and new batch."""
    step = work.step
    rows = [
        (work.name, batch, *_found(outcome), work.contract, step.now, step.run_id)
        for batch, counts in work.counts.items()
        for outcome in counts.outcomes
    ]
    if rows:
        keys = ["source", "batch", "rule", "expectation"]
        frame = step.lake.spark.createDataFrame(rows, QUALITY)
        step.lake.create("ops.quality", frame, about="What every rule found in every batch.")
        same = (F.col("source") == work.name) & F.col("batch").isin(list(work.counts))
        if step.lake.read("ops.quality").where(same).isEmpty():
            step.lake.append("ops.quality", frame)
        else:
            step.lake.merge("ops.quality", frame, on=keys, update=_others(QUALITY, keys))


def _found(outcome: Outcome) -> tuple[object, ...]:
    check = outcome.check
    return (
        check.rule, check.expectation, list(check.columns), check.severity,
        outcome.checked, outcome.failed, check.mostly, outcome.passed, outcome.observed,
    )  # fmt: skip


def _others(schema: str, keys: list[str]) -> list[str]:
    return [name for name in (field.split()[0] for field in schema.split(", ")) if name not in keys]


def write_batches(work: Work) -> int:
    """Counts where the rows of every batch are now, also of older ones whose rows were superseded since.

    Returns:
        Rows of the source that are the latest of their key.

    Raises:
        ContractError: rows of a batch are lost or counted twice.
    """
    step, lake = work.step, work.step.lake
    before = {}
    if lake.exists("ops.batches"):
        mine = lake.read("ops.batches").where(F.col("source") == work.name)
        before = {row["batch"]: row for row in mine.collect()}
    received = {batch: row["received"] for batch, row in before.items()}
    received.update({batch: work.counts[batch].received if batch in work.counts else 0 for batch in work.pending})
    counts = [count_silver(work.read("silver")), count_duplicates(lake.read("ops.duplicates"), work.name)]
    if lake.exists(work.table("quarantine")):
        counts.append(count_quarantined(work.read("quarantine")))
    found = accounts(received, *counts)
    rows = []
    for account in found:
        old = before.get(account.batch)
        new = old is None or account.batch in work.pending
        same = (work.contract, "held" if account.batch in work.held else "refined", work.held.get(account.batch, ""))
        contract, status, reason = same if new or old is None else (old["contract"], old["status"], old["reason"])
        rows.append(
            (
                work.name, account.batch, account.received, account.silver, account.superseded, account.duplicate,
                account.quarantined, account.adds_up, contract, status, reason, step.now if new else old["refined_at"],
                step.run_id if new else old["run_id"],
            )
        )  # fmt: skip
    frame, keys = lake.spark.createDataFrame(rows, BATCHES), ["source", "batch"]
    if before:
        lake.merge("ops.batches", frame, on=keys, update=_others(BATCHES, keys))
    else:
        lake.append("ops.batches", frame, about="Where the rows of every batch are.")
    wrong = [str(account) for account in found if not account.adds_up]
    if wrong:
        raise ContractError(f"{work.name} does not add up: " + "; ".join(wrong))
    return sum(account.silver for account in found)


def report(work: Work) -> None:
    """The line of a source, and a warning for each broken rule that keeps its rows."""
    failed: dict[str, int] = {}
    for counts in work.counts.values():
        for outcome in counts.outcomes:
            if outcome.verdict is False:
                observed = f" (observed {outcome.observed})" if outcome.observed else ""
                work.step.warn(f"{work.name}: a batch breaks “{outcome.check.rule}”{observed}")
            elif outcome.failed and outcome.check.severity == "warn":
                failed[f"warn {outcome.check.reason}"] = failed.get(f"warn {outcome.check.reason}", 0) + outcome.failed
            elif outcome.failed:
                reason = outcome.check.reason.removeprefix("broken rule: ")
                reason = f"not so: {reason}" if reason != outcome.check.reason else reason
                failed[reason] = failed.get(reason, 0) + outcome.failed
    total = sum(counts.received for counts in work.counts.values())
    broken = sum(counts.broken for counts in work.counts.values())
    worst = sorted(((n, text) for text, n in failed.items() if not text.startswith("warn ")), reverse=True)
    listed = " · ".join(f"{text} {n:,}" for n, text in worst[:_SHOWN])
    line = f"{work.name}: {total:,} rows, {broken:,} quarantined" + (f" ({listed})" if listed else "")
    work.step.say(line + (f"; {work.retried:,} rows of quarantine looked at again" if work.retried else ""))
    for text, n in failed.items():
        if text.startswith("warn "):
            work.step.warn(f"{work.name}: {n:,} rows kept, although {text.removeprefix('warn ')}")


def held_batches(work: Work) -> list[str]:
    """What to say about batches that are held, once no later batch has been refined; older ones are only warned of."""
    lake = work.step.lake
    if not lake.exists("ops.batches"):
        return []
    rows = (
        lake.read("ops.batches")
        .where(F.col("source") == work.name)
        .select("batch", "status", "reason", "refined_at")
        .collect()
    )
    last_good = max((row["refined_at"] for row in rows if row["status"] == "refined"), default=None)
    stopped = []
    for row in sorted(rows, key=lambda row: str(row["batch"])):
        if row["status"] != "held":
            continue
        text = f"{work.name}: batch {row['batch']} is held back, all its rows are in quarantine: {row['reason']}"
        if last_good is not None and last_good > row["refined_at"]:
            work.step.warn(text)
        else:
            stopped.append(f"{text}; see quarantine.{work.name}, then mend the contract or ask for the batch again")
    return stopped
