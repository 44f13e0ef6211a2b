"""The book of received files: ops.files, written before and after their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime

from finlake.lakehouse import Lake
from finlake.lakehouse.ops import FILES

DONE = ("loaded", "empty")


@dataclass
class Entry:
    """One row of ops.files. Times are aware and in UTC."""

    source: str
    file: str
    file_digest: str
    batch: str
    bytes: int
    rows: int | None
    status: str
    reason: str
    header: list[str]
    new_columns: list[str]
    missing_columns: list[str]
    modified_at: datetime
    arrived_at: datetime


class Ledger:
    """All entries, and those that changed since the last save."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._entries: dict[tuple[str, str], Entry] = {}
        self._changed: dict[tuple[str, str], Entry] = {}
        if lake.exists("ops.files"):
            names = [field.name for field in fields(Entry)]
            for row in lake.read("ops.files").select(*names).toLocalIterator():
                entry = Entry(**row.asDict())
                entry.modified_at, entry.arrived_at = _utc(entry.modified_at), _utc(entry.arrived_at)
                self._entries[entry.source, entry.file_digest] = entry

    def of(self, source: str, *statuses: str) -> list[Entry]:
        """A source's entries in order of arrival."""
        found = (
            e for (name, _), e in self._entries.items() if name == source and (not statuses or e.status in statuses)
        )
        return sorted(found, key=lambda entry: (entry.arrived_at, entry.batch, entry.file))

    def get(self, source: str, digest: str) -> Entry | None:
        return self._entries.get((source, digest))

    def put(self, entry: Entry) -> None:
        self._entries[entry.source, entry.file_digest] = self._changed[entry.source, entry.file_digest] = entry

    def save(self) -> None:
        """Writes what changed, as one commit."""
        if not self._changed:
            return
        frame = self._lake.spark.createDataFrame([astuple(entry) for entry in self._changed.values()], FILES)
        update = [field.name for field in fields(Entry) if field.name not in ("source", "file_digest", "arrived_at")]
        about = "every file that arrived: planned, loaded, refused (with the reason), empty or vanished"
        if self._lake.exists("ops.files"):
            self._lake.merge("ops.files", frame, on=["source", "file_digest"], update=update, about=about)
        else:
            self._lake.append("ops.files", frame, about=about)
        self._changed = {}


def batch_name(digests: Iterable[str]) -> str:
    """The same files are the same batch."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:12]


def last_arrival(entries: Sequence[Entry]) -> tuple[datetime | None, int | None, bool]:
    """When the latest file arrived, how many rows came with its batch, and whether all files are one batch."""
    done = [entry for entry in entries if entry.status in DONE]
    if not done:
        return None, None, False
    latest = max(entry.arrived_at for entry in done)
    batches = {entry.batch for entry in done if entry.arrived_at == latest}
    rows = sum(entry.rows or 0 for entry in done if entry.batch in batches)
    return latest, rows, all(entry.batch in batches for entry in done)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
