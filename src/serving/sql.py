"""What both stores say in SQL, and the names that may stand in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from finlake.errors import ConfigError, TableError, suggestion
from finlake.serving.store import Column, Kind, Row, Table

OWN = (Column("key", "text"), Column("entity", "text"), Column("at", "whole"), Column("since", "whole"))
_KINDS: tuple[Kind, ...] = ("whole", "number", "text")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_TABLE = re.compile(r"(?!sqlite_)[a-z][a-z0-9_]{0,199}")  # _names are the store's own
_LONGEST = 63  # PostgreSQL cuts longer names off


def identifier(name: str, pattern: re.Pattern[str] = _IDENTIFIER) -> str:
    """The name in quotes; of a long one the end is a digest of the whole.

    Raises:
        ConfigError: it is not made of at most 200 letters, digits and _.
    """
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be a name in the online store; use at most 200 letters, digits and _")
    if len(name) > _LONGEST:
        name = f"{name[:50]}_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return f'"{name}"'


def checked(table: Table) -> Table:
    """The table as it came.

    Raises:
        ConfigError: a name, a kind or an index that cannot be.
    """
    identifier(table.name, _TABLE)
    seen = {column.name for column in OWN}
    for column in table.columns:
        identifier(column.name)
        if column.name.lower() in seen:
            raise ConfigError(f"online table {table.name}: there are two columns {column.name!r}; rename one")
        if column.kind not in _KINDS:
            raise ConfigError(
                f"online table {table.name}: unknown kind {column.kind!r}{suggestion(column.kind, _KINDS)}"
            )
        seen.add(column.name.lower())
    texts = [column.name for column in table.columns if column.kind == "text"]
    for name in table.indexed:
        if name not in texts:
            raise ConfigError(f"online table {table.name}: no text column {name!r} to index{suggestion(name, texts)}")
    return table


def shape(table: Table) -> str:
    """A table's description as text; equal only for equal tables."""
    columns = [[column.name, column.kind] for column in table.columns]
    return json.dumps({"columns": columns, "indexed": sorted(set(table.indexed))})


def table_of(name: str, text: str) -> Table:
    """The table that `shape` described."""
    described = json.loads(text)
    return Table(name, tuple(Column(*pair) for pair in described["columns"]), tuple(described["indexed"]))


def in_words(table: Table) -> str:
    """The columns as a person reads them in a message."""
    columns = ", ".join(f"{column.name} {column.kind}" for column in table.columns) or "none"
    return f"{columns} (indexed: {', '.join(sorted(set(table.indexed))) or 'none'})"


@dataclass(frozen=True)
class Statements:
    """The statements of one table, made once."""

    table: Table
    put: str  # one row
    window: str
    prune: str
    matching: dict[str, str]


def statements(table: Table, name: str, mark: str) -> Statements:
    """Statements of a table that the database calls `name`, with `mark` for each value."""
    marks = ", ".join([mark] * (len(OWN) + len(table.columns)))
    values = "".join(f", {identifier(column.name)}" for column in table.columns)
    before = f'SELECT "key", "at", "since"{values} FROM {name} WHERE "entity" = {mark}'
    order = 'ORDER BY "at", "since", "key"'
    return Statements(
        table,
        f"INSERT INTO {name} AS held VALUES ({marks}) {replacing(table)}",
        f'{before} AND "at" >= {mark} AND "at" < {mark} {order}',
        f'DELETE FROM {name} WHERE "at" < {mark}',
        {
            column: f'SELECT "key", "entity", "at", "since"{values} FROM {name} WHERE {identifier(column)} = {mark} {order}'
            for column in table.indexed
        },
    )


def replacing(table: Table) -> str:
    """The end of an INSERT AS held: which stored rows a new one replaces, and with what."""
    columns = [identifier(column.name) for column in (*OWN[1:], *table.columns)]
    taken = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return f'ON CONFLICT ("key") DO UPDATE SET {taken} WHERE excluded."since" >= held."since"'


def newest(table: Table, rows: Iterable[Row]) -> list[Row]:
    """One row for each key, the newest and of equals the last, with "" for nobody.

    Raises:
        TableError: a row has too few or too many values.
    """
    width = len(OWN) + len(table.columns)
    found: dict[Any, Row] = {}
    for row in rows:
        if len(row) != width:
            raise TableError(
                f"a row of online table {table.name} has {len(row)} values, not {width}: key, entity, at, since and "
                f"{', '.join(column.name for column in table.columns)}"
            )
        held = found.get(row[0])
        if held is None or row[3] >= held[3]:
            found[row[0]] = row if row[1] is not None else (row[0], "", *row[2:])
    return list(found.values())
