"""Step: bronze to silver. Typed, judged, versioned; what may not enter waits in quarantine with its reasons."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from threading import Lock

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.checks import BatchCounts, is_good, tally
from finlake.contracts.contract import contract_digest, silver_comments
from finlake.contracts.gx import ask_tables, table_rules
from finlake.contracts.judge import Judged, judge, why_held
from finlake.contracts.masking import mask_text
from finlake.contracts.parsing import row_id
from finlake.contracts.quarantine import UPDATED, conflicting, quarantine_rows, waiting, with_held
from finlake.contracts.references import Reference, depends_on, references_of
from finlake.contracts.versions import CONFLICT, DUPLICATE, silver_rows, timeline, with_clocks
from finlake.errors import ContractError, FinlakeError
from finlake.lakehouse.ops import DUPLICATES
from finlake.lakehouse.spark_errors import SPARK_ERRORS, in_one_line
from finlake.pipelines import refine_records as records
from finlake.pipelines.step import Step, Values

SIDE_BY_SIDE = 3
_SHARED = Lock()  # tables that all sources write to: one at a time


@dataclass
class Work:
    """One source in one run: which batches are new, and what became of them.

    `retried` counts rows of older batches that deserve another look; `waited` is whether quarantine already holds rows
    of the new batches (the run was interrupted, or they were held); `noted` says the same of the duplicates.
    `again` lists rules whose broken rows are asked once more. `rebuild`: silver is replaced, not added to.
    `layout` is how the batches in silver were made into versions.
    """

    step: Step
    source: Source
    contract: str
    pending: list[str]
    layout: str = ""
    rebuild: bool = False
    retried: int = 0
    waited: bool = False
    noted: bool = False
    references: list[Reference] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    counts: dict[str, BatchCounts] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.source.source

    def table(self, schema: str) -> str:
        return f"{schema}.{self.name}"

    def read(self, schema: str) -> DataFrame:
        return self.step.lake.read(self.table(schema))


def refine(step: Step, source: str = "all", rebuild: bool = False) -> Values:
    """Brings every new batch of the sources into silver, and rows out of quarantine whose contract changed.

    A batch that breaks a limit is held: all its rows stay in quarantine. Other batches and sources go on, and the
    step fails at the end. Interrupted anywhere, it can be run again. With `rebuild`, and where a file was read again,
    silver is made again from all of bronze by the contract of today, in one commit.

    Raises:
        ContractError: batches are held, the rows of a batch do not add up, or Spark cannot compute a rule.
    """
    sources, lake = step.config.sources, step.lake
    names = list(sources) if source == "all" else [step.config.source(source).source]
    names = [name for name in names if lake.exists(f"bronze.{name}")]
    book = records.Book.open(step, names)
    rebuilt = {name for name in names if rebuild or book.reread(name)}
    for name in rebuilt:
        book.forget(name)
    done: list[Work] = []
    stopped: list[str] = []
    failed: list[str] = []

    def refine_one(name: str) -> None:
        fresh = {other.name for other in done} if source == "all" else set(sources)
        work = _plan(step, sources[name], book, fresh)
        work.rebuild = name in rebuilt
        if work.pending or work.retried:
            try:
                _refine_source(work)
            except SPARK_ERRORS as error:
                failed.append(f"{name}: Spark could not refine it: {mask_text(in_one_line(error))}")
                return
            done.append(work)
        stopped.extend(book.held(name, work))

    try:
        _in_order(depends_on(sources, names), refine_one)
    except FinlakeError:
        book.close(done)
        raise
    rows = book.close(done)
    if stopped or failed:
        raise ContractError("\n".join(sorted([*failed, *stopped])))
    return {"rows": rows}


def _in_order(graph: dict[str, set[str]], work: Callable[[str], None]) -> None:
    """Sources that do not wait for one another are refined side by side: planning, not data, takes most of the time."""
    order = TopologicalSorter(graph)
    order.prepare()
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        while order.is_active():
            running |= {pool.submit(work, name): name for name in order.get_ready()}
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                future.result()
                order.done(name)


def _plan(step: Step, source: Source, book: records.Book, fresh: set[str]) -> Work:
    """What is to be done: batches that are loaded but not accounted for, and rows that deserve another look.

    Rows that lacked a partner deserve it when the other source is among the `fresh` ones.
    """
    contract = contract_digest(source)
    work = Work(step, source, contract, book.pending(source.source, contract), book.layout(source.source))
    work.noted = any((source.source, batch) in book.doubled for batch in work.pending)
    for reference in references_of(source, step.config.sources):
        if step.lake.exists(f"silver.{reference.source}"):
            work.references.append(reference)
            work.again += [reference.rule] if reference.source in fresh else []
        elif work.pending:
            step.warn(
                f"{source.source}: “{reference.rule}” is not checked, because there is no silver.{reference.source} yet"
            )
    if step.lake.exists(work.table("quarantine")):
        mine = F.col("_batch").isin(work.pending)
        again = waiting(contract, work.again) & ~mine
        found = work.read("quarantine").agg(F.count_if(again).alias("again"), F.count_if(mine).alias("mine")).first()
        work.retried, work.waited = (int(found["again"]), found["mine"] > 0) if found else (0, False)
    return work


def _retried(work: Work) -> DataFrame:
    again = waiting(work.contract, work.again)
    return work.read("quarantine").where(again & ~F.col("_batch").isin(work.pending)).select("_row_id")


def _refine_source(work: Work) -> None:
    source, lake = work.source, work.step.lake
    if not work.rebuild:
        records.check_layout(work)
    judged = _staged(work, _judge(work))
    fresh = judged.frame.where(F.col("_batch").isin(work.pending))
    if work.pending:
        work.counts = tally(fresh, judged.checks)
    if work.pending and table_rules(source):
        ask_tables(fresh, source, work.counts)
    work.held = {batch: "; ".join(why) for batch, counts in work.counts.items() if (why := why_held(counts, source))}
    frame = with_held(judged.frame, work.held)
    if work.retried or work.held or any(counts.broken for counts in work.counts.values()):
        _quarantine(work, frame.where(~is_good()))
    good = with_clocks(frame.where(is_good()), source)
    timed = timeline(good, source, _touched(work, good))
    _note_doubles(work, timed, frame)
    _write_silver(work, silver_rows(timed, source))
    with _SHARED:
        lake.view(
            f"silver.{work.name}_current",
            f"SELECT * FROM silver.{work.name} WHERE known_to IS NULL",
            about=f"The latest version of each row. {source.about}",
        )
    if work.retried or work.waited:
        _release(work)
    records.report(work)
    lake.drop(_staging(work))


def _write_silver(work: Work, rows: DataFrame) -> None:
    """Adds new versions; of rows that are there, only the end of their time changes."""
    lake, table, about = work.step.lake, work.table("silver"), work.source.about
    comments, cluster_by = silver_comments(work.source), work.source.key[:4]
    if work.rebuild:
        lake.overwrite(table, rows, about=about, comments=comments, cluster_by=cluster_by)
    elif lake.exists(table):
        lake.merge(table, rows, on=["_row_id", "_part"], update=["known_to"], comments=comments)
    else:
        lake.append(table, rows, about=about, comments=comments, cluster_by=cluster_by)


def _staging(work: Work) -> str:
    return f"ops.refining_{work.name}"


def _staged(work: Work, judged: Judged) -> Judged:
    """The judged rows as a table of this run: they are read several times, and judging is the dear part."""
    work.step.lake.overwrite(_staging(work), judged.frame, about="Work of refine in progress.")
    return Judged(work.step.lake.read(_staging(work)), judged.checks)


def _judge(work: Work) -> Judged:
    bronze = work.read("bronze")
    rows = bronze.where(F.col("_batch").isin(work.pending))
    if work.retried:
        again = bronze.where(~F.col("_batch").isin(work.pending)).withColumn("_row_id", row_id())
        rows = rows.unionByName(again.join(_retried(work), "_row_id", "left_semi").drop("_row_id"))
    tables: dict[str, DataFrame | None] = {r.source: work.step.lake.read(f"silver.{r.source}") for r in work.references}
    return judge(rows, work.source, work.step.now, work.references, tables)


def _touched(work: Work, good: DataFrame) -> DataFrame | None:
    """Silver's rows of the keys that occur in new rows."""
    if work.rebuild or not work.step.lake.exists(work.table("silver")):
        return None
    return work.read("silver").join(good.select(*work.source.key).distinct(), work.source.key, "left_semi")


def _quarantine(work: Work, broken: DataFrame) -> None:
    rows = quarantine_rows(broken, work.source, work.contract, work.step.now)
    lake, table = work.step.lake, work.table("quarantine")
    about = f"Rows of {work.name} that may not enter silver, personal values masked, with the reasons."
    if work.retried or work.waited:
        lake.merge(table, rows, on=["_row_id"], update=[*work.source.columns, *UPDATED], about=about)
    else:
        lake.append(table, rows, about=about)


def _note_doubles(work: Work, timed: DataFrame, frame: DataFrame) -> None:
    """Notes rows that came again, and sends those that contradict an earlier row to quarantine."""
    lake = work.step.lake
    with _SHARED:
        empty = lake.spark.createDataFrame([], DUPLICATES)
        lake.create("ops.duplicates", empty, about="Rows that came again, and of which row.")
    doubles = timed.where(F.col("_class").isin(DUPLICATE, CONFLICT))
    found = doubles.agg(
        F.count(F.lit(1)).alias("all"), F.count_if(F.col("_class") == CONFLICT).alias("conflicts")
    ).first()
    if found is None or not found["all"]:
        return
    noted = doubles.select(
        F.lit(work.name).alias("source"),
        F.col("_batch").alias("batch"),
        "_row_id",
        F.col("_first").alias("of_row_id"),
        (F.col("_class") == DUPLICATE).alias("same_values"),
    )
    with _SHARED:
        if work.retried or work.noted:
            lake.merge("ops.duplicates", noted, on=["source", "_row_id"], update=["of_row_id", "same_values"])
        else:
            lake.append("ops.duplicates", noted)
    if found["conflicts"]:
        conflicts = doubles.where(F.col("_class") == CONFLICT).select("_row_id")
        _quarantine(work, conflicting(frame.join(conflicts, "_row_id", "left_semi"), work.source))


def _release(work: Work) -> None:
    """Marks rows that were in quarantine and now are in silver, or are duplicates of rows there."""
    lake = work.step.lake
    if not lake.exists(work.table("quarantine")):
        return
    waiting_rows = work.read("quarantine").where("_released_at IS NULL")
    settled = work.read("silver").select("_row_id")
    doubles = lake.read("ops.duplicates").where((F.col("source") == work.name) & F.col("same_values")).select("_row_id")
    released = waiting_rows.join(settled.unionByName(doubles), "_row_id", "left_semi")
    released = released.withColumn("_released_at", F.lit(work.step.now))
    if not released.isEmpty():
        lake.merge(work.table("quarantine"), released, on=["_row_id"], update=["_released_at"])
