"""Bounded reads of the lake, and how each page says what it was made from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from finlake.lakehouse import Lake

Row = dict[str, Any]


def rows(lake: Lake, sql: str) -> list[Row]:
    """A query whose answer a page can hold."""
    return [row.asDict(recursive=True) for row in lake.sql(sql).collect()]


def first_of(table: str, by: str, order: str, most: int = 1) -> str:
    """A query for the first rows of each group; QUALIFY is not in every Spark."""
    return f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS _first FROM {table}) WHERE _first <= {most}"


def of_view(lake: Lake, name: str, order: str, most: int, by: str = "use_case") -> dict[str, list[Row]]:
    """The first rows of each group of a view that `finlake publish` made, in their order; none where it is not there."""
    if name not in lake.views():
        return {}
    return grouped(rows(lake, first_of(name, by, order, most) + f" ORDER BY {by}, _first"), by)


def of_table(lake: Lake, name: str, order: str, most: int, by: str = "use_case") -> dict[str, list[Row]]:
    """The first rows of each group of a table; none where it is not there."""
    if not lake.exists(name):
        return {}
    return grouped(rows(lake, first_of(name, by, order, most) + f" ORDER BY {by}, _first"), by)


def grouped(found: Iterable[Row], by: str) -> dict[str, list[Row]]:
    made: dict[str, list[Row]] = {}
    for row in found:
        made.setdefault(row[by], []).append(row)
    return made


def versions(lake: Lake, names: Iterable[str]) -> dict[str, int]:
    """Version of each of the tables that are there."""
    return {name: lake.version(name) for name in names if lake.exists(name)}
