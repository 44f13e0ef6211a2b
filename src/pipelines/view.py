"""A view that BI reads, and the small pieces of SQL that several of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class View:
    """Made only where all that it `needs` is there: tables, and views made before it."""

    name: str
    about: str
    sql: str
    needs: tuple[str, ...]
    comments: Mapping[str, str] = field(default_factory=dict)  # of columns that mean something else than elsewhere


def first_of(table: str, by: str, order: str, most: int = 1) -> str:
    """A query for the first rows of each group; QUALIFY is Databricks' alone."""
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS _first FROM {table}"
    return f"SELECT * EXCEPT (_first) FROM ({numbered}) WHERE _first <= {most}"


def wilson(hits: str, rows: str, side: int) -> str:
    """SQL: the lower (-1) or upper (1) end of the 95% interval of a share (Wilson, 1927); NULL without rows."""
    z = 1.96
    share, more = f"try_divide({hits}, {rows})", f"try_divide({z * z}, {rows})"
    spread = f"{z} * sqrt(try_divide({share} * (1 - {share}), {rows}) + try_divide({more}, 4 * {rows}))"
    return f"(({share} + {more} / 2 {'+' if side > 0 else '-'} {spread}) / (1 + {more}))"


def psi(expected: str, seen: str) -> str:
    """SQL: population stability of two arrays of counts; an empty bin counts as half a row, as in models.metrics."""
    first, second = _shares(expected), _shares(seen)
    return f"aggregate(zip_with({first}, {second}, (e, s) -> (s - e) * ln(s / e)), 0D, (sum, x) -> sum + x)"


def _shares(counts: str) -> str:
    total = f"aggregate({counts}, 0D, (sum, x) -> sum + x + 0.5D)"
    return f"transform({counts}, x -> (x + 0.5D) / {total})"
