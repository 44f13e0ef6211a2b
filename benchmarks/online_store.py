"""`python -m benchmarks.online_store`: `window` of 60 rows and `put` of one, in a file and on a server of this machine."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.postgres import no_postgres, server

from benchmarks.measure import line
from finlake.config import Target
from finlake.serving import Column, OnlineStore, Table, open_store

T = TypeVar("T")
ROWS = 60  # of each entity
KINDS = ("whole", "number", "number", "number", "whole", "text")
TABLE = Table("measured", tuple(Column(f"c{n}", kind) for n, kind in enumerate(KINDS * 2)))


def main() -> None:
    """Prints the median and the 99th percentile of each call in microseconds."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.online_store", description=__doc__)
    options.add_argument("--entities", type=int, default=2_000, help="entities with 60 rows each")
    options.add_argument("--calls", type=int, default=5_000, help="calls of each kind")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_store(Target(target="local"), Path(folder)) as store:
        measure("sqlite", store, given.entities, given.calls)
    if no_postgres():
        line("postgres: none here; name a server in FINLAKE_POSTGRES")
        return
    with server() as dsn:
        online = {"store": "postgres", "dsn": dsn, "schema": "finlake_measured"}
        with open_store(Target.model_validate({"target": "local", "online": online}), None) as store:
            measure("postgres", store, given.entities, given.calls)
            store.drop(store.tables())


def measure(name: str, store: OnlineStore, entities: int, calls: int) -> None:
    """Fills a store in the order of time, so that an entity's rows lie apart, and calls it for entities at random."""
    store.create([TABLE])
    began = time.perf_counter()
    for at in range(ROWS):
        store.put(TABLE.name, [_row(f"{at}_{entity}", entity, at) for entity in range(entities)])
    seconds = time.perf_counter() - began
    line(f"{name}: put of {entities:,} rows at once: {ROWS * entities / seconds:,.0f} rows a second")
    draw = random.Random(7)
    asked = [f"e{draw.randrange(entities)}" for _ in range(calls)]
    new = [[_row(f"new{n}", draw.randrange(entities), ROWS + n)] for n in range(calls)]
    _say(
        f"{name}: window of {ROWS} rows, {len(TABLE.columns)} columns",
        asked,
        lambda e: store.window(TABLE.name, e, 0, ROWS),
    )
    _say(f"{name}: put of one row", new, lambda rows: store.put(TABLE.name, rows))


def _row(key: str, entity: int, at: int) -> tuple[object, ...]:
    return (key, f"e{entity}", at, at, *(at, at / 3, None, at / 7, 1, "somewhere") * 2)


def _say(what: str, given: list[T], call: Callable[[T], object]) -> None:
    taken = []
    for one in given:
        began = time.perf_counter_ns()
        call(one)
        taken.append(time.perf_counter_ns() - began)
    taken.sort()
    p50, p99 = (taken[int(len(taken) * part)] / 1_000 for part in (0.5, 0.99))
    line(f"{what}: p50 {p50:,.0f} µs, p99 {p99:,.0f} µs")


if __name__ == "__main__":
    main()
