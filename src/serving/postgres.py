"""The online store on a PostgreSQL server. Databricks Lakebase is one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from finlake.errors import BusyError, FinlakeError, SetupError, TableError
from finlake.serving.base import NEWEST, Said, SqlStore
from finlake.serving.sql import OWN, Statements, identifier, replacing
from finlake.serving.store import Kind, Row, Table

WAIT = 10.0  # seconds
_FORMS: dict[Kind, str] = {"text": "s", "whole": "d", "number": ""}
_AT_ONCE = 5_000  # rows a statement


class PostgresStore(SqlStore):
    """One schema of a database.

    Args:
        dsn: a connection string.
        schema: made where there is none.
        wait: for how many seconds at most the server's first answer, and another session's lock, is waited for.
    """

    _mark = "%s"
    # By code points, as SQLite and Python compare, whatever the database's own order.
    _types = {"whole": "bigint", "number": "double precision", "text": 'text COLLATE "C"'}
    _number = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

    def __init__(self, dsn: str, schema: str, wait: float = WAIT) -> None:
        super().__init__()
        self._schema = identifier(schema)
        self._place = _place(dsn)
        try:
            self._connection = psycopg.connect(
                dsn,
                autocommit=True,
                client_encoding="utf8",
                connect_timeout=max(2, round(wait)),
                fallback_application_name="finlake",
            )
        except psycopg.Error as error:
            raise SetupError(
                f"the online store at {self._place} cannot be reached: {_first(error)}; check that the server runs and "
                "that the dsn of the target's online store names it with a user who may log in"
            ) from error
        self._connection.prepared_max = 1024
        self._cursor = self._connection.cursor(binary=True)
        try:
            self._change(f"SET lock_timeout = {round(wait * 1000)}")
            self._lay_out()
        except FinlakeError:
            self.close()
            raise

    def _lay_out(self) -> None:
        found = "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = %s"
        if self._rows(found, (self._schema.strip('"'), NEWEST)):
            return
        with self.transaction():
            self._lock_layout()
            for statement in [f"CREATE SCHEMA IF NOT EXISTS {self._schema}", *self._own_layout()]:
                self._change(statement)

    def close(self) -> None:
        self._connection.close()

    def turn(self) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self._connection.transaction():
                yield
        except BaseException as error:
            self._known.clear()
            if isinstance(error, psycopg.Error):
                raise self._said(error) from error
            raise

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        try:
            return self._cursor.execute(sql, values, prepare=True).fetchall()
        except psycopg.Error as error:
            raise self._said(error) from error

    def _several(self, asked: Sequence[Said]) -> list[list[Row]]:
        cursors = [self._connection.cursor(binary=True) for _ in asked]
        try:
            with self._connection.pipeline():
                for cursor, (sql, values) in zip(cursors, asked, strict=True):
                    cursor.execute(sql, values, prepare=True)
            return [cursor.fetchall() for cursor in cursors]
        except psycopg.Error as error:
            raise self._said(error) from error

    def _change_several(self, changes: Sequence[Said]) -> None:
        """As one statement: on a local socket a pipeline of several costs as much as one after the other."""
        first, *others = changes
        parts = ", ".join(f"change_{n} AS ({sql})" for n, (sql, _) in enumerate(others))
        values = [value for _, values in (*others, first) for value in values]
        self._change(f"WITH {parts} {first[0]}" if others else first[0], values)

    def _change(self, sql: str, values: Sequence[Any] = ()) -> int:
        try:
            return self._cursor.execute(sql, values, prepare=bool(values)).rowcount
        except psycopg.Error as error:
            raise self._said(error) from error

    def _put_one(self, said: Statements, row: Row) -> Said:
        """Without arrays, which take longer for one row; as text, so that one prepared statement does for all."""
        return said.put, [value for (value,) in _texts(said.table, [row])]

    def _put_many(self, said: Statements, rows: list[Row]) -> int:
        sql = self._put_arrays(said.table)
        if len(rows) <= _AT_ONCE:
            return self._change(sql, [*map(_array, _texts(said.table, rows))])
        with self.transaction():
            parts = (rows[first : first + _AT_ONCE] for first in range(0, len(rows), _AT_ONCE))
            return sum(self._change(sql, [*map(_array, _texts(said.table, part))]) for part in parts)

    def _forget(self, said: Statements, keys: Sequence[str], until: int) -> int:
        sql = f'DELETE FROM {self._name(said.table.name)} WHERE "key" = ANY(%s) AND "since" <= %s'
        return self._change(sql, (list(keys), until))

    def _name(self, table: str) -> str:
        return f"{self._schema}.{identifier(table)}"

    def _layout(self, table: Table) -> list[str]:
        """(entity, at, since, key) is unique too, but a second unique index would fail two writers of one row."""
        name = self._name(table.name)
        return [
            f'CREATE TABLE {name} ({self._columns(table)}, PRIMARY KEY ("key"))',
            f'CREATE INDEX ON {name} ("entity", "at", "since", "key")',
            *(f"CREATE INDEX ON {name} ({identifier(column)})" for column in sorted(set(table.indexed))),
        ]

    def _put_arrays(self, table: Table) -> str:
        """One statement for any number of rows, in the order of keys, so that two writers do not wait crosswise."""
        columns = (*OWN, *table.columns)
        types = ", ".join(f"%s::{self._types[column.kind].split(' COLLATE')[0]}[]" for column in columns)
        names = ", ".join(identifier(column.name) for column in columns)
        return (
            f"INSERT INTO {self._name(table.name)} AS held ({names}) SELECT {names} "
            f'FROM unnest({types}) AS given ({names}) ORDER BY "key" COLLATE "C" {replacing(table)}'
        )

    def _lock_layout(self) -> None:
        self._rows("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"finlake online {self._schema}",))

    def _settled(self) -> int:
        """Who got a number holds the table until the commit; the lock waits for these, and its holder for nobody."""
        name = self._name("_served")
        with self.transaction():
            self._change(f"LOCK TABLE {name} IN SHARE MODE")
            return int(self._rows(f'SELECT coalesce(max("number"), 0) FROM {name}')[0][0])

    def _said(self, error: psycopg.Error) -> FinlakeError:
        if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected | errors.QueryCanceled):
            return BusyError(f"another session keeps the online store at {self._place} locked; try again")
        if isinstance(error, errors.InsufficientPrivilege):
            return SetupError(
                f"the online store at {self._place} refuses: {_first(error)}; let the user create the schema "
                f"{self._schema}, or create it and give the user all rights on it"
            )
        if self._connection.closed or isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return SetupError(f"the online store at {self._place} was lost or closed: {_first(error)}; open it again")
        return TableError(f"the online store at {self._place} refuses: {_first(error)}")


def _place(dsn: str) -> str:
    """Database and host of a connection string, and nothing else of it.

    Raises:
        SetupError: it is none, or a character of the password was taken for the end of it.
    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.Error:
        parts = {"port": "unreadable"}
    host, port = str(parts.get("host") or "the default host"), str(parts.get("port") or "")
    if "@" in host or port.strip("0123456789,"):
        raise SetupError(
            "the dsn of the online store is no connection string; write postgresql://user:password@host:5432/database, "
            "with @ : / ? # % of the password as %40 %3A %2F %3F %23 %25"
        )
    return f"{host}, database {parts.get('dbname') or 'of the user'}"


def _first(error: psycopg.Error) -> str:
    """A driver's message without its hints and positions."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _texts(table: Table, rows: list[Row]) -> list[list[str | None]]:
    """The columns of rows, each value as PostgreSQL writes it, NaN as None.

    Raises:
        TableError: a value is not of its column's kind.
    """
    kinds = (column.kind for column in (*OWN, *table.columns))
    try:
        return [
            [None if value is None or value != value else format(value, _FORMS[kind]) for value in values]
            for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)
        ]
    except (TypeError, ValueError) as error:
        raise TableError(f"a value does not fit its column of online table {table.name}: {error}") from error


def _array(values: Iterable[str | None]) -> str:
    quoted = (v if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join("NULL" if value is None else value for value in quoted) + "}"
