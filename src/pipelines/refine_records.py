"""What refine keeps besides rows: the book of batches, quality, accounts and the lines people see."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.contracts.accounting import Account, accounts, count_duplicates, count_quarantined, count_silver
from finlake.contracts.checks import Outcome
from finlake.contracts.contract import layout, silver_type
from finlake.errors import ContractError
from finlake.lakehouse.ops import BATCHES, FILES, QUALITY
from finlake.pipelines.step import Step

if TYPE_CHECKING:
    from finlake.pipelines.refine import Work

_SHOWN = 4


@dataclass
class Book:
    """The batches of all sources: read once when refine begins, written once when it ends.

    `loaded` is source -> batch -> rows. `unfinished` are sources of which a file is just read again.
    """

    step: Step
    loaded: dict[str, dict[str, int]] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    batches: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    doubled: set[tuple[str, str]] = field(default_factory=set)
    gone: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def open(cls, step: Step, sources: Iterable[str]) -> Book:
        lake, book = step.lake, cls(step)
        if lake.exists("ops.files"):
            files = lake.read("ops.files").where("rows IS NOT NULL").select("source", "batch", "rows", "status")
        else:
            bronze = [
                lake.read(f"bronze.{name}").selectExpr(
                    "_source AS source", "_batch AS batch", "1 AS rows", "'loaded' AS status"
                )
                for name in sources
            ]
            files = reduce(DataFrame.unionByName, bronze) if bronze else lake.spark.createDataFrame([], FILES)
        for row in files.groupBy("source", "batch", "status").agg(F.sum("rows").alias("rows")).collect():
            if row["status"] == "loaded":
                book.loaded.setdefault(row["source"], {})[row["batch"]] = row["rows"]
            elif row["status"] == "planned":
                book.unfinished.add(row["source"])
        if lake.exists("ops.batches"):
            rows = [{"layout": "", **row.asDict()} for row in lake.read("ops.batches").collect()]
            book.batches = {(row["source"], row["batch"]): row for row in rows}
        if lake.exists("ops.duplicates"):
            noted = lake.read("ops.duplicates").select("source", "batch").distinct().collect()
            book.doubled = {(row["source"], row["batch"]) for row in noted}
        return book

    def pending(self, source: str, contract: str) -> list[str]:
        """Loaded batches without a sound account, and batches held under another contract."""
        done = {
            batch
            for (owner, batch), row in self.batches.items()
            if owner == source and row["adds_up"] and (row["status"] == "refined" or row["contract"] == contract)
        }
        return sorted(set(self.loaded.get(source, {})) - done)

    def reread(self, source: str) -> list[str]:
        """Batches whose files were read again since, into other batches: silver has rows that bronze has not."""
        if source in self.unfinished:
            return []
        loaded = self.loaded.get(source, {})
        mine = {batch: row["received"] for (owner, batch), row in self.batches.items() if owner == source}
        return sorted(batch for batch, received in mine.items() if loaded.get(batch) != received)

    def layout(self, source: str) -> str:
        """How the batches of a source were made into versions; empty where none was yet."""
        mine = (row["layout"] for (owner, _), row in self.batches.items() if owner == source)
        return next((text for text in mine if text), "")

    def forget(self, source: str) -> None:
        """Makes every batch of a source new again. Quarantine stays: its rows are judged and released again.

        Only rows that bronze has no longer, because their files were read again, leave it.
        The layout is kept until silver is replaced, so that an interrupted rebuild is noticed.
        """
        if gone := self.reread(source):
            self.gone[source] = gone
            self.step.say(f"{source}: files were read again; silver is made again from bronze")
            self.step.lake.delete(f"quarantine.{source}", f"_batch IN ({_listed(gone)})")
        lake = self.step.lake
        if lake.exists("ops.batches"):
            mine = lake.read("ops.batches").where(F.col("source") == source).withColumn("adds_up", F.lit(False))
            lake.merge("ops.batches", mine, on=["source", "batch"], update=["adds_up"])
        lake.delete("ops.duplicates", f"source = '{source}'")
        self.batches = {key: row for key, row in self.batches.items() if key[0] != source}
        self.doubled = {key for key in self.doubled if key[0] != source}

    def close(self, works: list[Work]) -> dict[str, int]:
        """Writes quality and accounts; the accounts last, because they say that a batch is done.

        Older batches are counted again: corrections that came since have superseded rows of theirs.

        Returns:
            Source -> rows that are the latest of their key.

        Raises:
            ContractError: rows of a batch are lost or counted twice.
        """
        if not works:
            return {}
        lake = self.step.lake
        quality = [(*row, self.step.now, self.step.run_id) for work in works for row in _quality(work)]
        if quality:
            keys = ["source", "batch", "rule", "expectation"]
            frame = lake.spark.createDataFrame(quality, QUALITY)
            about = "What every rule found in every batch."
            lake.merge("ops.quality", frame, on=keys, update=_others(QUALITY, keys), about=about)
        found = {work.name: work for work in works}
        counted = self._counted(works)
        rows = [self._row(found[source], account) for source, account in counted]
        keys = ["source", "batch"]
        frame, about = lake.spark.createDataFrame(rows, BATCHES), "Where the rows of every batch are."
        lake.merge("ops.batches", frame, on=keys, update=_others(BATCHES, keys), about=about)
        for work in works:
            if gone := set(self.gone.get(work.name, [])) - set(work.pending):
                for table in ("ops.batches", "ops.quality"):
                    lake.delete(table, f"source = '{work.name}' AND batch IN ({_listed(gone)})")
        wrong = [f"{source} {account}" for source, account in counted if not account.adds_up]
        if wrong:
            raise ContractError("rows do not add up: " + "; ".join(wrong))
        latest: dict[str, int] = {}
        for source, account in counted:
            latest[source] = latest.get(source, 0) + account.silver
        return latest

    def _counted(self, works: list[Work]) -> list[tuple[str, Account]]:
        lake = self.step.lake
        received: dict[tuple[str, str], int] = {}
        counts: list[DataFrame] = []
        for work in works:
            received.update({key: row["received"] for key, row in self.batches.items() if key[0] == work.name})
            received.update({(work.name, b): work.counts[b].received if b in work.counts else 0 for b in work.pending})
            mine = [count_silver(work.read("silver")), count_duplicates(lake.read("ops.duplicates"), work.name)]
            if lake.exists(work.table("quarantine")):
                mine.append(count_quarantined(work.read("quarantine")))
            counts += [frame.withColumn("source", F.lit(work.name)) for frame in mine]
        return accounts(received, counts)

    def _row(self, work: Work, account: Account) -> tuple[object, ...]:
        old = self.batches.get((work.name, account.batch))
        new = old is None or account.batch in work.pending
        status = "held" if account.batch in work.held else "refined"
        fate: tuple[object, ...] = (
            work.contract,
            status,
            work.held.get(account.batch, ""),
            self.step.now,
            self.step.run_id,
            layout(work.source),
        )
        if old is not None and not new:
            fate = tuple(old[name] for name in ("contract", "status", "reason", "refined_at", "run_id", "layout"))
        rows = (account.received, account.silver, account.superseded, account.duplicate, account.quarantined)
        return (work.name, account.batch, *rows, account.adds_up, *fate)

    def held(self, source: str, work: Work | None) -> list[str]:
        """What to say about held batches. Once a later batch has been refined, they are only warned of."""
        fates: dict[str, tuple[str, str, datetime]] = {
            batch: (row["status"], row["reason"], _aware(row["refined_at"], self.step.now))
            for (owner, batch), row in self.batches.items()
            if owner == source
        }
        if work is not None:
            now = self.step.now
            fates |= {b: ("held" if b in work.held else "refined", work.held.get(b, ""), now) for b in work.pending}
        last_good = max((at for status, _, at in fates.values() if status == "refined"), default=None)
        stopped = []
        for batch, (status, reason, at) in sorted(fates.items()):
            text = f"{source}: batch {batch} is held back, all its rows are in quarantine: {reason}"
            if status == "held" and last_good is not None and last_good > at:
                self.step.warn(text)
            elif status == "held":
                stopped.append(f"{text}; see quarantine.{source}, then mend the contract or ask for the batch again")
        return stopped


def check_layout(work: Work) -> None:
    """Silver keeps what it holds: another key, other clocks or another type of a column need a rebuild.

    Raises:
        ContractError: silver was made with another key, other clocks or another type than the contract now says.
    """
    lake, table = work.step.lake, work.table("silver")
    if not lake.exists(table):
        return
    rebuild = f"make it again from bronze with `finlake refine --source {work.name} --rebuild`"
    now, before = layout(work.source), work.layout
    if before not in ("", now):
        raise ContractError(f"{table} was made with {before}; the contract now says {now}; {rebuild}")
    held = dict(lake.read(table).dtypes)
    for name, column in work.source.silver_columns.items():
        if name in held and held[name] != silver_type(column):
            raise ContractError(
                f"{table} holds {name} as {held[name]}, but the contract now says {silver_type(column)}; "
                f"give the new reading another name with `as`, or {rebuild}"
            )


def report(work: Work) -> None:
    """The line of a source, and a warning for each broken rule that keeps its rows."""
    failed: dict[str, int] = {}
    kept: dict[str, int] = {}
    for counts in work.counts.values():
        for outcome in counts.outcomes:
            if outcome.verdict is False:
                observed = f" (observed {outcome.observed})" if outcome.observed else ""
                work.step.warn(f"{work.name}: a batch breaks “{outcome.check.rule}”{observed}")
            elif outcome.failed:
                into = kept if outcome.check.severity == "warn" else failed
                into[outcome.check.reason] = into.get(outcome.check.reason, 0) + outcome.failed
    total = sum(counts.received for counts in work.counts.values())
    broken = sum(counts.broken for counts in work.counts.values())
    worst = sorted(failed.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    listed = " · ".join(f"{text} {n:,}" for text, n in worst)
    line = f"{work.name}: {total:,} rows, {broken:,} quarantined" + (f" ({listed})" if listed else "")
    work.step.say(line + (f"; {work.retried:,} rows of quarantine looked at again" if work.retried else ""))
    for text, n in kept.items():
        work.step.warn(f"{work.name}: {n:,} rows kept, although {text}")


def _quality(work: Work) -> Iterable[tuple[object, ...]]:
    for batch, counts in work.counts.items():
        for outcome in counts.outcomes:
            yield (work.name, batch, *_found(outcome), work.contract)


def _found(outcome: Outcome) -> tuple[object, ...]:
    check = outcome.check
    return (
        check.rule, check.expectation, list(check.columns), check.severity,
        outcome.checked, outcome.failed, check.mostly, outcome.passed, outcome.observed, check.reason,
    )  # fmt: skip


def _others(schema: str, keys: list[str]) -> list[str]:
    return [name for name in (part.split()[0] for part in schema.split(", ")) if name not in keys]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


def _aware(moment: datetime, like: datetime) -> datetime:
    """Spark hands back times without a zone; the process runs in UTC."""
    return moment.replace(tzinfo=like.tzinfo) if moment.tzinfo is None else moment
