"""Functions of windows against the plainest way to compute them, and against what the window does not hold."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pytest

from finlake.features.windows.answers import Asked, Part, Rows, answers
from finlake.features.windows.functions import FUNCTIONS, Held
from finlake.features.windows.ranges import first_at_or_after

HALF_LIFE = 500.0
QUANTILE = 0.3


def world(seed: int, entities: int = 6, rows: int = 150) -> tuple[Rows, Asked]:
    """Rows and decisions of several entities with ties, unknown values and an entity nobody has rows of."""
    draw = np.random.default_rng(seed)
    entity = np.sort(draw.integers(0, entities, rows))
    at = draw.integers(0, 2_000, rows)
    order = np.lexsort((at, entity))
    whole = draw.integers(-3, 4, rows)
    number = draw.normal(1e6, 1, rows)
    other = number * 0.5 + draw.normal(0, 1, rows)
    values = {
        "whole": (whole, draw.random(rows) < 0.8), "number": (number, draw.random(rows) < 0.8), "other": (other, np.ones(rows, bool)),
    }  # fmt: skip
    asked_entity = np.sort(draw.integers(0, entities + 1, 80))
    asked_at = draw.integers(0, 2_200, 80)
    places = np.lexsort((asked_at, asked_entity))
    return Rows(entity, at[order], values), Asked(asked_entity[places], asked_at[places])


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def correlation(x: list[float], y: list[float]) -> float | None:
    xx, yy = (math.fsum((v - mean(s)) ** 2 for v in s) for s in (x, y))
    xy = math.fsum((a - mean(x)) * (b - mean(y)) for a, b in zip(x, y, strict=True))
    return xy / math.sqrt(xx * yy) if xx > 0 and yy > 0 else None


def slope(times: list[int], values: list[float]) -> float | None:
    if len(set(times)) < 2:
        return None
    return statistics.linear_regression([t - times[0] for t in times], values).slope


def quantile(values: list[Any]) -> float:
    place = QUANTILE * (len(values) - 1)
    ordered = sorted(values)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(values) - 1)] - ordered[low]) * (place - low)


def plain(name: str, times: list[int], values: list[Any], others: list[float], end: int) -> float | None:
    """The meaning of a function, over the rows of one window in their order."""
    n = len(values)
    if name in ("count", "distinct"):
        return float(n if name == "count" else len(set(values)))
    if not n:
        return None
    counts = Counter(values).values()
    return {
        "sum": lambda: math.fsum(values), "min": lambda: min(values), "max": lambda: max(values),
        "first": lambda: values[0], "last": lambda: values[-1], "last_time": lambda: times[-1],
        "std": lambda: statistics.stdev(values) if n > 1 else None,
        "correlation": lambda: correlation(values, others), "slope": lambda: slope(times, values),
        "decayed": lambda: math.fsum(v * 2 ** ((t - end) / HALF_LIFE) for v, t in zip(values, times, strict=True)),
        "decayed_to_last": lambda: math.fsum(v * 2 ** ((t - times[-1]) / HALF_LIFE) for v, t in zip(values, times, strict=True)),
        "quantile": lambda: quantile(values), "concentration": lambda: sum((c / n) ** 2 for c in counts),
        "entropy": lambda: -sum(c / n * math.log(c / n) for c in counts),
    }[name]()  # fmt: skip


def cases() -> list[tuple[str, str]]:
    of_codes = ("distinct", "concentration", "entropy")
    return [
        (name, value) for name in FUNCTIONS for value in ("whole", "number") if value == "whole" or name not in of_codes
    ]


@pytest.mark.parametrize(("name", "value"), cases())
@pytest.mark.parametrize("frame", [(-300, -1), (-1500, -200), (None, -1)])
def test_every_function_is_its_meaning(name: str, value: str, frame: tuple[int | None, int]) -> None:
    low, high = frame
    other = "other" if name == "correlation" else ""
    argument = {"decayed": HALF_LIFE, "decayed_to_last": HALF_LIFE, "quantile": QUANTILE}.get(name, 0.0)
    seen = set()
    for seed in range(3):
        rows, asked = world(seed)
        got, known = answers(rows, asked, [Part("f", name, value, low, high, other=other, argument=argument)])["f"]
        data, there = rows.values[value]
        for place, (entity, end) in enumerate(zip(asked.entity, asked.at, strict=True)):
            inside = (rows.entity == entity) & (rows.at <= end + high) & there
            if low is not None:
                inside &= rows.at >= end + low
            held = np.flatnonzero(inside)
            others = [float(v) for v in rows.values["other"][0][held]]
            wanted = plain(name, rows.at[held].tolist(), data[held].tolist(), others, int(end))
            assert bool(known[place]) == (wanted is not None)
            if wanted is not None:
                assert float(got[place]) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
                seen.add(round(wanted, 9))
    assert len(seen) > 2, "says nothing"


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_the_same_rows_give_the_same_bits_wherever_they_lie(name: str) -> None:
    draw = np.random.default_rng(5)
    values, times = draw.normal(0, 1e3, 37), np.arange(37) * 10
    values = draw.integers(0, 5, 37) if name in ("distinct", "concentration", "entropy") else values
    found = set()
    for before, after in ((0, 0), (1, 0), (13, 64), (100, 3)):
        value = np.concatenate([np.full(before, 7), values, np.full(after, 7)]).astype(values.dtype)
        at = np.concatenate([np.arange(before) - 1_000, times, np.arange(after) + 1_000])
        low, high = np.array([before]), np.array([before + 37])
        held = Held(
            value,
            at,
            low,
            high,
            np.array([400]),
            value * 3,
            {"decayed": HALF_LIFE, "decayed_to_last": HALF_LIFE, "quantile": QUANTILE}.get(name, 0),
        )
        answer, known = FUNCTIONS[name](held)
        found.add((answer[0].item().hex() if isinstance(answer[0].item(), float) else answer[0].item(), bool(known[0])))
    assert len(found) == 1


def test_moments_thousands_of_years_apart_and_many_entities_keep_their_places() -> None:
    entity = np.repeat(np.arange(500), 2)
    at = np.tile([-62_135_596_800_000_000, 253_402_300_799_999_999], 500)
    found = first_at_or_after(entity, at, np.arange(500), np.full(500, 0))
    assert found.tolist() == list(range(1, 1000, 2))
