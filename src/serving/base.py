"""What the stores share: everything but the driver."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, ClassVar, Self

from finlake.errors import TableError, UnknownNameError, suggestion
from finlake.serving.sql import OWN, Statements, checked, identifier, in_words, newest, shape, statements, table_of
from finlake.serving.store import Asked, Kind, Publication, Row, Served, Table

ALWAYS = -(2**63)  # the earliest moment there is
NEWEST = "_identity"  # of the store's own tables the one that stores of earlier versions lack
_PUBLICATION = '"use_case", "definition", "watermark", "published_at", "expires_after", "reason", "refused"'
_SERVED = '"use_case", "decision_key", "at", "moment", "watermark", "definition", "values"'

Said = tuple[str, Sequence[Any]]  # a statement and its values


class SqlStore(ABC):
    """An `OnlineStore` in a database; a subclass knows its driver and how tables are laid out there."""

    _mark: ClassVar[str]
    _types: ClassVar[Mapping[Kind, str]]
    _number: ClassVar[str]  # type of a key that the database counts up

    def __init__(self) -> None:
        self._known: dict[str, Statements] = {}

    @abstractmethod
    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]: ...

    @abstractmethod
    def _change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Runs a statement; how many rows it changed."""

    @abstractmethod
    def _several(self, asked: Sequence[Said]) -> list[list[Row]]:
        """The rows of several statements."""

    @abstractmethod
    def _change_several(self, changes: Sequence[Said]) -> None:
        """Runs at least one statement, each of another table: all of them, or after an error none."""

    @abstractmethod
    def _put_one(self, said: Statements, row: Row) -> Said:
        """Puts one row."""

    @abstractmethod
    def _put_many(self, said: Statements, rows: list[Row]) -> int:
        """Puts several rows, each of another key; how many were stored."""

    @abstractmethod
    def _forget(self, said: Statements, keys: Sequence[str], until: int) -> int:
        """Deletes what the keys held until then."""

    @abstractmethod
    def _name(self, table: str) -> str:
        """What the database calls a table whose name was checked."""

    @abstractmethod
    def _layout(self, table: Table) -> list[str]:
        """Statements that create a table."""

    @abstractmethod
    def _lock_layout(self) -> None:
        """Inside a transaction: until its end no other process creates or drops."""

    @abstractmethod
    def _settled(self) -> int:
        """A number of the log up to which no line is still being written."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def turn(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # tables

    def create(self, tables: Iterable[Table]) -> None:
        with self.transaction():
            self._lock_layout()
            for table in tables:
                self._create(checked(table))

    def _create(self, table: Table) -> None:
        found = self._described(table.name)
        if found is None:
            for statement in self._layout(table):
                self._change(statement)
            sql = f"INSERT INTO {self._name('_tables')} VALUES ({self._marks(2)})"
            self._change(sql, (table.name, shape(table)))
        elif shape(found) != shape(table):
            raise TableError(
                f"online table {table.name} is there with other columns: {in_words(found)}; wanted: {in_words(table)}. "
                "Drop it and fill it again, or use another name"
            )

    def drop(self, names: Iterable[str]) -> None:
        with self.transaction():
            self._lock_layout()
            for name in names:
                if self._described(name) is not None:
                    self._change(f"DROP TABLE {self._name(name)}")
                    self._change(f'DELETE FROM {self._name("_tables")} WHERE "name" = {self._mark}', (name,))
                self._known.pop(name, None)

    def tables(self) -> list[str]:
        return [name for (name,) in self._rows(f'SELECT "name" FROM {self._name("_tables")} ORDER BY "name"')]

    def _described(self, name: str) -> Table | None:
        found = self._rows(f'SELECT "shape" FROM {self._name("_tables")} WHERE "name" = {self._mark}', (name,))
        return table_of(name, found[0][0]) if found else None

    def _of(self, name: str) -> Statements:
        if (said := self._known.get(name)) is None:
            table = self._described(name)
            if table is None:
                raise TableError(f"there is no online table {name!r}{suggestion(name, self.tables())}")
            said = statements(table, self._name(name), self._mark)
            self._known[name] = said
        return said

    # rows

    def put(self, table: str, rows: Iterable[Row]) -> int:
        said = self._of(table)
        found = newest(said.table, rows)
        if len(found) == 1:
            return self._change(*self._put_one(said, found[0]))
        return self._put_many(said, found) if found else 0

    def forget(self, table: str, keys: Sequence[str], until: int) -> int:
        return self._forget(self._of(table), keys, until) if keys else 0

    def window(self, table: str, entity: str, low: int | None, high: int) -> list[Row]:
        return self._rows(*self._asking(table, entity, low, high))

    def windows(self, asked: Sequence[Asked]) -> list[list[Row]]:
        return self._several([self._asking(*one) for one in asked])

    def look(self, use_case: str, asked: Sequence[Asked]) -> tuple[Publication | None, list[list[Row]]]:
        first, *rest = self._several([self._in_charge(use_case), *(self._asking(*one) for one in asked)])
        return next(map(_publication, first), None), rest

    def _asking(self, table: str, entity: str, low: int | None, high: int) -> Said:
        return self._of(table).window, (entity or None, ALWAYS if low is None else low, high)  # nothing equals NULL

    def matching(self, table: str, column: str, value: str | None) -> list[Row]:
        said = self._of(table)
        if column not in said.matching:
            raise UnknownNameError("indexed column", column, said.matching, f"online table {table}")
        return self._rows(said.matching[column], (value,))

    def prune(self, table: str, before: int) -> int:
        return self._change(self._of(table).prune, (before,))

    # publications and answers

    def publish(self, publication: Publication) -> None:
        self._record(publication, refused=False)

    def refuse(self, publication: Publication) -> None:
        self._record(publication, refused=True)

    def _record(self, said: Publication, *, refused: bool) -> None:
        values = (said.use_case, said.definition, said.watermark, said.published_at, said.expires_after, said.reason)
        sql = f"INSERT INTO {self._name('_publications')} ({_PUBLICATION}) VALUES ({self._marks(7)})"
        self._change(sql, (*values, int(refused)))

    def publication(self, use_case: str) -> Publication | None:
        return next(map(_publication, self._rows(*self._in_charge(use_case))), None)

    def publications(self, use_case: str) -> list[Publication]:
        rows = self._rows(*self._recorded(use_case, 'ORDER BY "number" DESC'))
        return [_publication(row) for row in rows]

    def _in_charge(self, use_case: str) -> Said:
        return self._recorded(use_case, 'AND "refused" = 0 ORDER BY "number" DESC LIMIT 1')

    def _recorded(self, use_case: str, rest: str) -> Said:
        name = self._name("_publications")
        return f'SELECT {_PUBLICATION} FROM {name} WHERE "use_case" = {self._mark} {rest}', (use_case,)

    def served(
        self,
        use_case: str,
        decision_key: str,
        at: int,
        moment: int,
        watermark: int,
        definition: str,
        values: Mapping[str, float | None],
        rows: Sequence[tuple[str, Row]] = (),
    ) -> None:
        text = json.dumps({name: None if value != value else value for name, value in values.items()})
        sql = f"INSERT INTO {self._name('_served')} ({_SERVED}) VALUES ({self._marks(7)}) ON CONFLICT DO NOTHING"
        changes: list[Said] = [(sql, (use_case, decision_key, at, moment, watermark, definition, text))]
        for table, row in rows:
            said = self._of(table)
            changes += [self._put_one(said, one) for one in newest(said.table, [row])]
        self._change_several(changes)

    def served_since(self, use_case: str, number: int, limit: int = 100_000) -> list[Served]:
        sql = (
            f'SELECT "number", {_SERVED} FROM {self._name("_served")} WHERE "use_case" = {self._mark} '
            f'AND "number" > {self._mark} AND "number" <= {self._mark} ORDER BY "number" LIMIT {self._mark}'
        )
        rows = self._rows(sql, (use_case, number, self._settled(), limit))
        return [Served(*(*rest, json.loads(text))) for *rest, text in rows]

    def forget_served(self, use_case: str, until: int) -> int:
        sql = f'DELETE FROM {self._name("_served")} WHERE "use_case" = {self._mark} AND "number" <= {self._mark}'
        return self._change(sql, (use_case, until))

    def identity(self) -> str:
        return str(self._rows(f'SELECT "identity" FROM {self._name(NEWEST)}')[0][0])

    # layout

    def _marks(self, count: int) -> str:
        return ", ".join([self._mark] * count)

    def _columns(self, table: Table) -> str:
        own = (f"{identifier(column.name)} {self._types[column.kind]} NOT NULL" for column in OWN)
        return ", ".join([*own, *(f"{identifier(column.name)} {self._types[column.kind]}" for column in table.columns)])

    def _own_layout(self) -> list[str]:
        """Statements that create the store's own tables where they are missing."""
        text, whole = f"{self._types['text']} NOT NULL", f"{self._types['whole']} NOT NULL"
        number = f'"number" {self._number}, "use_case" {text}'
        create = "CREATE TABLE IF NOT EXISTS"
        return [
            f'{create} {self._name("_publications")} ({number}, "definition" {text}, "watermark" {whole}, '
            f'"published_at" {whole}, "expires_after" {self._types["whole"]}, "reason" {text}, "refused" {whole})',
            f'{create} {self._name("_served")} ({number}, "decision_key" {text}, "at" {whole}, "moment" {whole}, '
            f'"watermark" {whole}, "definition" {text}, "values" {text}, '
            'UNIQUE ("use_case", "decision_key", "moment", "watermark"))',
            *(
                f'CREATE INDEX IF NOT EXISTS "{table}_number" ON {self._name(table)} ("use_case", "number")'
                for table in ("_publications", "_served")
            ),
            f'{create} {self._name("_tables")} ("name" {self._types["text"]} PRIMARY KEY, "shape" {text})',
            f'{create} {self._name(NEWEST)} ("identity" {text})',
            f"INSERT INTO {self._name(NEWEST)} SELECT '{uuid.uuid4().hex}' "
            f"WHERE NOT EXISTS (SELECT 1 FROM {self._name(NEWEST)})",
        ]


def _publication(row: Row) -> Publication:
    *rest, refused = row
    return Publication(*(*rest, bool(refused)))
