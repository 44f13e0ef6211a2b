"""Brute force: every feature of one decision, by looking at every version of its entity. Semantics: docs/features.md.

It shares the language with the batch execution and none of its arithmetic, so that one can be held against the other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from finlake.config import Config, Source, UseCase
from finlake.config.features import OF_ANYTHING
from finlake.errors import UnknownNameError
from finlake.features.definitions import (
    Definition,
    match_columns,
    parse_derived,
    positive_condition,
    python_call,
    row_scope,
    select,
)
from finlake.features.expressions import Expr, parse
from finlake.features.online.casts import from_raw, moment, text_of
from finlake.features.online.evaluate import Evaluate, Lookup, evaluator
from finlake.features.python_calls import PythonCall
from finlake.features.reference_answers import ANSWERS, Row, exact

Values = Mapping[str, Any]
_ZERO = ("count", "sum", "distinct")  # what they are where no row is


@dataclass(frozen=True)
class _Version:
    """Times in microseconds; `since`: from when on its key said the same in the columns that features look at."""

    values: Values
    key: str
    at: int
    known_from: int
    known_to: float
    since: int


class _Window:
    """A window feature, ready to read rows."""

    def __init__(self, definition: Definition, use_case: UseCase, config: Config) -> None:
        self.definition, self.feature = definition, definition.feature
        self.source, self.zone = config.source(definition.source), definition.zone(use_case)
        self.scope = row_scope(self.source, config)
        self.trees: list[Expr] = []
        self.where = self._evaluate(self.feature.where, "boolean") if self.feature.where else None
        texts = [self.feature.share] if self.feature.share else self.feature.measured
        self.measures = [self._measure(str(text)) for text in texts]

    @property
    def columns(self) -> set[str]:
        return {name for tree in self.trees for name in tree.names("column")} | {self.definition.entity}

    @property
    def labels(self) -> list[str]:
        return sorted({name for tree in self.trees for name in tree.names("label")})

    def read(self, lookup: Lookup, values: Values) -> Any:
        """What is measured of a row, a tuple of two; None where the row does not take part."""
        if self.where is not None and not self.where(lookup):
            return None
        found = [measure(lookup, values) for measure in self.measures]
        if self.feature.kind == "lookup":
            return tuple(found)
        return None if None in found else found[0] if len(found) == 1 else tuple(found) or True

    def _evaluate(self, text: str, want: str | None) -> Evaluate:
        tree = parse(text, self.scope, want)
        self.trees.append(tree)
        return evaluator(tree, self.zone)

    def _measure(self, text: str) -> Callable[[Lookup, Values], Any]:
        """A plain column exactly, else the expression's double; texts and the like by their text."""
        anything, name = self.feature.kind in OF_ANYTHING, text.strip("`")
        if name in self.source.silver_columns and self.feature.kind not in ("lookup", "share"):
            self.trees.append(Expr("column", "", value=name))
            if self.source.silver_columns[name].type in ("money", "integer"):
                return lambda lookup, values: exact(values[name])
            plain = self.trees[-1]
            return lambda lookup, values: _told_apart(lookup(plain)) if anything else exact(lookup(plain))
        evaluate = self._evaluate(text, "any" if anything else None)
        return lambda lookup, values: _told_apart(evaluate(lookup)) if anything else exact(evaluate(lookup))


class Reference:
    """The features of one use case, decision by decision.

    Args:
        versions: silver versions of each source with event_ts, known_from and known_to; times without a zone are UTC.
        use_case: names the features.
        config: their definitions and the contracts.
    """

    def __init__(self, versions: Mapping[str, Sequence[Values]], use_case: UseCase, config: Config) -> None:
        self.config, self.scored = config, config.source(use_case.score.each)
        self.selection = select(use_case, config)
        self.windows: dict[str, _Window] = {}
        self.derived: dict[str, tuple[str, list[Evaluate], PythonCall | None]] = {}
        for name, definition in self.selection.definitions.items():
            if definition.derived:
                zone = definition.zone(use_case)
                trees = parse_derived(definition, self.selection.definitions, self.scored)
                call = python_call(definition, trees, config)
                self.derived[name] = zone, [evaluator(tree, zone) for tree in trees], call
            else:
                self.windows[name] = _Window(definition, use_case, config)
        one_of_each = {_rows_of(window): window for window in self.windows.values()}
        self.entities = {rows: self._by_entity(versions, window) for rows, window in one_of_each.items()}
        labels = {label for window in self.windows.values() for label in window.labels}
        self.periods = {label: self._periods(versions, config.use_case(label)) for label in labels}

    def values(self, decision: Values) -> dict[str, float | None]:
        """The use case's features in its order; None is unknown.

        Args:
            decision: decision_key, event_ts, decision_ts, and `this`: the scored row's columns.
        """
        found: dict[str, float | None] = {}
        for name in self.selection.definitions:
            made = self._derive(name, decision, found) if name in self.derived else self._window(name, decision)
            found[name] = _finite(made)
        own = self._own(decision, "UTC")
        plain = {name: _finite(own(Expr("this", "", value=column))) for name, column in self.selection.own.items()}
        return {name: (plain if name in plain else found)[name] for name in self.selection.outputs}

    def rows(self, decision: Values, feature: str) -> list[Values]:
        """The versions that a window feature of a decision was computed from, in their order.

        With `including_this` the scored row's columns come last.

        Raises:
            UnknownNameError: the use case has no such window feature.
        """
        if feature not in self.windows:
            raise UnknownNameError("window feature", feature, self.windows)
        return [row.values for row in self._rows(self.windows[feature], decision)]

    def _derive(self, name: str, decision: Values, found: Mapping[str, float | None]) -> float | None:
        zone, parts, call = self.derived[name]
        own = self._own(decision, zone)
        values = [part(lambda node: own(node) if node.op == "this" else found[node.value]) for part in parts]
        if call:
            return call.of_one(values)
        first, *rest = values
        for other in rest:
            first = None if first is None or not other else first / other
        return first

    def _window(self, name: str, decision: Values) -> float | None:
        window = self.windows[name]
        if decision["this"][window.definition.entity] is None:
            return None
        rows = self._rows(window, decision)
        feature = window.feature
        if not rows:
            return 0.0 if feature.when_empty == "0" or (not feature.when_empty and feature.kind in _ZERO) else None
        here = self._own(decision, window.zone)
        own = [measure(here, decision["this"]) for measure in window.measures] if feature.own_columns else []
        try:
            return ANSWERS[feature.kind](rows, feature, moment(decision["event_ts"]), own)
        except OverflowError:  # beyond what a double can be
            return None

    def _rows(self, window: _Window, decision: Values) -> list[Row]:
        """Rows that take part, by time, then by when they became known, then by key."""
        definition, feature = window.definition, window.feature
        entity = decision["this"][definition.entity]
        if entity is None:
            return []
        happened, decided = moment(decision["event_ts"]), moment(decision["decision_ts"])
        end = happened - (feature.ends_before.micros if feature.ends_before else 0)
        begin = end - definition.window.micros if definition.window else -math.inf
        own_key = decision["decision_key"] if definition.source == self.scored.source else None
        held: list[Row] = []
        for version in self.entities[_rows_of(window)].get(_plain_text(entity), []):
            if version.key == own_key or not version.known_from <= decided < version.known_to:
                continue
            periods = {label: self._reported(label, window.source, version) for label in window.labels}
            by_known = feature.clock == "known"
            at = _unchanged_since(version.known_from, decided, periods) if by_known else version.at
            if begin <= at < end:
                states = {label: float(_positive(of, decided)) for label, of in periods.items()}
                measured = window.read(_lookup(version.values, window.source, window.zone, states), version.values)
                held.append(Row(at, at if by_known else version.since, version.key, version.values, measured))
        held.sort(key=lambda row: (row.at, row.since, row.key))
        if feature.including_this:
            measured = window.read(self._own(decision, window.zone), decision["this"])
            held.append(Row(happened, happened, str(own_key), decision["this"], measured))
        return [row for row in held if row.measured is not None]

    def _own(self, decision: Values, zone: str) -> Lookup:
        return _lookup(decision["this"], self.scored, zone)

    def _reported(self, label: str, source: Source, version: _Version) -> list[tuple[int, float]]:
        key = _key_text(version.values, match_columns(self.config.use_case(label), source))
        return self.periods[label].get(key, [])

    def _by_entity(self, versions: Mapping[str, Sequence[Values]], window: _Window) -> dict[str, list[_Version]]:
        """Versions by entity.

        Where columns become known later that none of these features looks at, what was known before stays as old as
        it is: versions are told apart by the other columns.
        """
        source, group = window.source, [w for w in self.windows.values() if _rows_of(w) == _rows_of(window)]
        used = {name for each in group for name in each.columns}
        used |= {n for w in group for label in w.labels for n in match_columns(self.config.use_case(label), source)}
        names = [*source.key, *sorted(used), "event_ts"]
        apart = window.feature.clock == "event" and source.later_columns - used
        found: dict[str, list[_Version]] = defaultdict(list)

        def key(version: Values) -> str:
            return _key_text(version, source.key)

        for text, of_key in groupby(sorted(versions[source.source], key=key), key):
            said: list[str | None] = []
            since = 0
            for values in sorted(filter(_lasting, of_key), key=lambda version: moment(version["known_from"])):
                begin, end = moment(values["known_from"]), moment(values["known_to"])
                before, said = said, [None if (v := values[name]) is None else _plain_text(v) for name in names]
                since = since if apart and said == before else begin
                if values[window.definition.entity] is None or values["event_ts"] is None:
                    continue
                made = _Version(
                    values, text, moment(values["event_ts"]), begin, math.inf if end is None else end, since
                )
                found[_plain_text(values[window.definition.entity])].append(made)
        return found

    def _periods(
        self, versions: Mapping[str, Sequence[Values]], use_case: UseCase
    ) -> dict[str, list[tuple[int, float]]]:
        """When each scored row stood as reported: what its reports are matched by -> [from, until)."""
        source = self.config.source(use_case.label.from_.source)
        positive = evaluator(positive_condition(use_case, source), use_case.zone)
        found: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for values in filter(_lasting, versions[source.source]):
            if positive(_lookup(values, source, use_case.zone)):
                until = math.inf if values["known_to"] is None else moment(values["known_to"])
                key = _key_text(values, match_columns(use_case, self.config.source(use_case.score.each)))
                if key:
                    found[key].append((moment(values["known_from"]), until))
        return found


def _lookup(values: Values, source: Source, zone: str, labels: Mapping[str, float] | None = None) -> Lookup:
    columns = source.silver_columns

    def lookup(node: Expr) -> Any:
        if node.op == "label":
            return (labels or {})[node.value]
        return from_raw(values[node.value], columns[node.value].type, zone)

    return lookup


def _rows_of(window: _Window) -> tuple[str, str, str]:
    return window.definition.source, window.definition.entity, window.feature.clock


def _lasting(version: Values) -> bool:
    return version["known_to"] is None or moment(version["known_from"]) < moment(version["known_to"])


def _positive(periods: Iterable[tuple[int, float]], at: float) -> bool:
    return any(begin <= at < end for begin, end in periods)


def _unchanged_since(begin: int, until: int, periods: Mapping[str, list[tuple[int, float]]]) -> int:
    """The latest moment up to `until` at which a label of a version known from `begin` on changed, else `begin`."""
    edges = {int(edge) for of in periods.values() for period in of for edge in period if begin < edge <= until}
    since, state = begin, [_positive(of, begin) for of in periods.values()]
    for edge in sorted(edges):
        now = [_positive(of, edge) for of in periods.values()]
        since, state = (since, state) if now == state else (edge, now)
    return since


def _key_text(values: Values, columns: Sequence[str]) -> str:
    return "|".join(_plain_text(values[name]) for name in columns if values[name] is not None)


def _plain_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return text_of(moment(value)) if isinstance(value, (bool, float, datetime)) else str(value)


def _told_apart(value: Any) -> Any:
    return None if value is None or value != value else text_of(value)


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
