"""The online store in a file: SQLite with a write-ahead log."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from finlake.errors import BusyError, FinlakeError, SetupError, TableError
from finlake.serving.base import NEWEST, Said, SqlStore
from finlake.serving.sql import Statements, identifier
from finlake.serving.store import Row, Table

WAIT = 10.0  # seconds
_CHECKPOINT = 0.5  # seconds between two
_BACKSTOP = 20_000  # pages of the log at which a commit checkpoints itself after all


class SqliteStore(SqlStore):
    """One file, its log and its index beside it, on a disk of this machine: the log needs shared memory.

    A commit survives the end of the process; after a power cut the last ones may be missing, never half of one.

    Args:
        path: the file; folders and file are made where there are none.
        wait: for how many seconds at most another process's lock is waited for.
    """

    _mark = "?"
    _types = {"whole": "INTEGER", "number": "REAL", "text": "TEXT"}
    _number = "INTEGER PRIMARY KEY AUTOINCREMENT"

    def __init__(self, path: Path, wait: float = WAIT) -> None:
        super().__init__()
        self._path, self._wait = path, wait
        self._depth = 0
        self._checkpoints = _Checkpoints(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=wait, isolation_level=None, cached_statements=1024)
        except (OSError, sqlite3.Error) as error:
            raise self._said(error) from error
        try:
            self._write_ahead()
            self._change("PRAGMA synchronous = NORMAL")
            self._rows(f"PRAGMA wal_autocheckpoint = {_BACKSTOP}")
            if not self._rows("SELECT 1 FROM sqlite_master WHERE name = ?", (NEWEST,)):
                with self.transaction():
                    for statement in self._own_layout():
                        self._change(statement)
        except FinlakeError:
            self.close()
            raise
        self._checkpoints.start()

    def _write_ahead(self) -> None:
        """SQLite does not wait for the lock that this takes."""
        until = time.monotonic() + self._wait
        while self._rows("PRAGMA journal_mode") != [("wal",)]:
            try:
                self._rows("PRAGMA journal_mode = WAL")
            except BusyError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        self._checkpoints.stop()
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        begin, commit, undo = "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]
        if inner := f"inner_{self._depth}" if self._depth else "":
            begin, commit, undo = f"SAVEPOINT {inner}", f"RELEASE {inner}", [f"ROLLBACK TO {inner}", f"RELEASE {inner}"]
        self._change(begin)
        self._depth += 1
        try:
            yield
            self._change(commit)
        except BaseException:
            self._known.clear()
            if self._open():
                for statement in undo:
                    self._change(statement)
            raise
        finally:
            self._depth -= 1

    def turn(self) -> AbstractContextManager[None]:
        return self.transaction()

    def _open(self) -> bool:
        """Whether there is something to undo: a full disk ends a transaction, as closing does."""
        try:
            return self._connection.in_transaction
        except sqlite3.ProgrammingError:
            return False

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise self._said(error) from error

    def _change(self, sql: str, values: Sequence[Any] = ()) -> int:
        try:
            return self._connection.execute(sql, values).rowcount
        except (sqlite3.Error, OverflowError) as error:
            raise self._said(error) from error

    def _several(self, asked: Sequence[Said]) -> list[list[Row]]:
        return [self._rows(*one) for one in asked]

    def _change_several(self, changes: Sequence[Said]) -> None:
        # A savepoint inside of a transaction would copy every page that is changed.
        with nullcontext() if self._depth else self.transaction():
            for one in changes:
                self._change(*one)

    def _put_one(self, said: Statements, row: Row) -> Said:
        return said.put, row

    def _put_many(self, said: Statements, rows: list[Row]) -> int:
        with self.transaction():
            try:
                return self._connection.executemany(said.put, rows).rowcount
            except (sqlite3.Error, OverflowError) as error:
                raise self._said(error) from error

    def _forget(self, said: Statements, keys: Sequence[str], until: int) -> int:
        sql = f'DELETE FROM {self._name(said.table.name)} WHERE "key" IN (SELECT value FROM json_each(?)) AND "since" <= ?'
        return self._change(sql, (json.dumps(list(keys)), until))

    def _name(self, table: str) -> str:
        return identifier(table)

    def _layout(self, table: Table) -> list[str]:
        name = self._name(table.name)
        return [
            f"CREATE TABLE {name} ({self._columns(table)}, "
            'PRIMARY KEY ("entity", "at", "since", "key"), UNIQUE ("key")) STRICT, WITHOUT ROWID',
            *(
                f'CREATE INDEX "{table.name}.{column}" ON {name} ({identifier(column)})'
                for column in sorted(set(table.indexed))
            ),
        ]

    def _lock_layout(self) -> None:
        """A transaction has the only lock there is."""

    def _settled(self) -> int:
        """Lines are numbered under the lock that commits them."""
        return 2**63 - 1

    def _said(self, error: Exception) -> FinlakeError:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return BusyError(
                f"another process keeps the online store {self._path} locked for {self._wait:g} s; try again"
            )
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            return SetupError(f"the online store {self._path} was closed; open it again")
        if primary in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH) or isinstance(
            error, sqlite3.ProgrammingError | OverflowError
        ):
            return TableError(f"the online store {self._path} refuses: {error}")
        return SetupError(
            f"the online store {self._path} cannot be used: {error}; it must be a file of SQLite that this user may "
            "write, on a disk of this machine with room left; online.path of the target may name another place"
        )


class _Checkpoints(threading.Thread):
    """Moves the log into the file beside the decisions; inside a commit it made every sixtieth ten times as long."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="checkpoints", daemon=True)
        self._path, self._ended = path, threading.Event()

    def stop(self) -> None:
        self._ended.set()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        while not self._ended.wait(_CHECKPOINT):
            # busy, full or gone: the next one may do, and a commit says what is wrong
            with (
                suppress(sqlite3.Error),
                closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=rw", uri=True)) as connection,
            ):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
