"""Where the value of a feature comes from: every column it looks at, also through other features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from finlake.config import Config, UseCase
from finlake.config.network import Edges
from finlake.features.definitions import Definition, Selection, kinds, parse_derived, row_scope, select
from finlake.features.expressions import Expr, Scope, parse
from finlake.features.plan import measured


@dataclass(frozen=True)
class Use:
    """One column that a feature looks at."""

    source: str
    column: str
    how: Literal["this", "window", "label"]  # the scored row itself, other rows, or their label
    definition: Definition | None = None  # None: the use case names the column itself

    @property
    def own_row(self) -> bool:
        """The scored row's own value takes part."""
        return self.how == "this" or bool(self.definition and self.definition.feature.including_this)

    @property
    def place(self) -> str:
        """Where a person finds it written."""
        if self.definition is None:
            return f"features of the use case: this.{self.column}"
        return f"conf/features/{self.definition.group}.yml: {self.definition.name}"


def trace(use_case: UseCase, config: Config) -> dict[str, list[Use]]:
    """Feature -> everything it looks at, directly or through the features it is made from.

    Raises:
        ConfigError: a definition that is not understood.
    """
    selection = select(use_case, config)
    scored = use_case.score.each
    found = {name: [Use(scored, column, "this")] for name, column in selection.own.items()}
    for definition in selection.definitions.values():
        uses = _uses(definition, selection, use_case, config, found)
        found[definition.name] = list({(use.source, use.column, use.how, use.place): use for use in uses}.values())
    return {name: found[name] for name in selection.outputs}


def _uses(
    definition: Definition, selection: Selection, use_case: UseCase, config: Config, found: dict[str, list[Use]]
) -> Iterator[Use]:
    scored = config.source(use_case.score.each)
    if definition.derived:
        for tree in parse_derived(definition, selection.definitions, scored):
            yield from (Use(scored.source, column, "this", definition) for column in sorted(tree.names("this")))
            for name in sorted(tree.names("column")):
                yield from found[name]
        return
    source, feature = config.source(definition.source), definition.feature
    trees: list[Expr] = [
        parse(text, row_scope(source, config), "boolean") for text in (feature.where, feature.share) if text
    ]
    trees += [
        tree for text in feature.measured for tree in measured(source, config, feature.kind, text, tuple(trees)).trees
    ]
    columns = {name for tree in trees for name in tree.names("column")}
    columns |= {text for text in feature.measured if text in source.silver_columns}
    yield from (Use(scored.source, name, "this", definition) for name in feature.own_columns)
    yield from (Use(source.source, column, "window", definition) for column in sorted(columns))
    if definition.source in config.networks:
        edges = config.network(definition.source).edges
        yield from (Use(edges.source, column, "window", definition) for column in _edge_columns(edges, config))
    for label in sorted({name for tree in trees for name in tree.names("label")}):
        yield Use(source.source, label, "label", definition)


def _edge_columns(edges: Edges, config: Config) -> list[str]:
    """Columns from which a network's edges are made; what makes an account bad is a label by its own clock."""
    scope = Scope(kinds(config.source(edges.source)), about=f"column of {edges.source}")
    trees = [parse(text, scope, "any") for text in (edges.payer, edges.payee, edges.where) if text]
    return sorted({edges.amount, *(name for tree in trees for name in tree.names("column"))})
