"""What windows held as it was known at each decision, against looking at every version for every decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from finlake.features.windows import NEVER
from finlake.features.windows.answers import Part
from finlake.features.windows.known import Asking, known_answers, whole_entities

PARTS = [
    Part("n", "count", "_v0", -400, -1),
    Part("sum", "sum", "_v0", -400, -1),
    Part("ever", "sum", "_v0", None, -50),
    Part("high", "max", "_v0", -400, -1),
    Part("mean", "sum", "_v1", -90, -1),
    Part("low", "min", "_v1", None, -1),
    Part("latest", "last", "_v0", -400, -1),
    Part("latest_ever", "last_time", "_v0", None, -30),
    Part("earliest", "first", "_v1", -90, -1),
]


COMES_TO: dict[str, Callable[[list[float]], float]] = {
    "sum": sum, "max": max, "min": min, "first": lambda held: held[0], "last": lambda held: held[-1], "last_time": max,
}  # fmt: skip


def world(seed: int, size: int) -> list[dict[str, Any]]:
    """Versions of keys that are corrected, also in time and entity, now and then before their own event; and decisions."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for key in range(size):
        at, since = int(draw.integers(0, 1_000)), 0
        entity, copies = f"e{draw.integers(0, 3)}", int(draw.integers(1, 4))
        for copy in range(copies):
            since = max(since + 1, at + int(draw.integers(-50, 150)))
            until = since + int(draw.integers(1, 200)) if copy + 1 < copies else NEVER
            value, number = int(draw.integers(-5, 6)), float(draw.normal())
            rows.append(
                {"_entity": entity, "_at": at, "_from": since, "_until": until, "_key": f"k{key}", "_id": None}
                | {"_v0": value if draw.random() < 0.8 else None, "_v1": number}
            )
            if copy == 0:
                decision = {"_entity": entity, "_at": at, "_from": at, "_until": since, "_key": None, "_id": f"k{key}"}
                rows.append(decision | {"_v0": None, "_v1": None})
            since, at = until, at + int(draw.integers(-20, 20))
    rows.sort(key=lambda row: (row["_entity"], row["_at"], row["_from"], row["_key"] or ""))
    return rows


def table(rows: list[dict[str, Any]]) -> pa.Table:
    text, whole = pa.string(), pa.int64()
    kinds = {"_entity": text, "_at": whole, "_from": whole, "_until": whole, "_key": text, "_id": text}
    return pa.Table.from_pylist(rows, pa.schema([*kinds.items(), ("_v0", whole), ("_v1", pa.float64())]))


def reference(rows: list[dict[str, Any]], part: Part) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for decision in (row for row in rows if row["_id"]):
        moment, at = decision["_from"], decision["_at"]
        held = [
            row["_at" if part.function == "last_time" else part.value]
            for row in rows
            if row["_key"] and row["_key"] != decision["_id"] and row["_entity"] == decision["_entity"]
            and row["_from"] <= moment < row["_until"] and row["_at"] <= at + part.high
            and (part.low is None or row["_at"] >= at + part.low) and row[part.value] is not None
        ]  # fmt: skip
        if part.function == "count":
            found[decision["_id"]] = len(held)
        else:
            found[decision["_id"]] = COMES_TO[part.function](held) if held else None
    return found


@pytest.mark.parametrize("seed", range(8))
def test_a_window_holds_the_versions_visible_at_the_decision_and_never_its_own(seed: int) -> None:
    rows = world(seed, 120)
    got = known_answers(table(rows), PARTS, Asking(own_rows=True, own_early=True))
    ids = [row["_id"] for row in rows if row["_id"]]
    for part in PARTS:
        wanted = reference(rows, part)
        value, known = got[part.name]
        for place, name in enumerate(ids):
            assert bool(known[place]) == (wanted[name] is not None), (part, name)
            assert not known[place] or value[place] == pytest.approx(wanted[name], rel=1e-9, abs=1e-9), (part, name)
        assert len({*wanted.values()}) > 5, "says nothing"


@pytest.mark.parametrize("size", [1, 5, 40, 1_000])
def test_no_entity_is_cut(size: int) -> None:
    whole = table(world(9, 100))
    pieces = list(whole_entities(whole.to_batches(7), size=size))
    assert pa.concat_tables(pieces).combine_chunks().equals(whole)
    entities = [set(piece["_entity"].to_pylist()) for piece in pieces]
    assert sum(map(len, entities)) == len(set.union(*entities)) == 3
    assert len(pieces) == (1 if size == 1_000 else 3 if size < 40 else len(pieces))


def test_rows_come_in_any_order_and_those_of_one_moment_are_in_the_order_of_their_keys() -> None:
    first = {row["_key"]: row for row in reversed(world(5, 200)) if row["_key"]}.values()
    asked = [row for row in world(5, 200) if row["_id"]]
    rows = [{**row, "_at": row["_at"] // 100, "_from": row["_from"] // 100 * 100} for row in (*first, *asked)]
    found = []
    for order in (range(len(rows)), range(len(rows))[::-1], np.random.default_rng(0).permutation(len(rows))):
        placed = [rows[place] for place in order]
        ids = [row["_id"] for row in placed if row["_id"]]
        got = known_answers(table(placed), PARTS, Asking(own_rows=True, own_early=True))
        told = {name: np.where(known, value, np.inf) for name, (value, known) in got.items()}
        found.append({name: dict(zip(ids, values, strict=True)) for name, values in told.items()})
    assert found[0] == found[1] == found[2]
    moments = {(row["_entity"], row["_at"], row["_from"]) for row in rows if row["_key"]}
    assert len(moments) < len(first) - 50, "says nothing"
