"""Step ingest: new files of the landing folder become rows of bronze, once each, and every file is accounted for."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.masking import mask_text
from finlake.contracts.received.files import Found, broken, content_digest, find, shown, takes
from finlake.contracts.received.inspection import CORRUPT, Inspection
from finlake.contracts.received.reading import Received, inspect, read_batch
from finlake.errors import FinlakeError, FreshnessError, InputError
from finlake.lakehouse.spark_errors import SPARK_ERRORS, in_one_line
from finlake.pipelines.arrivals import judge_arrivals
from finlake.pipelines.ledger import DONE, Entry, Ledger, batch_name
from finlake.pipelines.pan_key import pan_key
from finlake.pipelines.step import Step

_THREADS = 4


@dataclass
class Work:
    """What one source has to load in this run; `others` are files of its folder that it does not read.

    Loaded files whose path or name matches `again` are read once more.
    """

    source: Source
    again: str = ""
    others: list[Path] = field(default_factory=list)
    batches: dict[str, list[Received]] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def ingest(step: Step, source: str = "all", again: str = "") -> dict[str, object]:
    """Loads every new file of one source or of all, and returns the new rows of each.

    Files that match the pattern `again` are read again though they are loaded, and their new rows take the place of the
    old ones: for a contract whose `read` was wrong.

    Files and batches are written to ops.files before their rows are written to bronze, and marked loaded after; a run
    that was stopped anywhere is finished by the next one. A source that fails does not stop the others.

    Raises:
        InputError: files were refused, or a source could not be read; what could be loaded is loaded.
        FreshnessError: data is missing, late or too small.
    """
    names = list(step.config.sources) if source == "all" else [step.config.source(source).source]
    ledger = Ledger(step.lake)
    work = {name: Work(step.config.sources[name], again) for name in names}
    for one in work.values():
        _guarded(one, partial(_plan, step, one, ledger))
    _warn_of_unclaimed(step, work)
    if again and not any(one.batches or one.problems for one in work.values()):
        raise InputError(f'no file matches --again {again!r}; `finlake sql "SELECT file FROM ops.files"` lists them')
    ledger.save()
    key = None
    if any(one.batches and _has_pan(one.source) for one in work.values()):
        key = pan_key(step)
    for one in work.values():
        _guarded(one, partial(_load, step, one, ledger, key))
    rows = _mark_loaded(step, work, ledger)
    ledger.save()
    stale = judge_arrivals(step, names, ledger)
    problems = [problem for one in work.values() for problem in one.problems]
    if problems:
        raise InputError("\n".join([*problems, *stale]))
    if stale:
        raise FreshnessError("\n".join(stale))
    return dict(rows)


def _guarded(one: Work, action: Callable[[], None]) -> None:
    try:
        action()
    except FinlakeError as error:
        one.problems.append(f"{one.source.source}: {mask_text(str(error))}")
    except SPARK_ERRORS as error:
        one.problems.append(f"{one.source.source}: Spark could not read the files: {mask_text(in_one_line(error))}")


def _has_pan(source: Source) -> bool:
    return any(column.pii == "pan" for column in source.columns.values())


# planning


def _warn_of_unclaimed(step: Step, work: dict[str, Work]) -> None:
    """Files that no source reads are said: sources may share a folder by their patterns."""
    landing, reads = step.lake.landing, [source.read for source in step.config.sources.values()]
    others = sorted({path for one in work.values() for path in one.others})
    files = [path for path in others if not any(takes(landing, read, path) for read in reads)]
    if files:
        name, more = shown(os.path.relpath(files[0], landing)), len(files) - 1
        and_more = f" and {more} more" if more else ""
        step.warn(f"{name}{and_more}: no source takes it (unfinished, or outside every `pattern`); it is not read")


def _plan(step: Step, one: Work, ledger: Ledger) -> None:
    """Finds files, refuses what cannot be read, and enters new ones into the ledger as one planned batch."""
    name = one.source.source
    planned = {entry.file_digest: entry for entry in ledger.of(name, "planned")}
    one.loaded = [batch for batch in sorted({e.batch for e in planned.values()}) if _written(step, name, batch)]
    planned = {digest: entry for digest, entry in planned.items() if entry.batch not in one.loaded}
    found, one.others = find(step.lake.landing, one.source.read)
    open_ = _not_loaded(step, one, found, ledger)
    looks = _looks(step, one.source, list(open_.values()))
    new: dict[str, Inspection] = {}
    for digest, file in open_.items():
        look = looks[file]
        if look.problem:
            _refuse(step, one, ledger, digest, file, look)
        elif look.empty:
            step.warn(f"{name}: {file.file} is empty (0 bytes)")
            ledger.put(_entry(ledger, name, digest, file, look, step.now, "", "empty", rows=0))
        elif digest in planned:
            one.batches.setdefault(planned[digest].batch, []).append(
                Received(file, look, digest, planned[digest].arrived_at)
            )
        else:
            new[digest] = look
    for digest, entry in planned.items():
        if digest not in open_:
            _vanish(step, ledger, entry)
    _enter(step, one, ledger, {digest: open_[digest] for digest in new}, new)


def _not_loaded(step: Step, one: Work, found: list[Found], ledger: Ledger) -> dict[str, Found]:
    """Content digest -> file, without what is loaded; unchanged loaded files are known by name, size and time."""
    name, done = (
        one.source.source,
        {(entry.file, entry.bytes, entry.modified_at) for entry in ledger.of(one.source.source, *DONE)},
    )
    done = {known for known in done if not _matches(known[0], one.again)}
    unknown = [file for file in found if (file.file, file.bytes, file.modified) not in done]
    with ThreadPoolExecutor(_THREADS) as pool:
        digests = list(pool.map(content_digest, unknown))
    open_: dict[str, Found] = {}
    for file, digest in zip(unknown, digests, strict=True):
        known = ledger.get(name, digest)
        if file.changed():
            step.warn(f"{name}: {file.file} is still being written; it is read in the next run")
        elif known and known.batch in one.loaded and known.status == "planned":
            continue
        elif known and known.status in DONE and not _matches(file.file, one.again):
            step.say(f"{name}: {file.file} has the same content as {known.file}, which is loaded; skipped")
        elif digest in open_:
            step.say(f"{name}: {file.file} has the same content as {open_[digest].file}; one of them is loaded")
        else:
            open_[digest] = file
    return open_


def _matches(file: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(file, pattern) or fnmatch.fnmatchcase(Path(file).name, pattern)


def _looks(step: Step, source: Source, files: list[Found]) -> dict[Found, Inspection]:
    """Inspections; a file that is damaged as a whole is not looked into."""
    with ThreadPoolExecutor(_THREADS) as pool:
        damage = dict(zip(files, pool.map(broken, files), strict=True))
    looks = {file: Inspection(problem=f"the file {why}") for file, why in damage.items() if why}
    looks |= {file: Inspection(empty=True) for file in files if not file.bytes and file not in looks}
    return looks | inspect(step.lake.spark, source, [file for file in files if file not in looks])


def _enter(step: Step, one: Work, ledger: Ledger, files: dict[str, Found], looks: dict[str, Inspection]) -> None:
    """Plans a batch of new files, and says what their headers have more or less than the contract."""
    if not files:
        return
    name = one.source.source
    before = {entry.batch for digest in files if (entry := ledger.get(name, digest))}
    batch = batch_name([*files, *sorted(before - {""})])
    for digest, file in files.items():
        entry = _entry(ledger, name, digest, file, looks[digest], step.now, batch, "planned")
        ledger.put(entry)
        one.batches.setdefault(batch, []).append(Received(file, looks[digest], digest, entry.arrived_at))
    for kind, of, what in (
        ("new", lambda look: tuple(look.match.extra), "kept in _extra; add them to the contract to use them"),
        ("missing", lambda look: look.match.missing, "null in bronze"),
    ):
        seen: dict[tuple[str, ...], list[str]] = {}
        for digest, look in looks.items():
            if columns := of(look):
                seen.setdefault(columns, []).append(files[digest].file)
        for columns, where in seen.items():
            more = f" and {len(where) - 1} more" if len(where) > 1 else ""
            step.warn(f"{name}: {kind} columns {mask_text(', '.join(columns))} in {where[0]}{more}: {what}")


def _refuse(step: Step, one: Work, ledger: Ledger, digest: str, file: Found, look: Inspection) -> None:
    name = one.source.source
    before = ledger.get(name, digest)
    reason = mask_text(look.problem)
    again = " (refused before; it is refused until it is mended, moved away, or the contract fits it)"
    if before and before.rows is not None:
        one.problems.append(f"{name}: {file.file} cannot be read again, its rows stay as they are: {reason}")
        _keep(step, ledger, before)
        return
    repeated = again if before and before.status == "refused" else ""
    one.problems.append(f"{name}: refused {file.file}: {reason}{repeated}")
    ledger.put(_entry(ledger, name, digest, file, look, step.now, "", "refused", reason=reason))


def _keep(step: Step, ledger: Ledger, entry: Entry) -> None:
    """A file that was to be read again and cannot be: its rows are those of the batch they came with."""
    rows = step.lake.read(f"bronze.{entry.source}").where(F.col("_file_digest") == entry.file_digest)
    found = rows.select("_batch").first()
    entry.status, entry.batch = "loaded", found["_batch"] if found else entry.batch
    ledger.put(entry)


def _vanish(step: Step, ledger: Ledger, entry: Entry) -> None:
    """A planned file that is gone, and whose batch an earlier run did not write."""
    if entry.rows is not None:
        step.warn(f"{entry.source}: {entry.file} left the landing folder before it was read again; its rows stay")
        _keep(step, ledger, entry)
        return
    reason = "was planned by an earlier run and left the landing folder before it was loaded"
    step.warn(f"{entry.source}: {entry.file} {reason}; put it back to load it")
    entry.status, entry.reason = "vanished", reason
    ledger.put(entry)


def _entry(
    ledger: Ledger,
    name: str,
    digest: str,
    file: Found,
    look: Inspection,
    now: datetime,
    batch: str,
    status: str,
    reason: str = "",
    rows: int | None = None,
) -> Entry:
    """The time of arrival is the file's own, but never after the moment the step stands at; it stays as first noted.

    A file that is read again keeps its count of rows until the new ones are there.
    """
    before = ledger.get(name, digest)
    rows = before.rows if before and rows is None else rows
    arrived = before.arrived_at if before else min(file.modified, now)
    header = [mask_text(column) for column in look.header]
    extra = [mask_text(column) for column in look.match.extra]
    missing = list(look.match.missing)
    return Entry(
        name, file.file, digest, batch, file.bytes, rows, status, reason, header, extra, missing, file.modified, arrived
    )  # fmt: skip


# loading


def _load(step: Step, one: Work, ledger: Ledger, key: bytes | None) -> None:
    """Writes each planned batch to bronze as one commit, the oldest first."""
    name = one.source.source
    if one.batches:
        count = sum(len(files) for files in one.batches.values())
        step.say(f"{name}: reading {count} file{'s' if count > 1 else ''}")
    for batch, files in sorted(
        one.batches.items(), key=lambda item: (min(file.arrived_at for file in item[1]), item[0])
    ):
        if moved := [file.found.file for file in files if file.found.changed()]:
            raise InputError(f"{moved[0]} was written to or removed while it was read; run ingest again")
        try:
            _write(step, one, ledger, batch, files, key)
        except SPARK_ERRORS:
            readable = _readable(step, one, ledger, files, key)
            if len(readable) == len(files):
                raise
            if not readable:
                continue
            batch = batch_name(file.digest for file in readable)
            for file in readable:
                look = file.inspection
                ledger.put(_entry(ledger, name, file.digest, file.found, look, step.now, batch, "planned"))
            ledger.save()
            _write(step, one, ledger, batch, readable, key)
        one.loaded.append(batch)


def _write(step: Step, one: Work, ledger: Ledger, batch: str, files: list[Received], key: bytes | None) -> None:
    name = one.source.source
    entries = [ledger.get(name, file.digest) for file in files]
    again = any(entry and entry.rows is not None for entry in entries)
    digests = ", ".join(f"'{file.digest}'" for file in files)
    step.lake.append(
        f"bronze.{name}",
        read_batch(step.lake.spark, one.source, batch, files, key),
        txn=(f"bronze.{name}.{batch}", 1),
        instead_of=f"_file_digest IN ({digests})" if again else "",
        about=f"{one.source.about} As received; card numbers are tokens.",
        comments={column: spec.about for column, spec in one.source.columns.items()} | _COMMENTS,
    )


def _readable(step: Step, one: Work, ledger: Ledger, files: list[Received], key: bytes | None) -> list[Received]:
    """The files that can be read to their end, each tried alone; the others are refused."""
    readable: list[Received] = []
    for file in files:
        try:
            rows = read_batch(step.lake.spark, one.source, "", [file], key)
            rows.write.format("noop").mode("overwrite").save()
            readable.append(file)
        except SPARK_ERRORS as error:
            why = f"the file begins well but cannot be read to its end ({in_one_line(error)}); send it again"
            _refuse(step, one, ledger, file.digest, file.found, replace(file.inspection, problem=why))
    return readable


def _written(step: Step, name: str, batch: str) -> bool:
    table = f"bronze.{name}"
    return step.lake.exists(table) and not step.lake.read(table).where(F.col("_batch") == batch).isEmpty()


def _mark_loaded(step: Step, work: dict[str, Work], ledger: Ledger) -> dict[str, int]:
    """Counts the rows of all batches just written, and closes their entries."""
    rows = _counted(step, work)
    total: dict[str, int] = {}
    for name, one in work.items():
        entries = [entry for entry in ledger.of(name, "planned") if entry.batch in one.loaded]
        corrupt = 0
        for entry in entries:
            count, broken_rows = rows.get((name, entry.file_digest), (0, 0))
            entry.rows, entry.status = count, "loaded"
            corrupt += broken_rows
            ledger.put(entry)
            if broken_rows * 10 > count:
                step.warn(
                    f"{name}: {broken_rows:,} of {count:,} rows of {entry.file} could not be parsed; if `read` in the "
                    f"contract is wrong, mend it, then `finlake ingest --source {name} --again '{entry.file}'`"
                )
            if not count:
                step.warn(f"{name}: {entry.file} has a header and no rows")
        total[name] = sum(entry.rows or 0 for entry in entries)
        if entries:
            files = f"{len(entries)} file{'s' if len(entries) > 1 else ''}"
            unparsed = f", {corrupt:,} of them could not be parsed" if corrupt else ""
            step.say(f"{name}: {files}, {total[name]:,} rows{unparsed}")
        elif not one.problems:
            step.say(f"{name}: nothing new")
    return total


def _counted(step: Step, work: dict[str, Work]) -> dict[tuple[str, str], tuple[int, int]]:
    """Source and digest of a file -> its rows, and how many of them did not parse; one query for all batches."""
    selects = [
        f"SELECT '{name}' AS source, _file_digest AS digest, count(*) AS rows, count({CORRUPT}) AS corrupt "
        f"FROM bronze.{name} WHERE _batch IN ({', '.join(repr(batch) for batch in one.loaded)}) GROUP BY _file_digest"
        for name, one in work.items()
        if one.loaded
    ]
    found = step.lake.sql(" UNION ALL ".join(selects)).collect() if selects else []
    return {(row["source"], row["digest"]): (row["rows"], row["corrupt"]) for row in found}


_COMMENTS = {
    "_source": "the contract's name",
    "_batch": "files that were loaded together",
    "_file": "file, relative to the landing folder",
    "_file_digest": "SHA-256 of the file as received",
    "_row": "number of the row within its file, from 1",
    "_arrived_at": "the file's time, but not after the moment the step stood at",
    "_extra": "columns the contract does not know",
    CORRUPT: "raw text of a row that did not parse, card numbers masked",
}
