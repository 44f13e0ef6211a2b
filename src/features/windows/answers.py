"""Windows of decisions over rows of which all count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from finlake.features.windows.functions import FUNCTIONS, Answer, Held
from finlake.features.windows.ranges import before, first_at_or_after


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
        """Some of them."""
        return Asked(self.entity[places], self.at[places])


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
            held[pair] = (value[there], rows.at[there], other[there], before(there))
        value, at, other, place = held[pair]
        low, high = place[edge(part.low)], place[edge(part.high + 1)]
        found[part.name] = FUNCTIONS[part.function](Held(value, at, low, high, asked.at, other, part.argument))
    return found
