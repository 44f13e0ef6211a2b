"""What the windows of decisions held as it was known at each decision's moment.

First all current versions at once. Each window also gives the latest moment at which one of its versions was settled:
a current one when it became known, a replaced one when it was replaced. If that lies after the decision, the window
was not yet what it is now, and the decision is computed again from the versions visible at its moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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
    rows = Rows(entity[row], at[row], {name: _value(table[name], row) for name in _values(parts)})
    versions = Versions(rows, since[row], until[row])
    asked, moment, first = Asked(entity[ask], at[ask]), since[ask], until[ask]
    current = versions.until == NEVER
    now = {name: (value, known & current) for name, (value, known) in rows.values.items()}
    checks = _checks(parts)
    found = answers(replace(rows, values=now | _settled(table, versions, row)), asked, [*parts, *checks])
    late = first < asked.at if own_early else np.zeros(len(ask), bool)
    for check in checks:
        settled, there = found.pop(check.name)
        late |= there & (settled > moment)
    some = np.flatnonzero(late)
    if len(some):
        keys, ids = table["_key"].take(pa.array(row)), table["_id"].take(pa.array(ask[some]))
        codes = _codes(pa.chunked_array([*keys.fill_null("").chunks, *ids.chunks]))
        own, mine = np.where(keys.is_valid().to_numpy(), codes[: len(row)], -1), codes[len(row) :]
        again = Late(asked.take(some), moment[some], mine)
        for name, (value, known) in again.answers(replace(versions, key=own), parts).items():
            found[name][0][some], found[name][1][some] = value, known
    return found


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
    batches: Iterable[pa.RecordBatch], parts: Sequence[Part], own_early: bool, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The first column of the schema, which decisions bring with them, and the parts; a partition is sorted by entity
    and time.
    """
    for table in whole_entities(batches):
        found = known_answers(table, parts, own_early)
        brought = table[schema.names[0]].filter(table["_id"].is_valid())
        columns: list[Any] = [brought.combine_chunks().cast(schema.types[0])]
        for part, kind in zip(parts, schema.types[1:], strict=True):
            value, known = found[part.name]
            columns.append(pa.array(value, kind, mask=~known, from_pandas=False))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def whole_entities(batches: Iterable[pa.RecordBatch], size: int = _ROWS) -> Iterator[pa.Table]:
    """Tables of about `size` rows that hold every row of each of their entities."""
    waiting: list[pa.RecordBatch | pa.Table] = []
    rows, enough = 0, size
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
        enough = max(size, 2 * rows)  # a large entity is not copied again for each batch
    if rows:
        yield _together(waiting)


def _together(waiting: Sequence[pa.RecordBatch | pa.Table]) -> pa.Table:
    tables = [part if isinstance(part, pa.Table) else pa.Table.from_batches([part]) for part in waiting]
    return pa.concat_tables(tables).combine_chunks()
