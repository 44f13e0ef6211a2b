"""What the store holds for a use case: the rows of each row set with their values, and the reports of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from finlake.config import Config, UseCase
from finlake.features.definitions import match_columns, positive_condition
from finlake.features.online.evaluate import evaluator
from finlake.features.rows import RowSet, Value, state_column
from finlake.serving.row import Measured, OwnRow
from finlake.serving.store import Asked, Column, Kind, OnlineStore, Row, Table
from finlake.serving.windows import Rows

_EVER = 2**62


class LabelState:
    """Reports of one use case's label."""

    def __init__(self, table: str, use_case: UseCase, config: Config) -> None:
        self.name = use_case.use_case
        self.source = config.source(use_case.label.from_.source)
        self.columns = match_columns(use_case, config.source(use_case.score.each))
        self.table = Table(table, (Column("hit", "whole"),))
        self._positive = evaluator(positive_condition(use_case, self.source), use_case.zone)
        self._zone = use_case.zone

    def positive(self, report: OwnRow) -> bool:
        return bool(self._positive(lambda expr: report.value(expr, self._zone)))

    def asked(self, match: str) -> Asked:
        """The window of the store that holds every report of a row."""
        return self.table.name, match, None, _EVER

    def since(self, reports: Sequence[Row]) -> int | None:
        """Since when a row with these reports has stood as reported; None where it does not."""
        return min((row[2] for row in reports if row[3]), default=None)

    def reported(self, store: OnlineStore, match: str) -> int | None:
        return self.since(store.window(*self.asked(match)))


class SetState:
    """One row set, and the table that holds its rows."""

    def __init__(self, table: str, row_set: RowSet, config: Config) -> None:
        self.row_set, self.parts = row_set, row_set.parts()
        self.names = [part.name for part in self.parts]
        self._names, self._kept = row_set.values(), row_set.kept()
        self._measured = {name: (Measured(value), state) for name, (value, state) in self._kept.items()}
        columns = [Column(name, _kind(value)) for name, (value, _) in self._kept.items()]
        labels = list(row_set.labels)
        self._label_names = labels
        self._match = {label: match_columns(config.use_case(label), row_set.source) for label in labels}
        columns += [Column(f"label_{label}", "whole") for label in labels]
        columns += [Column(f"match_{label}", "text") for label in labels]
        self.table = Table(table, tuple(columns), tuple(f"match_{label}" for label in labels))
        lows = [part.low for part in self.parts]
        self._low = None if None in lows else min(low for low in lows if low is not None)
        self._high = max(part.high for part in self.parts) + 1
        self._place = {column.name: 3 + n for n, column in enumerate(columns)}
        self._plain = [(name, self._place[name]) for value, name in self._names.items() if not value.labelled]
        states = list(product((0, 1), repeat=len(labels)))
        self._told = [
            (name, {state: self._place[state_column(name, state)] for state in states})
            for value, name in self._names.items()
            if value.labelled
        ]

    def asked(self, entity: str, at: int) -> Asked:
        """The window of the store that holds every row its parts may look at."""
        return self.table.name, entity, None if self._low is None else at + self._low, at + self._high

    def answers(self, found: Sequence[Row], own: str | None, at: int, moment: int) -> dict[str, float | int | None]:
        """The parts from the rows of `asked`; those known after `moment`, and the decision's own, do not count."""
        held = [row for row in found if row[0] != own and row[2] <= moment]
        columns: Sequence[Sequence[Any]] = list(zip(*held, strict=True)) if held else [()] * (3 + len(self._place))
        values = {name: columns[place] for name, place in self._plain}
        if self._told:
            states = list(zip(*(columns[self._place[f"label_{label}"]] for label in self._label_names), strict=True))
            for name, places in self._told:
                values[name] = [row[places[state]] for row, state in zip(held, states, strict=True)]
        rows = Rows(columns[1], values)
        return {part.name: rows.answer(part, at) for part in self.parts}

    def row(self, this: OwnRow, at: int, known: int, reported: Mapping[str, int | None]) -> tuple[Any, ...]:
        """What the store keeps of a row of the source.

        Args:
            this: the row.
            at: when it happened.
            known: when it was known.
            reported: of each label, since when the row has stood as reported.
        """
        matches = [this.key(self._match[label]) for label in self._label_names]
        told = [int(reported[label] is not None) for label in self._label_names]
        since = known
        if told and self.row_set.clock == "known":
            since = max(known, *(reported[label] or 0 for label in self._label_names))
        values = []
        for measured, state in self._measured.values():
            this.labels = dict(zip(self._label_names, state or (0,) * len(self._label_names), strict=True))
            values.append(measured.of(this))
        when = at if self.row_set.clock == "event" else since
        return (
            this.key(self.row_set.source.key),
            this.text(self.row_set.entity),
            when,
            since,
            *values,
            *told,
            *matches,
        )

    def relabelled(self, held: tuple[Any, ...], label: str, hit: int, known: int) -> tuple[Any, ...] | None:
        """The row with its label changed at `known`; None where it does not change."""
        place = self._place[f"label_{label}"] + 1  # `matching` gives the entity too
        if held[place] == hit:
            return None
        key, entity, at, since, *rest = held
        rest[place - 4] = hit
        return (key, entity, at, since, *rest) if self.row_set.clock == "event" else (key, entity, known, known, *rest)


def _kind(value: Value) -> Kind:
    if value.text:
        return "text"
    return "whole" if value.scale is not None or (value.column is None and value.expr is None) else "number"
