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
from finlake.features.windows.answers import Asked, Part, Rows, answers
from finlake.features.windows.functions import Answer
from finlake.features.windows.late import Late, Versions

_ROWS = 250_000  # rows worked on together, unless one entity has more
_SETTLED, _VERSION_SETTLED = "_settled", "_version_settled"


@dataclass(frozen=True)
class Asking:
    """How decisions look at the rows of their entity.

    Args:
        own_rows: the rows are of the decided source: the one with the decision's key does not count.
        own_early: it may have been known before it happened.
        placed_by: the clock by which rows of one time are in order.
    """

    own_rows: bool = False
    own_early: bool = False
    placed_by: str = "_from"


def known_answers(table: pa.Table, parts: Sequence[Part], asking: Asking) -> dict[str, Answer]:
    """The parts of every decision of a table of whole entities.

    Args:
        table: versions, and decisions (where `_id` is there), in any order: `_entity, _at, _from, _until, _key, _id` and
            the values; with labels also `_version_from, _version_until`.
        parts: what to compute.
        asking: how decisions look at them.

    Returns:
        Answers in the order in which the table has its decisions.
    """
    entity = _codes(table["_entity"])
    at, since, until = (_numbers(table[name])[0] for name in ("_at", "_from", "_until"))
    row, ask = _in_order(table, entity, at, asking.placed_by)
    rows = Rows(entity[row], at[row], {name: _value(table[name], row) for name in _values(parts)})
    versions = Versions(rows, since[row], until[row])
    asked, moment, first = Asked(entity[ask], at[ask]), since[ask], until[ask]
    current = versions.until == NEVER
    now = {name: (value, known & current) for name, (value, known) in rows.values.items()}
    checks = _checks(parts)
    found = answers(replace(rows, values=now | _settled(table, versions, row)), asked, [*parts, *checks])
    late = first < asked.at if asking.own_early else np.zeros(len(ask), bool)
    for check in checks:
        settled, there = found.pop(check.name)
        late |= there & (settled > moment)
    some = np.flatnonzero(late)
    if len(some):
        ids = table["_id"].take(pa.array(ask[some])).combine_chunks()
        mine = pc.index_in(ids, value_set=ids).to_numpy()
        own = np.full(len(row), -1)
        if asking.own_rows:
            own = pc.index_in(table["_key"], value_set=ids).fill_null(-1).to_numpy()[row]
        again = Late(asked.take(some), moment[some], mine)
        for name, (value, known) in again.answers(replace(versions, key=own), parts).items():
            found[name][0][some], found[name][1][some] = value, known
    back = np.argsort(ask)
    return {name: (value[back], known[back]) for name, (value, known) in found.items()}


def _in_order(table: pa.Table, entity: np.ndarray, at: np.ndarray, placed_by: str) -> tuple[np.ndarray, np.ndarray]:
    """Places of the versions by entity, time, `placed_by` and key, and of the decisions by entity and time."""
    decided = table["_id"].is_valid().to_numpy()
    row, ask = np.flatnonzero(~decided), np.flatnonzero(decided)
    placed = _numbers(table[placed_by])[0]
    row = row[np.lexsort((placed[row], at[row], entity[row]))]
    same = np.logical_and.reduce([column[row[1:]] == column[row[:-1]] for column in (entity, at, placed)])
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):
        some = row[tied]
        keys = pc.rank(table["_key"].take(pa.array(some)), tiebreaker="dense").to_numpy()
        row[tied] = some[np.lexsort((keys, placed[some], at[some], entity[some]))]
    return row, ask[np.lexsort((at[ask], entity[ask]))]


def _settled(table: pa.Table, versions: Versions, row: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    current = versions.until == NEVER
    settling = {_SETTLED: (np.where(current, versions.since, versions.until), np.ones(len(row), bool))}
    settling[_VERSION_SETTLED] = settling[_SETTLED]
    if "_version_from" in table.column_names:
        since, until = (_numbers(table[name])[0][row] for name in ("_version_from", "_version_until"))
        replaced = until != NEVER
        settling[_VERSION_SETTLED] = (np.where(replaced, until, since), replaced | current)
    return settling


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
    batches: Iterable[pa.RecordBatch],
    parts: Sequence[Part],
    schema: pa.Schema,
    asking: Asking,
    together: str = "_entity",
) -> Iterator[pa.RecordBatch]:
    """The parts, and before them the columns of the schema that decisions bring with them.

    Args:
        batches: of a partition that is sorted by `together`.
        parts: what to compute.
        schema: of the answer.
        asking: how decisions look at the rows.
        together: a column that is equal for the rows of an entity.
    """
    passed = len(schema) - len(parts)
    for table in whole_entities(batches, together):
        found = known_answers(table, parts, asking)
        decided = table.select(schema.names[:passed]).filter(table["_id"].is_valid()).combine_chunks()
        columns: list[Any] = [decided[place].cast(kind) for place, kind in enumerate(schema.types[:passed])]
        for part, kind in zip(parts, schema.types[passed:], strict=True):
            value, known = found[part.name]
            columns.append(pa.array(value, kind, mask=~known, from_pandas=False))
        yield from pa.table(columns, schema=schema).to_batches()


def whole_entities(
    batches: Iterable[pa.RecordBatch], together: str = "_entity", size: int = _ROWS
) -> Iterator[pa.Table]:
    """Tables of about `size` rows that hold every row of each of their entities; `together` is in order."""
    waiting: list[pa.RecordBatch | pa.Table] = []
    rows, enough = 0, size
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows < enough:
            continue
        table = _together(waiting)
        cut = pc.index(table[together], table[together][-1]).as_py()
        if cut:
            yield table.slice(0, cut)
        waiting, rows = [table.slice(cut)], table.num_rows - cut
        enough = max(size, 2 * rows)  # a large entity is not copied again for each batch
    if rows:
        yield _together(waiting)


def _together(waiting: Sequence[pa.RecordBatch | pa.Table]) -> pa.Table:
    tables = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in waiting]
    return pa.concat_tables(tables).combine_chunks()
