"""Files as they would arrive: stable names, complete or absent, stamped with the time of delivery."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.draws import lookup
from finlake.simulation.world import ZONE

FILE = "_file"
_SUFFIX = {"csv": "csv", "json": "jsonl", "xml": "xml", "parquet": "parquet"}


@dataclass(frozen=True)
class Slot:
    """One file: the days [first, last] of sending that it holds, and when it is delivered."""

    name: str
    first: date
    last: date
    delivered: datetime


@dataclass(frozen=True)
class Delivery:
    """How one source is written."""

    source: str
    prefix: str
    format: str
    slots: tuple[Slot, ...]
    options: dict[str, str] = field(default_factory=dict)
    gzip: bool = False
    order: tuple[str, ...] = ()

    def path(self, slot: Slot) -> str:
        return f"{self.source}/{self.prefix}_{slot.name}.{_SUFFIX[self.format]}{'.gz' if self.gzip else ''}"


def slots(start: date, periods: Sequence[int]) -> tuple[Slot, ...]:
    """Files of so many days each, one after the other, delivered at 01:30 on the morning after."""
    made, first = [], start
    for days in periods:
        last = first + timedelta(days=days - 1)
        name = str(first) if days == 1 else f"{first}_{last}"
        made.append(Slot(name, first, last, morning_after(last)))
        first = last + timedelta(days=1)
    return tuple(made)


def morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(1, 30), ZoneInfo(ZONE)).astimezone(UTC)


def slot_number(delivery: Delivery, sent: Column) -> Column:
    """Which file a row sent at this UTC time is in; the first also has what is older, null after the last."""
    first = delivery.slots[0].last
    table = [0]
    for number, slot in enumerate(delivery.slots[1:], 1):
        table += [number] * ((slot.last - slot.first).days + 1)
    day = F.datediff(F.to_date(F.from_utc_timestamp(sent, ZONE)), F.lit(first))
    return lookup(F.greatest(day, F.lit(0)), table)


def write(frame: DataFrame, delivery: Delivery, wanted: Sequence[int], out_dir: Path, work: Path) -> dict[str, str]:
    """Writes a frame that has `_file`, one of the wanted; path in `out_dir` -> digest of the file's bytes.

    A file appears under its name only when it is complete; one that is there with the same bytes is not touched.
    """
    folder = work / delivery.source
    laid_out = frame.repartition(FILE).sortWithinPartitions(FILE, *delivery.order)
    writer = laid_out.write.mode("overwrite").partitionBy(FILE).format(delivery.format).options(**delivery.options)
    if delivery.gzip:
        writer = writer.option("compression", "gzip")
    writer.save(str(folder))
    written: dict[str, str] = {}
    for number in wanted:
        parts = [p for p in folder.glob(f"{FILE}={number}/*") if not p.name.startswith((".", "_"))]
        if len(parts) > 1:
            raise RuntimeError(f"{delivery.source}: file {number} was written in {len(parts)} parts")
        if parts:
            slot = delivery.slots[number]
            written[delivery.path(slot)] = _place(parts[0], out_dir / delivery.path(slot), slot.delivered)
    shutil.rmtree(folder)
    return written


def _place(part: Path, target: Path, delivered: datetime) -> str:
    digest = file_digest(part)
    if target.exists() and file_digest(target) == digest:
        return digest
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_name(f".{target.name}.arriving")
    shutil.move(part, hidden)
    os.utime(hidden, (delivered.timestamp(), delivered.timestamp()))
    os.replace(hidden, target)
    return digest


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
