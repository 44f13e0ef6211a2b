"""Names inside configuration: silver columns, zones, times of day, and the columns an SQL expression uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import time
from zoneinfo import ZoneInfo, available_timezones

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finlake.config.load import Config
from finlake.config.source import Source
from finlake.errors import ConfigError, suggestion

Found = Iterator[tuple[str, tuple[object, ...]]]


def silver_column(source: Source, name: str, where: str, keys: tuple[object, ...], extra: Iterable[str] = ()) -> Found:
    """A problem if silver has no such column; a name as it arrives is answered with the one silver gives."""
    if name in source.silver_columns:
        return
    if name in source.columns:
        yield f"{where}: {name!r} is called {source.silver_names[name]!r} from silver on; write that", keys
    else:
        known = [*source.silver_columns, *extra]
        yield f"{where}: source {source.source!r} has no column {name!r}{suggestion(name, known)}", keys


def unread(config: Config, folder: str, name: str) -> bool:
    """The file that should define the name is there, and its own problem is reported."""
    path = config.root / folder / f"{name}.yml"
    return any(problem.file == path for problem in config.problems)


def known_zone(name: str) -> bool:
    """Whether the time zone database has it."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def time_of_day(text: str, where: str, keys: tuple[object, ...]) -> Found:
    """A problem unless the text is like `06:00 Europe/Berlin`."""
    clock, _, zone = text.strip().partition(" ")
    try:
        time.fromisoformat(clock.zfill(5))
    except ValueError:
        yield f"{where}: {text!r} is not a time of day and a zone, for example 06:00 Europe/Berlin", keys
        return
    if zone and not known_zone(zone):
        yield f"{where}: no time zone {zone!r}{suggestion(zone, available_timezones())}", keys


def sql_columns(text: str) -> list[tuple[str, str, int]]:
    """(qualifier, column, line) of each column an SQL expression uses; `this.x` has the qualifier `this`.

    Raises:
        ConfigError: the text is not one SQL expression.
    """
    found: dict[tuple[str, str, int], None] = {}
    for column in _tree(text).find_all(exp.Column):
        if not _inside_label(column):
            found[(column.table, column.name, int(column.this.meta.get("line", 1)))] = None
    return list(found)


def never_equal(text: str, source: Source, qualifier: str = "") -> Iterator[str]:
    """What an SQL expression compares columns with that silver never holds in them, each with what was probably meant.

    Args:
        text: the expression.
        source: the contract; a column is closed by its codes, or by a rule that quarantines every other value.
        qualifier: `this` where the source's columns are written `this.<column>`.

    Raises:
        ConfigError: the text is not one SQL expression.
    """
    for column, value in compared(_tree(text)):
        if column.table == qualifier and (message := never_held(column.name, value, source)):
            yield message


def never_held(name: str, text: str, source: Source) -> str:
    """What to say where a column is compared with a text that silver never holds in it; else nothing."""
    held = source.closed_set(name)
    if held is None or text in held:
        return ""
    code = source.silver_columns[name].codes.get(text)
    meant = f"; {text!r} is {code!r} from silver on" if code else suggestion(text, held)
    return f"{name} is never {text!r} in {source.source}{meant}"


def compared(tree: exp.Expression) -> Iterator[tuple[exp.Column, str]]:
    """Columns with the texts that they are compared with."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.In, exp.Case):
        if isinstance(node, exp.Case):
            others = [branch.this for branch in node.args["ifs"]]
        else:
            others = node.expressions if isinstance(node, exp.In) else [node.expression]
        for one, other in ((node.this, other) for other in others):
            left, right = (one, other) if isinstance(one, exp.Column) else (other, one)
            if isinstance(left, exp.Column) and isinstance(right, exp.Literal) and right.is_string:
                yield left, right.name


def _tree(text: str) -> exp.Expression:
    try:
        return sqlglot.parse_one(text, read="databricks")
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        raise ConfigError(f"{text!r} is not an SQL expression: {detail.get('description', error)}") from error


def _inside_label(node: exp.Expression) -> bool:
    """`label(use_case)` names a use case, not a column."""
    parent = node.parent
    return isinstance(parent, exp.Anonymous) and str(parent.this).lower() == "label"


def is_month(form: str | None) -> bool:
    """Whether a format has a month and no day."""
    bare = re.sub(r"'[^']*'", "", form or "")
    return "d" not in bare and ("M" in bare or "L" in bare)
