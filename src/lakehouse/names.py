"""Two-part names people write -> full names of the target's catalog and tenant."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

from finlake.errors import TableError, UnknownNameError

SCHEMAS = ("bronze", "silver", "gold", "features", "scores", "bi", "ops", "quarantine")
READING = ("select", "show", "describe")
logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements like SHOW, which it leaves to Spark


@dataclass(frozen=True)
class Names:
    """Assembles names; the only place that knows catalogs and tenants' prefixes."""

    catalog: str
    tenant: str | None = None

    def schema(self, schema: str) -> str:
        """`acme_silver` for a tenant, else `silver`."""
        if schema not in SCHEMAS:
            raise UnknownNameError("schema", schema, SCHEMAS)
        return f"{self.tenant}_{schema}" if self.tenant else schema

    def full(self, name: str) -> str:
        """`silver.loans` -> a quoted three-level name."""
        schema, table = self.split(name)
        return f"`{self.catalog}`.`{self.schema(schema)}`.`{table}`"

    def split(self, name: str) -> tuple[str, str]:
        schema, dot, table = name.partition(".")
        if not dot or not table:
            raise TableError(f"a table is named <schema>.<table>, got {name!r}; schemas are {', '.join(SCHEMAS)}")
        return schema, table

    def qualify(self, sql: str) -> str:
        """SQL with every two-part table name made full; the rest of the text stays as written."""
        wanted = set(tables_in(sql))
        tokens = sqlglot.tokenize(sql, read="databricks")
        parts: list[str] = []
        end = 0
        for before, first, dot, second in zip([None, *tokens], tokens, tokens[1:], tokens[2:], strict=False):
            name = f"{first.text}.{second.text}"
            follows_dot = before is not None and before.token_type == TokenType.DOT
            if dot.token_type == TokenType.DOT and name in wanted and not follows_dot:
                parts += [sql[end : first.start], self.full(name)]
                end = second.end + 1
        return "".join([*parts, sql[end:]])


def literal(text: object) -> str:
    """A text as SQL writes it."""
    escaped = str(text).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def tables_in(sql: str) -> list[str]:
    """Two-part table names a statement reads, in order of appearance.

    Raises:
        TableError: the text is not SQL; the message has line and column.
    """
    found: dict[str, None] = {}
    for tree in _parsed(sql):
        for table in tree.find_all(exp.Table):
            if table.db in SCHEMAS and not table.catalog:
                found[f"{table.db}.{table.name}"] = None
    return list(found)


_MOVING = frozenset(
    "current_date current_datetime current_time current_timestamp current_timezone current_user input_file_name "
    "localtimestamp monotonically_increasing_id rand randn randstr session_user shuffle spark_partition_id uniform "
    "user uuid".split()
)


def moves_by_itself(sql: str) -> bool:
    """Whether the same tables of the lake may give another answer: a statement asks for the time, for chance or for its
    reader, or reads something else (another catalog, files, a function of the catalog).

    Raises:
        TableError: the text is not SQL.
    """
    return any(_asks_more(tree) or _reads_more(tree) for tree in _parsed(sql))


def _asks_more(tree: exp.Expression) -> bool:
    named = {node.name if isinstance(node, exp.Anonymous) else node.sql_name() for node in tree.find_all(exp.Func)}
    bare = {node.name for node in tree.find_all(exp.Column) if not node.table}  # these need no brackets
    return bool(_MOVING & {name.lower() for name in named | bare})


def _reads_more(tree: exp.Expression) -> bool:
    named = {part.alias for part in tree.find_all(exp.CTE)}
    if any(isinstance(part, exp.Anonymous) for dot in tree.find_all(exp.Dot) for part in dot.iter_expressions()):
        return True
    return any(
        table.catalog or (table.db not in SCHEMAS and (table.db or table.name not in named))
        for table in tree.find_all(exp.Table)
    )


def kinds_of(sql: str) -> list[str]:
    """What each statement of a text is, for example `select`.

    Raises:
        TableError: the text is not SQL.
    """
    return ["select" if isinstance(tree, exp.Query) else str(tree.this if isinstance(tree, exp.Command) else tree.key).lower()
            for tree in _parsed(sql)]  # fmt: skip


def _parsed(sql: str) -> list[exp.Expression]:
    try:
        return [tree for tree in sqlglot.parse(sql, read="databricks") if tree is not None]
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        place = f" at line {detail['line']}, column {detail['col']}" if "line" in detail else ""
        raise TableError(f"not valid SQL{place}: {detail.get('description', error)}") from error
