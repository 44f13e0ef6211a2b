"""What the windows of decisions held as it was known at each decision's moment.

First all current versions at once. Each window also gives the latest moment at which one of its versions was settled:
a current one when it became known, a replaced one when it was replaced. If that lies after the decision, the window
was not yet what it is now, and the decision is computed again from the versions visible at its moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from finlake.features.windows import NEVER
from finlake.features.windows.functions import FUNCTIONS, Answer, Held
from finlake.features.windows.ranges import first_at_or_after

_ROWS = 250_000  # rows worked on together, unless one entity has more
_GATHERED = 2_000_000  # versions looked at together for decisions that are computed again
_SETTLED, _VERSION_SETTLED = "_settled", "_version_settled"


@dataclass(frozen=True)
class Part:
    """One function of one value over a frame [low, high] in microseconds from the decision's row; low None: all before."""

    name: str
    function: str
    value: str
    low: int | None
    high: int
    labelled: bool = False
    other: str = ""
    argument: float = 0.0


@dataclass(frozen=True)
class Rows:
    """Rows of many entities by entity, time, knowledge and key; values with the rows where they are known."""

    entity: np.ndarray
    at: np.ndarray
    values: dict[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Asked:
    """Decisions, in the order of the rows."""

    entity: np.ndarray
    at: np.ndarray

    def take(self, places: np.ndarray) -> Asked:
        """Some of them, each as an entity of its own."""
        return Asked(np.arange(len(places)), self.at[places])


def answers(rows: Rows, asked: Asked, parts: Iterable[Part]) -> dict[str, Answer]:
    """Each part for each decision: the value, and whether it is known."""
    edges: dict[int | None, np.ndarray] = {}
    held: dict[tuple[str, str], tuple[np.ndarray, ...]] = {}

    def edge(offset: int | None) -> np.ndarray:
        if offset not in edges:
            moment = asked.at + offset if offset is not None else np.full(len(asked.at), rows.at.min(initial=0))
            edges[offset] = first_at_or_after(rows.entity, rows.at, asked.entity, moment)
        return edges[offset]

    found = {}
    for part in parts:
        pair = (part.value, part.other or part.value)
        if pair not in held:
            (value, known), (other, both) = rows.values[pair[0]], rows.values[pair[1]]
            there = known & both
            before = np.concatenate([np.zeros(1, np.int64), np.cumsum(there)])
            held[pair] = (value[there], rows.at[there], other[there], before)
        value, at, other, before = held[pair]
        low, high = before[edge(part.low)], before[edge(part.high + 1)]
        found[part.name] = FUNCTIONS[part.function](Held(value, at, low, high, asked.at, other, part.argument))
    return found


def known_answers(table: pa.Table, parts: Sequence[Part], own_early: bool) -> dict[str, Answer]:
    """The parts of every decision of a table of whole entities.

    Args:
        table: versions, and decisions (where `_id` is there), sorted by entity and time: `_entity, _at, _from, _until,
            _key, _id` and the values; with labels also `_version_from, _version_until`.
        parts: what to compute.
        own_early: whether a decision's own row may have been known before it happened.
    """
    entity = _codes(table["_entity"])
    at, since, until = (_numbers(table[name])[0] for name in ("_at", "_from", "_until"))
    asking = table["_id"].is_valid().to_numpy()
    row, ask = np.flatnonzero(~asking), np.flatnonzero(asking)
    current = until[row] == NEVER
    versions = Rows(entity[row], at[row], {name: _value(table[name], row) for name in _values(parts)})
    settling = {_SETTLED: (np.where(current, since[row], until[row]), np.ones(len(row), bool))}
    settling[_VERSION_SETTLED] = settling[_SETTLED]
    if "_version_from" in table.column_names:
        version_since, version_until = (_numbers(table[name])[0][row] for name in ("_version_from", "_version_until"))
        replaced = version_until != NEVER
        settling[_VERSION_SETTLED] = (np.where(replaced, version_until, version_since), replaced | current)
    asked, moment, first = Asked(entity[ask], at[ask]), since[ask], until[ask]
    now = {name: (value, known & current) for name, (value, known) in versions.values.items()}
    checks = _checks(parts)
    found = answers(replace(versions, values=now | settling), asked, [*parts, *checks])
    late = first < asked.at if own_early else np.zeros(len(ask), bool)
    for check in checks:
        settled, there = found.pop(check.name)
        late |= there & (settled > moment)
    for some in _bounded(versions, asked, parts, np.flatnonzero(late)):
        exact = _visible(table, versions, row, ask, (since, until), asked, some, parts)
        for name, (value, known) in exact.items():
            found[name][0][some], found[name][1][some] = value, known
    return found


def _visible(
    table: pa.Table, versions: Rows, row: np.ndarray, ask: np.ndarray, lasting: tuple[np.ndarray, np.ndarray],
    asked: Asked, some: np.ndarray, parts: Sequence[Part],
) -> dict[str, Answer]:  # fmt: skip
    """Parts of some decisions, each from the versions visible at its moment; its own row is none of them."""
    low, high = _reach(versions, asked, parts, some)
    length = high - low
    which = np.repeat(np.arange(len(some)), length)
    place = np.arange(len(which)) - np.repeat(np.cumsum(length) - length, length) + np.repeat(low, length)
    moment = lasting[0][ask[some]][which]
    seen = (lasting[0][row[place]] <= moment) & (lasting[1][row[place]] > moment)
    which, place = which[seen], place[seen]
    own = pc.equal(table["_key"].take(pa.array(row[place])), table["_id"].take(pa.array(ask[some][which])))
    others = ~own.combine_chunks().fill_null(False).to_numpy(zero_copy_only=False)
    which, place = which[others], place[others]
    values = {name: (value[place], known[place]) for name, (value, known) in versions.values.items()}
    return answers(Rows(which, versions.at[place], values), asked.take(some), parts)


def _reach(versions: Rows, asked: Asked, parts: Sequence[Part], some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The versions, of any time of knowledge, that lie in one of the frames."""
    entity, at = asked.entity[some], asked.at[some]
    lows = [part.low for part in parts]
    begin = np.full(len(some), versions.at.min(initial=0))
    if None not in lows:
        begin = at + min(low for low in lows if low is not None)
    end = at + max(part.high for part in parts) + 1
    low, high = (first_at_or_after(versions.entity, versions.at, entity, moment) for moment in (begin, end))
    return low, np.maximum(low, high)


def _bounded(versions: Rows, asked: Asked, parts: Sequence[Part], late: np.ndarray) -> Iterator[np.ndarray]:
    """Decisions to compute again, as many at a time as memory should hold the versions of."""
    low, high = _reach(versions, asked, parts, late)
    piece = np.cumsum(high - low) // _GATHERED
    yield from (some for some in np.split(late, np.flatnonzero(np.diff(piece)) + 1) if len(some))


def _checks(parts: Sequence[Part]) -> list[Part]:
    """For each end of a frame the earliest beginning: what settles it settles all with that end."""
    widest: dict[tuple[bool, int], int | None] = {}
    for part in parts:
        place = (part.labelled, part.high)
        before = widest.get(place, part.low)
        widest[place] = None if before is None or part.low is None else min(before, part.low)
    return [
        Part(f"_late{n}", "max", _SETTLED if labelled else _VERSION_SETTLED, low, high)
        for n, ((labelled, high), low) in enumerate(widest.items())
    ]


def _values(parts: Sequence[Part]) -> list[str]:
    return sorted({name for part in parts for name in (part.value, part.other) if name})


def _value(column: pa.ChunkedArray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        codes = _codes(column.fill_null(""))
        return codes[row], column.is_valid().to_numpy()[row]
    numbers, known = _numbers(column)
    return numbers[row], known[row]


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """Texts by the order in which they first appear."""
    coded: Any = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64)


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    return column.fill_null(0).to_numpy(), column.is_valid().to_numpy()


def answer_batches(
    batches: Iterable[pa.RecordBatch], parts: Sequence[Part], own_early: bool, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """`_id` and the parts, for a partition sorted by entity and time."""
    for table in whole_entities(batches):
        found = known_answers(table, parts, own_early)
        columns: list[Any] = [table["_id"].drop_null().combine_chunks()]
        for part, kind in zip(parts, schema.types[1:], strict=True):
            value, known = found[part.name]
            columns.append(pa.array(value, kind, mask=~known, from_pandas=False))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def whole_entities(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables that hold every row of each of their entities."""
    waiting: list[pa.RecordBatch | pa.Table] = []
    rows, enough = 0, _ROWS
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < enough:
            continue
        table = _together(waiting)
        last = table["_entity"][-1]
        cut = pc.index(table["_entity"], last).as_py()
        if cut:
            yield table.slice(0, cut)
        waiting, rows = [table.slice(cut)], table.num_rows - cut
        enough = max(_ROWS, 2 * rows)  # a large entity is not copied again for each batch
    if rows:
        yield _together(waiting)


def _together(waiting: Sequence[pa.RecordBatch | pa.Table]) -> pa.Table:
    tables = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in waiting]
    return pa.concat_tables(tables).combine_chunks()
