"""Reads the marts' SQL without running it: tables, columns, described outputs, circles."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from finlake.config.load import Config, Problem
from finlake.config.mart import Mart
from finlake.config.source import Source
from finlake.config.words import compared, never_held, unread
from finlake.errors import suggestion

VERSION_COLUMNS = ("event_ts", "known_from", "known_to", "_row_id", "_part", "_batch")
_OPEN_SCHEMAS = ("bronze", "features", "scores", "bi", "ops", "quarantine")
Columns = dict[str, None]


def check_marts(config: Config) -> list[Problem]:
    """Problems of all marts, at the line of the SELECT or the header they are in."""
    found: list[Problem] = []
    reads: dict[str, set[str]] = {}
    for name, mart in config.marts.items():
        offset = _first_sql_line(config, mart)
        document = config.documents[("mart", name)]

        def say(message: str, line: int | None, *keys: object, offset: int = offset, name: str = name) -> Problem:
            if line is None:
                return config.problem("mart", name, message, *keys)
            return Problem(config.documents[("mart", name)].path, line + offset - 1, message)

        try:
            trees = [tree for tree in sqlglot.parse(mart.sql, read="databricks") if tree]
        except SqlglotError as error:
            detail = (getattr(error, "errors", None) or [{}])[0]
            found.append(say(f"not valid SQL: {detail.get('description', error)}", detail.get("line", 1)))
            continue
        if len(trees) != 1 or not isinstance(trees[0], exp.Query):
            found.append(say("a mart is one SELECT", 1))
            continue
        reads[name] = {table.name for table in trees[0].find_all(exp.Table) if table.db == "gold"}
        found += [say(message, line, *keys) for message, line, keys in _Checker(config, mart, trees[0]).run()]
        for column in mart.cluster_by:
            if column not in mart.columns:
                hint = suggestion(column, mart.columns)
                found.append(
                    Problem(document.path, document.line("cluster_by"), f"cluster_by: no column {column!r}{hint}")
                )
    try:
        list(TopologicalSorter({name: used & set(config.marts) for name, used in reads.items()}).static_order())
    except CycleError as error:
        circle = [str(name) for name in error.args[1]]
        found.append(
            config.problem("mart", circle[0], f"marts read each other in a circle: {' → '.join(circle)}", "mart")
        )
    return found


def _first_sql_line(config: Config, mart: Mart) -> int:
    """Line of the file where the SELECT begins."""
    head, _, sql = config.documents[("mart", mart.mart)].path.read_text("utf-8").partition("*/")
    return 1 + head.count("\n") + sql[: len(sql) - len(sql.lstrip())].count("\n")


Told = Iterator[tuple[str, int | None, tuple[object, ...]]]


class _Checker:
    """One mart's SELECT against the contracts and the headers of other marts."""

    def __init__(self, config: Config, mart: Mart, tree: exp.Query) -> None:
        self.config, self.mart, self.tree = config, mart, tree

    def run(self) -> Told:
        known = True
        for table in self.tree.find_all(exp.Table):
            message = self._table(table)
            if message:
                known = False
                yield message, _line(table), ()
        if not known:
            return
        for scope in traverse_scope(self.tree):
            for column in scope.columns:
                if message := self._column(scope, column):
                    yield message, _line(column), ()
            for column, value in compared(scope.expression):
                contract = self._contract_of(scope, column)
                if contract and (message := never_held(column.name, value, contract)):
                    yield message, _line(column), ()
        yield from self._outputs()

    def _table(self, table: exp.Table) -> str:
        if not table.db:
            defined = {cte.alias for cte in self.tree.find_all(exp.CTE)}
            if table.name in defined or not isinstance(table.this, exp.Identifier):
                return ""
            names = [f"silver.{name}" for name in self.config.silver] + [f"gold.{name}" for name in self.config.marts]
            near = next((name for name in names if name.split(".")[1] == table.name), "")
            return f"table {table.name!r} has no schema" + (
                f"; write {near}" if near else "; write for example silver.payments_current"
            )
        name = f"{table.db}.{table.name}"
        if table.db == "silver":
            if any(unread(self.config, f, table.name.removesuffix("_current")) for f in ("sources", "networks")):
                return ""
            known = [f"silver.{source}{end}" for source in self.config.sources for end in ("", "_current")]
            known += [f"silver.{network}" for network in self.config.networks]
        elif table.db == "gold":
            known = [f"gold.{mart}" for mart in self.config.marts]
        elif table.db in _OPEN_SCHEMAS:
            return ""
        else:
            schemas = ("silver", "gold", *_OPEN_SCHEMAS)
            return f"unknown schema {table.db!r}{suggestion(table.db, schemas)}"
        return "" if name in known else f"no table {name!r}{suggestion(name, known)}"

    def _columns_of(self, source: exp.Expression | Scope) -> Columns | None:
        """Column names in lower case; None when they cannot be told from configuration."""
        if isinstance(source, Scope):
            return self._outputs_of(source)
        if not isinstance(source, exp.Table):
            return None
        if source.db == "silver":
            contract = self._contract(source)
            if contract is None:
                return None
            return dict.fromkeys(name.lower() for name in [*contract.silver_columns, *VERSION_COLUMNS])
        if source.db == "gold" and source.name in self.config.marts:
            return dict.fromkeys(name.lower() for name in self.config.marts[source.name].columns)
        return None

    def _contract(self, table: exp.Table) -> Source | None:
        return self.config.silver.get(table.name.removesuffix("_current")) or self.config.silver.get(table.name)

    def _contract_of(self, scope: Scope, column: exp.Column) -> Source | None:
        """The contract of a column that a SELECT takes from a silver table itself, not from another SELECT."""
        if not any(column is own for own in scope.columns):
            return None
        only = next(iter(scope.selected_sources), "") if len(scope.selected_sources) == 1 else ""
        table = scope.sources.get(column.table or only)
        return self._contract(table) if isinstance(table, exp.Table) and table.db == "silver" else None

    def _outputs_of(self, scope: Scope) -> Columns | None:
        query = scope.expression
        if not isinstance(query, exp.Query):
            return None
        while isinstance(query, exp.SetOperation):
            query, scope = query.this, scope.union_scopes[0] if scope.union_scopes else scope
        made: Columns = {}
        for item in query.selects:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                star = item if isinstance(item, exp.Star) else item.this
                if (
                    star.args.get("except_")
                    or star.args.get("except")
                    or star.args.get("replace")
                    or star.args.get("rename")
                ):
                    return None
                wanted = [item.table] if isinstance(item, exp.Column) and item.table else list(scope.selected_sources)
                for name in wanted:
                    columns = self._columns_of(scope.sources[name]) if name in scope.sources else None
                    if columns is None:
                        return None
                    made |= columns
            elif not item.alias_or_name:
                return None
            else:
                made[item.alias_or_name.lower()] = None
        return made

    def _column(self, scope: Scope, column: exp.Column) -> str:
        if isinstance(column.this, exp.Star) or scope.expression.args.get("laterals"):
            return ""
        name = column.name.lower()
        around: Scope | None = scope
        reach: Columns = {}
        while around is not None:
            if column.table in around.sources:
                columns = self._columns_of(around.sources[column.table])
                if columns is None or name in columns:
                    return ""
                return f"{column.table!r} has no column {column.name!r}{suggestion(name, columns)}"
            for source in around.selected_sources:
                columns = self._columns_of(around.sources[source])
                if columns is None:
                    return ""
                reach |= columns
            around = around.parent if around.is_subquery else None
        if column.table:
            if column.table.lower() in reach:
                return ""
            return f"no table or alias {column.table!r}{suggestion(column.table, scope.sources)}"
        aliases = {item.alias.lower() for item in getattr(scope.expression, "selects", []) if item.alias}
        if name in reach or name in aliases:
            return ""
        return f"no column {column.name!r} in the tables this SELECT reads{suggestion(name, reach)}"

    def _outputs(self) -> Told:
        scopes = traverse_scope(self.tree)
        made = self._outputs_of(scopes[-1]) if scopes else None
        if made is None:
            return
        described = {name.lower(): name for name in self.mart.columns}
        for lower, name in described.items():
            if lower not in made:
                yield f"columns: the SELECT makes no column {name!r}{suggestion(lower, made)}", None, ("columns", name)
        missing = [name for name in made if name not in described]
        if missing:
            yield f"columns: the header does not describe {', '.join(missing)}", None, ("columns",)


def _line(node: exp.Expression) -> int:
    """Line of a node within the SQL text."""
    for part in [node.this, *node.find_all(exp.Identifier)]:
        if isinstance(part, exp.Expression) and "line" in part.meta:
            return int(part.meta["line"])
    return 1
