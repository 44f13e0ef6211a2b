"""The online execution: features of one decision from the store, and one row that updates its entity's windows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any, Self

from finlake.config import Config, Source, UseCase
from finlake.errors import FreshnessError, SetupError, TableError
from finlake.features.definitions import (
    Selection,
    definition_digest,
    parse_derived,
    python_call,
    select,
)
from finlake.features.expressions import Expr
from finlake.features.online.evaluate import Evaluate, evaluator
from finlake.features.plan import make_plan
from finlake.features.python_calls import PythonCall
from finlake.serving.assemble import Assemble, assembler, divided, finite
from finlake.serving.open import open_store
from finlake.serving.row import OwnRow, micros, typed
from finlake.serving.state import LabelState, SetState
from finlake.serving.store import Asked, OnlineStore, Publication, Row, Table

Values = dict[str, float | None]


@dataclass(frozen=True)
class Answer:
    """Features of one decision, and up to when the rows behind them were known (microseconds)."""

    decision_key: str
    values: Values
    watermark: int


class OnlineFeatures:
    """Features of a use case, one decision at a time, without Spark.

    The store holds what `publish` put there, and every row and report that was told since.
    """

    def __init__(self, store: OnlineStore, use_case: UseCase, config: Config) -> None:
        selection = select(use_case, config)
        plan = make_plan(selection, use_case, config)
        self.definition = definition_digest(use_case, config)
        prefix = f"{use_case.use_case}_{self.definition[:8]}"
        self._store, self._use_case, self._config = store, use_case, config
        self.late = timedelta(microseconds=use_case.online.late.micros)
        self._scored = config.source(use_case.score.each)
        self.sets = [SetState(f"{prefix}_{n}", row_set, config) for n, row_set in enumerate(plan.row_sets.values())]
        names = dict.fromkeys(label for row_set in plan.row_sets.values() for label in row_set.labels)
        self.labels = {name: LabelState(f"{prefix}_label_{name}", config.use_case(name), config) for name in names}
        self._features: dict[str, Assemble] = {
            name: assembler(windowed, windowed.definition.zone(use_case)) for name, windowed in plan.features.items()
        }
        self._derived = _derived(selection, use_case, config)
        self._own = {name: Expr("this", "number", value=column) for name, column in selection.own.items()}
        self._outputs = selection.outputs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._store.close()

    @property
    def tables(self) -> list[Table]:
        return [*(one.table for one in self.sets), *(label.table for label in self.labels.values())]

    def outdated(self) -> list[str]:
        """Tables of the store that were made for other definitions of the use case; no decision reads them."""
        mine = re.compile(rf"{re.escape(self._use_case.use_case)}_[0-9a-f]{{8}}_(\d+|label_\w+)")
        present = {table.name for table in self.tables}
        return [name for name in self._store.tables() if mine.fullmatch(name) and name not in present]

    def decide(self, row: Mapping[str, Any], known: datetime | None = None) -> Answer:
        """Features of a row of the scored source; afterwards its windows hold the row, and the answer is on record.

        Args:
            row: its columns by their silver names, as JSON gives them or as Python values.
            known: when it was known; default: when it happened.

        Raises:
            ContractError: the row does not keep to the contract.
            FreshnessError: nothing was published for the present definitions, or it has expired.
        """
        this = OwnRow(self._scored, typed(self._scored, row))
        at = micros(this.raw[self._scored.happened_at])
        moment = at if known is None else micros(known)
        name, key, windows = self._use_case.use_case, this.key(self._scored.key), self._windows(this, at)
        labels = self._labels(self._scored)
        asked = [*(window for _, window in windows), *(label.asked(this.key(label.columns)) for label in labels)]
        # A row that is a report itself changes other rows too, step by step.
        itself = any(label.source is self._scored for label in self.labels.values())
        with self._store.turn():
            watermark, found = self._look(asked, at, moment)
            values = self._values(this, at, moment, windows, found[: len(windows)])
            reports = zip(labels, found[len(windows) :], strict=True)
            with self._store.transaction() if itself else nullcontext():
                rows = self._rows(this, at, moment, {label.name: label.since(held) for label, held in reports})
                self._store.served(name, key, at, moment, watermark, self.definition, values, rows)
        return Answer(key, values, watermark)

    def tell(self, source: str, row: Mapping[str, Any], known: datetime) -> None:
        """A row of any source the features look at: a payment, a correction, a report. Told again, nothing changes."""
        contract = self._config.source(source)
        self.tell_row(OwnRow(contract, typed(contract, row)), micros(known))

    def tell_row(self, row: OwnRow, known: int) -> None:
        """The same for a row that has the contract's types already; `known` in microseconds."""
        with self._store.transaction():
            for table, left in self._rows(row, micros(row.raw[row.source.happened_at]), known):
                self._store.put(table, [left])

    def values(self, this: OwnRow, at: int, moment: int) -> Values:
        """Features from the rows that are in the store now; rows known after `moment` (microseconds) do not count."""
        windows = self._windows(this, at)
        return self._values(this, at, moment, windows, self._store.windows([window for _, window in windows]))

    def _windows(self, this: OwnRow, at: int) -> list[tuple[SetState, Asked]]:
        entities = ((one, this.text(one.row_set.entity)) for one in self.sets)
        return [(one, one.asked(entity, at)) for one, entity in entities if entity is not None]

    def _values(
        self, this: OwnRow, at: int, moment: int, windows: list[tuple[SetState, Asked]], held: list[list[Row]]
    ) -> Values:
        parts: dict[str, float | int | None] = {name: None for one in self.sets for name in one.names}
        key = this.key(self._scored.key)
        for (one, _), rows in zip(windows, held, strict=True):
            own = key if one.row_set.source is self._scored else None
            parts |= one.answers(rows, own, at, moment)
        found: Values = {name: finite(assemble(parts, this, at)) for name, assemble in self._features.items()}
        for name, zone, trees, call in self._derived:
            look = partial(_look, this, found, zone)
            given = [tree(look) for tree in trees]
            found[name] = call.of_one(given) if call else finite(reduce(divided, map(_as_number, given)))
        plain = {name: _as_number(this.value(column, self._use_case.zone)) for name, column in self._own.items()}
        return {name: finite(plain[name]) if name in plain else found[name] for name in self._outputs}

    def _labels(self, source: Source) -> list[LabelState]:
        """Those that windows over rows of the source look at."""
        named = {label for one in self.sets if one.row_set.source is source for label in one.row_set.labels}
        return [label for name, label in self.labels.items() if name in named]

    def _rows(
        self, this: OwnRow, at: int, known: int, reported: Mapping[str, int | None] | None = None
    ) -> list[tuple[str, Row]]:
        """What the windows shall hold of a row, with their tables; where it is a report, what it changes is stored.

        Args:
            this: the row.
            at: when it happened.
            known: when it was known.
            reported: of each label, since when the row has stood as reported, where that was read before.
        """
        for label in self.labels.values():
            if label.source is this.source:
                self._report(label, this, at, known)
                reported = None
        if reported is None:
            labels = self._labels(this.source)
            reported = {label.name: label.reported(self._store, this.key(label.columns)) for label in labels}
        mine = [one for one in self.sets if one.row_set.source is this.source]
        return [(one.table.name, one.row(this, at, known, reported)) for one in mine]

    def _report(self, label: LabelState, this: OwnRow, at: int, known: int) -> None:
        """A report is told: rows it is about change their state from its moment on."""
        match = this.key(label.columns)
        self._store.put(label.table.name, [(this.key(label.source.key), match, at, known, int(label.positive(this)))])
        hit = int(label.reported(self._store, match) is not None)
        for one in self.sets:
            if label.name in one.row_set.labels:
                changed = [
                    row
                    for held in self._store.matching(one.table.name, f"match_{label.name}", match)
                    if (row := one.relabelled(held, label.name, hit, known)) is not None
                ]
                self._store.put(one.table.name, changed)

    def _look(self, asked: list[Asked], at: int, moment: int) -> tuple[int, list[list[Row]]]:
        """The watermark of what a row that happened `at` may be answered from, and what was asked for."""
        name = self._use_case.use_case
        try:
            publication, found = self._store.look(name, asked)
        except TableError:
            # There are no tables of definitions that were not published yet, or were replaced.
            self._in_charge(self._store.publication(name), moment)
            raise
        watermark = self._in_charge(publication, moment).watermark
        late = (max(moment, watermark) - at) / 3_600_000_000
        if late > self._use_case.online.late.micros / 3_600_000_000:
            raise FreshnessError(
                f"this row of {self._scored.source} happened {late:,.0f} hours before what is known now, and online windows "
                f"are kept for rows up to {self._use_case.online.late.text} late; finlake features computes it, or raise "
                "online.late of the use case"
            )
        return watermark, found

    def _in_charge(self, found: Publication | None, moment: int) -> Publication:
        name = self._use_case.use_case
        if found is None or found.definition != self.definition:
            built = f"definitions {found.definition}" if found else "nothing yet"
            raise FreshnessError(
                f"the online store holds {built} for {name}, and the definitions now are {self.definition}; "
                f"run: finlake online --use-case {name}"
            )
        if found.expires_after is not None and moment - found.watermark > found.expires_after:
            hours = (moment - found.watermark) / 3_600_000_000
            raise FreshnessError(
                f"what the online store holds for {name} was known {hours:,.0f} hours before this decision, "
                f"and expires after {found.expires_after / 3_600_000_000:,.0f}; "
                f"run: finlake online --use-case {name}"
            )
        return found


def _derived(
    selection: Selection, use_case: UseCase, config: Config
) -> list[tuple[str, str, list[Evaluate], PythonCall | None]]:
    """Name, zone, parts and function of each feature that is made from others, in an order in which it can be."""
    scored, made = config.source(use_case.score.each), []
    for definition in selection.definitions.values():
        if definition.derived:
            zone = definition.zone(use_case)
            trees = parse_derived(definition, selection.definitions, scored)
            call = python_call(definition, trees, config)
            made.append((definition.name, zone, [evaluator(tree, zone) for tree in trees], call))
    return made


def _look(this: OwnRow, found: Values, zone: str, expr: Expr) -> Any:
    return this.value(expr, zone) if expr.op == "this" else found[expr.value]


def _as_number(value: Any) -> float | None:
    return None if value is None else float(value)


def open_features(config: Config, use_case: str) -> OnlineFeatures:
    """Features of a use case from the store that the target names; a context manager that closes it.

    Raises:
        SetupError: the lake's folder is not there.
    """
    root = Path(config.target.lake).absolute() if config.target.lake else None
    if root is not None and not root.is_dir():
        raise SetupError(f"there is no lake at {root}; give its folder with --lake, or make it with finlake online")
    return OnlineFeatures(open_store(config.target, root), config.use_case(use_case), config)
