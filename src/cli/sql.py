"""`finlake sql`: lists and queries the lake."""

from __future__ import annotations

import csv
import json
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from finlake.cli.options import Options
from finlake.errors import FinlakeError, TableError
from finlake.lakehouse import Lake, open_lake
from finlake.lakehouse.format import is_lake
from finlake.lakehouse.names import READING, kinds_of
from finlake.lakehouse.spark_errors import SPARK_ERRORS


def run_sql(options: Options, query: str | None, form: str, limit: int) -> dict[str, Any]:
    """Prints at most `limit` rows, and says when there are more.

    Raises:
        TableError: the query is not valid or would change something, or names a table or column there is not.
    """
    if query:
        refuse_writing(query)
    config = options.config()
    if config.target.lake and not is_lake(Path(config.target.lake)):
        raise TableError(
            f"there is no lake in {config.target.lake}; --lake names the folder of one, `finlake run` makes it"
        )
    lake = open_lake(config)
    columns, rows = listing(lake) if not query else fetch(lake, query, limit + 1)
    more = bool(query) and len(rows) > limit
    show(columns, rows[:limit] if query else rows, form)
    if more:
        click.echo(f"… more than {limit} rows; --limit shows more", err=True)
    return {}


def refuse_writing(query: str) -> None:
    """One SELECT, SHOW or DESCRIBE passes: the steps alone write, and record what they wrote.

    Raises:
        TableError: anything else.
    """
    words = kinds_of(query)
    if len(words) != 1 or words[0] not in READING:
        seen = ", ".join(words).upper() or "nothing"
        raise TableError(
            f"finlake sql reads: one SELECT, SHOW or DESCRIBE; got {seen}. Tables are written by the steps"
        )


def fetch(lake: Lake, query: str, limit: int) -> tuple[list[str], list[list[Any]]]:
    """Columns and the first rows of a query, as plain values."""
    try:
        frame = lake.sql(query)
        return frame.columns, [list(row) for row in frame.limit(limit).collect()]
    except FinlakeError:
        raise
    except SPARK_ERRORS as error:
        raise TableError(_first_lines(str(error))) from error


def listing(lake: Lake) -> tuple[list[str], list[list[Any]]]:
    """Tables and views with what they are about; tables with their version."""
    rows: list[list[Any]] = [[name, "table", lake.version(name), about(lake, name)] for name in lake.tables()]
    rows += [[name, "view", None, view.about] for name, view in lake.views().items()]
    return ["name", "kind", "version", "about"], sorted(rows)


def about(lake: Lake, name: str) -> str:
    """The table's comment."""
    lake.exists(name)
    described = lake.spark.sql(f"DESCRIBE DETAIL {lake.names.full(name)}").first()
    return (described["description"] or "") if described else ""


def show(columns: list[str], rows: list[list[Any]], form: str) -> None:
    if form == "json":
        click.echo(
            json.dumps(
                [dict(zip(columns, map(_jsonable, row), strict=True)) for row in rows],
                indent=1,
            )
        )
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if value is None else _text(value) for value in row] for row in rows])
    else:
        cells = [columns, *([_text(value) for value in row] for row in rows)]
        widths = [min(max(len(row[i]) for row in cells), 80) for i in range(len(columns))]
        for number, row in enumerate(cells):
            click.echo("  ".join(_fit(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if number == 0:
                click.echo("  ".join("─" * width for width in widths))


def _fit(cell: str, width: int) -> str:
    return (cell if len(cell) <= width else cell[: width - 1] + "…").ljust(width)


def _jsonable(value: Any) -> Any:
    if hasattr(value, "asDict"):
        return {key: _jsonable(item) for key, item in value.asDict().items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, Decimal | datetime | date | bytes):
        return str(value)
    return value


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    plain = _jsonable(value)
    return (
        plain
        if isinstance(plain, str)
        else json.dumps(plain, ensure_ascii=False)
        if isinstance(plain, dict | list)
        else str(plain)
    )


def _first_lines(text: str) -> str:
    """Spark's message without the plan behind it."""
    return (
        text.split(";\n", maxsplit=1)[0].split("\n== SQL", maxsplit=1)[0].split("JVM stacktrace", maxsplit=1)[0].strip()
    )
