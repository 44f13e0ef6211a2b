"""The SQL subset of definitions: text -> a small typed tree. No Spark here; `columns.py` compiles the tree.

Supported: numbers, texts, true, false, null, `DATE '2025-01-31'`; columns, `this.<column>`, `label(<use case>)`;
+ - * / %, = <> < <= > >=, and or not, in (…), between, is [not] null, like, case, cast; and the functions below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finlake.errors import ConfigError, suggestion

KINDS = {
    "money": "number", "integer": "number", "number": "number", "boolean": "boolean", "text": "text",
    "date": "time", "timestamp": "time",
}  # fmt: skip
# name -> (kinds of the arguments, kind of the result); `same` = all arguments and the result share a kind.
FUNCTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "abs": (("number",), "number"), "ceil": (("number",), "number"), "floor": (("number",), "number"),
    "sqrt": (("number",), "number"), "exp": (("number",), "number"), "ln": (("number",), "number"),
    "log10": (("number",), "number"), "sin": (("number",), "number"), "cos": (("number",), "number"),
    "sign": (("number",), "number"), "pow": (("number", "number"), "number"), "round": (("number",), "number"),
    "nullif": (("same", "same"), "same"), "coalesce": (("same", "..."), "same"),
    "greatest": (("same", "..."), "same"), "least": (("same", "..."), "same"),
    "hour": (("time",), "number"), "minute": (("time",), "number"), "dayofweek": (("time",), "number"),
    "day": (("time",), "number"), "dayofyear": (("time",), "number"), "month": (("time",), "number"),
    "quarter": (("time",), "number"), "year": (("time",), "number"), "datediff": (("time", "time"), "number"),
    "lower": (("text",), "text"), "upper": (("text",), "text"), "trim": (("text",), "text"),
    "length": (("text",), "number"), "great_circle_km": (("number", "number", "number", "number"), "number"),
}  # fmt: skip
EARTH_KM = 6371.0088  # mean radius (IUGG)
ZONED = ("hour", "minute", "dayofweek", "day", "dayofyear", "month", "quarter", "year", "datediff")
_NODES: dict[type[exp.Expression], str] = {
    exp.Abs: "abs", exp.Ceil: "ceil", exp.Floor: "floor", exp.Sqrt: "sqrt", exp.Exp: "exp", exp.Ln: "ln",
    exp.Sin: "sin", exp.Cos: "cos", exp.Sign: "sign", exp.Pow: "pow", exp.Round: "round", exp.Nullif: "nullif",
    exp.Coalesce: "coalesce", exp.Greatest: "greatest", exp.Least: "least", exp.Hour: "hour", exp.Minute: "minute",
    exp.DayOfWeek: "dayofweek", exp.Day: "day", exp.DayOfMonth: "day", exp.DayOfYear: "dayofyear", exp.Month: "month",
    exp.Quarter: "quarter", exp.Year: "year", exp.DateDiff: "datediff", exp.Lower: "lower", exp.Upper: "upper",
    exp.Trim: "trim", exp.Length: "length",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expression], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_COMPARE: dict[type[exp.Expression], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.NullSafeEQ: "<=>",
}  # fmt: skip
_CASTS = {
    "number": ("DOUBLE", "FLOAT", "DECIMAL"), "integer": ("INT", "BIGINT", "SMALLINT", "TINYINT"),
    "text": ("TEXT", "VARCHAR", "CHAR"), "date": ("DATE",), "timestamp": ("TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMPLTZ"),
}  # fmt: skip


_CAST_TO = {  # what Spark casts under ANSI
    "text": _CASTS.keys(), "time": _CASTS.keys(), "number": _CASTS.keys() - {"date"},
    "boolean": _CASTS.keys() - {"date", "timestamp"}, "null": _CASTS.keys(),
}  # fmt: skip
_COMPARED_WITH = {"number": "1", "text": "'…'", "time": "date '2025-01-31'"}
_LONE_ESCAPE = re.compile(r"(?:[^\\]|\\[%_\\])*\\(?![%_\\])", re.DOTALL)


@dataclass(frozen=True)
class Expr:
    """A node: `op` is column, this, label, literal, cast, an operator or a function; names are in `value`."""

    op: str
    kind: str
    args: tuple[Expr, ...] = ()
    value: Any = None

    def walk(self) -> Iterator[Expr]:
        yield self
        for arg in self.args:
            yield from arg.walk()

    def names(self, op: str) -> set[str]:
        """Names used as `column`, `this` or `label`."""
        return {node.value for node in self.walk() if node.op == op}


@dataclass(frozen=True)
class Scope:
    """What an expression may name: kinds of plain columns or features, of `this.<column>`, and labels."""

    columns: Mapping[str, str] = field(default_factory=dict)
    this: Mapping[str, str] | None = None
    labels: Collection[str] = ()
    about: str = "column"


def parse(text: str, scope: Scope, want: str | None = None) -> Expr:
    """The typed tree of an expression.

    Args:
        text: the expression as people write it.
        scope: the names it may use.
        want: `boolean` for conditions, `number` for values, `any` for what is only told apart; None: boolean or number.

    Raises:
        ConfigError: not an expression of the subset, an unknown name, or kinds that do not fit; with the position.
    """
    try:
        tree = sqlglot.parse_one(text, read="databricks")
    except SqlglotError as error:
        detail = (getattr(error, "errors", None) or [{}])[0]
        at = f" at character {detail['col']}" if "col" in detail else ""
        raise ConfigError(f"{text!r} is not an expression{at}: {detail.get('description', error)}") from error
    made = _Reader(text, scope).read(tree)
    if want == "boolean" and made.kind in _COMPARED_WITH:
        example = f"{text} = {_COMPARED_WITH[made.kind]}"
        raise ConfigError(f"{text!r} is {_a(made.kind)} where a condition is needed; compare it, for example {example}")
    if want == "any" and made.kind != "null":
        return made
    if (want == "number" and made.kind != "number") or made.kind not in ("number", "boolean"):
        advice = (
            "; map it to numbers, for example CASE WHEN … THEN 1 ELSE 0 END" if made.kind in ("text", "time") else ""
        )
        raise ConfigError(f"{text!r} is {_a(made.kind)} where {_a(want or 'number')} is needed{advice}")
    return made


def _a(kind: str) -> str:
    return {"boolean": "a condition", "null": "always null"}.get(kind, f"a {kind}")


class _Reader:
    """Turns sqlglot's tree into ours, refusing what is outside the subset."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope = text, scope

    def read(self, node: exp.Expression) -> Expr:
        kind = type(node)
        if kind in (exp.Paren, exp.TsOrDsToDate):
            return self.read(node.this)
        if kind in _ARITHMETIC:
            return Expr(_ARITHMETIC[kind], "number", self._typed(node, [node.left, node.right], "number"))
        if kind in _COMPARE:
            return Expr(_COMPARE[kind], "boolean", self._same(node, [node.left, node.right]))
        if kind in (exp.And, exp.Or):
            return Expr(
                "and" if kind is exp.And else "or", "boolean", self._typed(node, [node.left, node.right], "boolean")
            )
        if kind in _NODES:
            return self._call(_NODES[kind], node)
        reader = _READERS.get(kind)
        if reader is None:
            raise self._outside(node)
        return reader(self, node)

    def column(self, node: exp.Expression) -> Expr:
        name, table = node.name, node.text("table")
        if node.args.get("db") or (table and table != "this"):
            raise self._fail(node, f"write {name}, or this.{name} for the scored row's own column")
        if table == "this":
            if self.scope.this is None:
                raise self._fail(
                    node, "a condition on other rows cannot look at the scored row; use a ratio or a row expression"
                )
            if name not in self.scope.this:
                raise self._fail(node, f"the scored row has no column {name!r}{suggestion(name, self.scope.this)}")
            return Expr("this", self.scope.this[name], value=name)
        if name not in self.scope.columns:
            if self.scope.this and name in self.scope.this:
                raise self._fail(node, f"for the scored row's own column write this.{name}")
            raise self._fail(node, f"no {self.scope.about} {name!r}{suggestion(name, self.scope.columns)}")
        return Expr("column", self.scope.columns[name], value=name)

    def literal(self, node: exp.Expression) -> Expr:
        if isinstance(node, exp.Boolean):
            return Expr("literal", "boolean", value=bool(node.this))
        if isinstance(node, exp.Null):
            return Expr("literal", "null")
        return (
            Expr("literal", "text", value=node.name)
            if node.is_string
            else Expr("literal", "number", value=float(node.name))
        )

    def negation(self, node: exp.Expression) -> Expr:
        if isinstance(node, exp.Neg):
            return Expr("negative", "number", self._typed(node, [node.this], "number"))
        return Expr("not", "boolean", self._typed(node, [node.this], "boolean"))

    def presence(self, node: exp.Expression) -> Expr:
        if isinstance(node.expression, exp.Boolean):
            args = (*self._typed(node, [node.this], "boolean"), self.read(node.expression))
            return Expr("<=>", "boolean", args)
        if not isinstance(node.expression, exp.Null):
            raise self._outside(node)
        return Expr("is null", "boolean", (self.read(node.this),))

    def member(self, node: exp.Expression) -> Expr:
        if not node.expressions:
            raise self._outside(node)
        args = self._same(node, [node.this, *node.expressions])
        if any(arg.op != "literal" or arg.kind == "null" for arg in args[1:] if arg.op != "negative"):
            raise self._fail(node, "`in (…)` takes plain values, and null is never equal to anything")
        return Expr("in", "boolean", args)

    def between(self, node: exp.Expression) -> Expr:
        this, low, high = self._same(node, [node.this, node.args["low"], node.args["high"]])
        return Expr("and", "boolean", (Expr(">=", "boolean", (this, low)), Expr("<=", "boolean", (this, high))))

    def like(self, node: exp.Expression) -> Expr:
        args = self._typed(node, [node.this, node.expression], "text")
        if args[1].op != "literal" or args[1].kind != "text":
            raise self._fail(node, "`like` takes a plain text as its pattern")
        if _LONE_ESCAPE.match(str(args[1].value)):
            raise self._fail(node, "in a pattern a backslash stands before %, _ or another backslash; write it twice")
        return Expr("like", "boolean", args)

    def case(self, node: exp.Expression) -> Expr:
        """`case` and `if`: (condition, value, condition, value, …, otherwise)."""
        branches = [node] if isinstance(node, exp.If) else node.args["ifs"]
        otherwise = node.args.get("false") if isinstance(node, exp.If) else node.args.get("default")
        subject = node.this if isinstance(node, exp.Case) else None
        values = self._same(node, [*(branch.args["true"] for branch in branches), otherwise or exp.Null()])
        parts: list[Expr] = []
        for branch, value in zip(branches, values, strict=False):
            if subject is None:
                (condition,) = self._typed(branch, [branch.this], "boolean")
            else:
                condition = Expr("=", "boolean", self._same(branch, [subject, branch.this]))
            parts += [condition, value]
        return Expr("case", _kind(values), (*parts, values[-1]))

    def cast(self, node: exp.Expression) -> Expr:
        wanted = node.to.this.name if hasattr(node.to.this, "name") else str(node.to.this)
        target = next((kind for kind, names in _CASTS.items() if wanted in names), None)
        if target is None:
            raise self._fail(node, f"cannot cast to {wanted}; there are double, int, string, date and timestamp")
        kind = {"integer": "number", "date": "time", "timestamp": "time"}.get(target, target)
        given = self.read(node.this)
        if target not in _CAST_TO[given.kind]:
            raise self._fail(node, f"{_a(given.kind)} cannot be cast to a {target}; a text or a time can")
        return Expr("cast", kind, (given,), target)

    def log(self, node: exp.Expression) -> Expr:
        if node.name != "10" or node.expression is None:
            raise self._fail(node, "logarithms are ln(x) and log10(x)")
        return Expr("log10", "number", self._typed(node, [node.expression], "number"))

    def function(self, node: exp.Expression) -> Expr:
        """Functions that SQL does not know."""
        name = str(node.this).lower()
        if name == "great_circle_km":
            return self._call(name, node)
        if name != "label":
            raise self._fail(node, f"no function {name}{suggestion(name, [*FUNCTIONS, 'label'])}")
        arguments = node.expressions
        if len(arguments) != 1 or not isinstance(arguments[0], exp.Column) or arguments[0].table:
            raise self._fail(node, "write label(<use case>), for example label(my_use_case) = 1")
        given = arguments[0].name
        if given not in self.scope.labels:
            hint = (
                suggestion(given, self.scope.labels)
                if self.scope.labels
                else "; labels belong to rows of a scored source"
            )
            raise self._fail(arguments[0], f"no use case {given!r} labels these rows{hint}")
        return Expr("label", "number", value=given)

    def _call(self, name: str, node: exp.Expression) -> Expr:
        wanted, result = FUNCTIONS[name]
        given = [node.this, node.args.get("expression"), node.args.get("decimals"), *node.args.get("expressions", [])]
        nodes = [argument for argument in given if isinstance(argument, exp.Expression)]
        if "same" in wanted:
            if len(nodes) < len(wanted) and name != "coalesce":
                raise self._fail(node, f"{name} takes {len(wanted)} arguments{' or more' if '...' in wanted else ''}")
            args = self._same(node, nodes)
            return Expr(name, _kind(args), args)
        if name == "round" and len(nodes) == 2:
            if not isinstance(nodes[1], exp.Literal) or not nodes[1].name.isdigit():
                raise self._fail(node, "round takes a plain whole number of digits, for example round(x, 2)")
            wanted = ("number", "number")
        if len(nodes) != len(wanted):
            raise self._fail(node, f"{name} takes {len(wanted)} argument{'s' if len(wanted) > 1 else ''}")
        return Expr(name, result, tuple(self._typed(node, [n], k)[0] for n, k in zip(nodes, wanted, strict=True)))

    def _typed(self, node: exp.Expression, parts: list[Any], kind: str) -> tuple[Expr, ...]:
        made = tuple(self.read(part) for part in parts)
        for expr, part in zip(made, parts, strict=True):
            if expr.kind not in (kind, "null"):
                raise self._fail(part, f"is {_a(expr.kind)} where {_a(kind)} is needed")
        return made

    def _same(self, node: exp.Expression, parts: list[Any]) -> tuple[Expr, ...]:
        made = tuple(self.read(part) for part in parts)
        kinds = sorted({expr.kind for expr in made} - {"null"})
        if len(kinds) > 1:
            raise self._fail(node, f"puts {_a(kinds[0])} beside {_a(kinds[1])}")
        return made

    def _outside(self, node: exp.Expression) -> ConfigError:
        return self._fail(node, "is outside the SQL that definitions may use; docs/features.md lists it")

    def _fail(self, node: exp.Expression, message: str) -> ConfigError:
        starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
        shown = node.sql(dialect="databricks")
        at = f" (character {min(starts) + 1} of {self.text!r})" if starts and shown != self.text else ""
        return ConfigError(f"{shown!r}{at}: {message}")


def _kind(values: tuple[Expr, ...]) -> str:
    return next((value.kind for value in values if value.kind != "null"), "null")


_READERS: dict[type[exp.Expression], Callable[[_Reader, exp.Expression], Expr]] = {
    exp.Column: _Reader.column, exp.Literal: _Reader.literal, exp.Boolean: _Reader.literal, exp.Null: _Reader.literal,
    exp.Neg: _Reader.negation, exp.Not: _Reader.negation, exp.Is: _Reader.presence, exp.In: _Reader.member,
    exp.Between: _Reader.between, exp.Like: _Reader.like, exp.Case: _Reader.case, exp.If: _Reader.case,
    exp.Cast: _Reader.cast, exp.TryCast: _Reader.cast, exp.Log: _Reader.log, exp.Anonymous: _Reader.function,
}  # fmt: skip
