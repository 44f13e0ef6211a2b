"""The online execution: features of one decision from the store, and one row that updates its entity's windows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, reduce
from pathlib import Path
from typing import Any, Self

from finlake.config import Config, Source, UseCase
from finlake.errors import FreshnessError, SetupError
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
from finlake.serving.store import OnlineStore, Publication, Table

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
        publication = self._publication(moment)
        late = (max(moment, publication.watermark) - at) / 3_600_000_000
        if late > self._use_case.online.late.micros / 3_600_000_000:
            raise FreshnessError(
                f"this row of {self._scored.source} happened {late:,.0f} hours before what is known now, and online windows "
                f"are kept for rows up to {self._use_case.online.late.text} late; finlake features computes it, or raise "
                "online.late of the use case"
            )
        with self._store.transaction():
            key = this.key(self._scored.key)
            answer = Answer(key, self.values(this, at, moment), publication.watermark)
            name = self._use_case.use_case
            self._store.served(name, key, at, moment, answer.watermark, self.definition, answer.values)
            self._apply(self._scored, this, moment)
        return answer

    def tell(self, source: str, row: Mapping[str, Any], known: datetime) -> None:
        """A row of any source the features look at: a payment, a correction, a report. Told again, nothing changes."""
        contract = self._config.source(source)
        self.tell_row(OwnRow(contract, typed(contract, row)), micros(known))

    def tell_row(self, row: OwnRow, known: int) -> None:
        """The same for a row that has the contract's types already; `known` in microseconds."""
        with self._store.transaction():
            self._apply(row.source, row, known)

    def values(self, this: OwnRow, at: int, moment: int) -> Values:
        """Features from the rows that are in the store now; rows known after `moment` (microseconds) do not count."""
        parts: dict[str, float | int | None] = {}
        entities = [(one, this.text(one.row_set.entity)) for one in self.sets]
        asked = [(one, one.asked(entity, at)) for one, entity in entities if entity is not None]
        key = this.key(self._scored.key)
        for (one, _), rows in zip(asked, self._store.windows([window for _, window in asked]), strict=True):
            own = key if one.row_set.source is self._scored else None
            parts |= one.answers(rows, own, at, moment)
        for one, entity in entities:
            if entity is None:
                parts |= dict.fromkeys(one.names)
        found: Values = {name: finite(assemble(parts, this, at)) for name, assemble in self._features.items()}
        for name, zone, trees, call in self._derived:
            look = partial(_look, this, found, zone)
            given = [tree(look) for tree in trees]
            found[name] = call.of_one(given) if call else finite(reduce(divided, map(_as_number, given)))
        plain = {name: _as_number(this.value(column, self._use_case.zone)) for name, column in self._own.items()}
        return {name: finite(plain[name]) if name in plain else found[name] for name in self._outputs}

    def _apply(self, source: Source, this: OwnRow, known: int) -> None:
        at = micros(this.raw[source.happened_at])
        for label in self.labels.values():
            if label.source is source:
                self._report(label, this, at, known)
        mine = [one for one in self.sets if one.row_set.source is source]
        reported = {
            name: self.labels[name].reported(self._store, this.key(self.labels[name].columns))
            for name in dict.fromkeys(label for one in mine for label in one.row_set.labels)
        }
        for one in mine:
            self._store.put(one.table.name, [one.row(this, at, known, reported)])

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

    def _publication(self, moment: int) -> Publication:
        name = self._use_case.use_case
        found = self._store.publication(name)
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
