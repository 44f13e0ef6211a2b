"""What a window of rows comes to: one function a name, over the rows whose value is there.

Each takes `Held` and gives the answers and whether each is known; the ranges of `Held` may be empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finlake.features.windows.ranges import Columns, Wavelet, fold, sums

Answer = tuple[np.ndarray, np.ndarray]
_SCALE = 2**32  # whole numbers stand for c·ln c, so that what leaves a window takes away exactly what it brought


@dataclass(frozen=True)
class Held:
    """Rows with a value, in their order, and the range of them that each decision sees."""

    value: np.ndarray  # int64 (minor units, codes of texts) or float64
    at: np.ndarray  # microseconds
    low: np.ndarray
    high: np.ndarray
    asked_at: np.ndarray  # the decision's own time
    other: np.ndarray  # the second value of a correlation; else `value`
    argument: float  # quantile: which; decayed sum: half-life in microseconds

    @property
    def some(self) -> np.ndarray:
        return self.high > self.low


def count(held: Held) -> Answer:
    return held.high - held.low, np.ones(len(held.low), bool)


def total(held: Held) -> Answer:
    if held.value.dtype == np.int64:
        return sums(held.value, held.low, held.high), held.some
    return fold((held.value,), held.low, held.high, lambda a, b: (a[0] + b[0],))[0], held.some


def lowest(held: Held) -> Answer:
    return fold((held.value,), held.low, held.high, lambda a, b: (np.minimum(a[0], b[0]),))[0], held.some


def highest(held: Held) -> Answer:
    return fold((held.value,), held.low, held.high, lambda a, b: (np.maximum(a[0], b[0]),))[0], held.some


def earliest_value(held: Held) -> Answer:
    return at_places(held.value, held.low, held.some), held.some


def latest_value(held: Held) -> Answer:
    return at_places(held.value, held.high - 1, held.some), held.some


def latest_time(held: Held) -> Answer:
    return at_places(held.at, held.high - 1, held.some), held.some


def deviation(held: Held) -> Answer:
    """Sample standard deviation (n - 1), by pairwise moments (Chan, Golub and LeVeque 1979); unknown for a single row."""
    _, _, spread = _moments(held, (held.value.astype(float),))
    n = held.high - held.low
    return np.sqrt(spread[0] / np.maximum(n - 1, 1)), n > 1


def correlation(held: Held) -> Answer:
    """Pearson's; unknown where one of the two does not vary."""
    _, _, spread = _moments(held, (held.value.astype(float), held.other.astype(float)))
    xx, xy, yy = spread
    known = (xx > 0) & (yy > 0)
    return np.clip(xy / np.sqrt(np.where(known, xx * yy, 1)), -1, 1), known


def slope(held: Held) -> Answer:
    """Least squares over time, in value a microsecond; unknown where all rows have one time."""
    _, _, spread = _moments(held, (held.at.astype(float), held.value.astype(float)))
    xx, xy, _ = spread
    return xy / np.where(xx > 0, xx, 1), xx > 0


def decayed(held: Held) -> Answer:
    """Sum of value · 2^(-age / half-life), age up to the decision's own time."""
    found, last = _decayed_to_last(held)
    return found * np.exp2(np.where(held.some, last - held.asked_at, 0) / held.argument), held.some


def decayed_to_last(held: Held) -> Answer:
    """The same with age up to the range's latest row: in a quotient of two such sums no age is too large for a double."""
    return _decayed_to_last(held)[0], held.some


def _decayed_to_last(held: Held) -> tuple[np.ndarray, np.ndarray]:
    def older(a: Columns, b: Columns) -> Columns:
        return a[0] * np.exp2((a[1] - b[1]) / held.argument) + b[0], b[1]

    found, last = fold((held.value.astype(float), held.at), held.low, held.high, older)
    return found, last


def distinct(held: Held) -> Answer:
    """A row counts where its value was last seen before the range began."""
    order = np.argsort(held.value, kind="stable")
    same = held.value[order][1:] == held.value[order][:-1]
    seen = np.zeros(len(order), np.int64)  # one more than the place of the latest earlier row of this value
    seen[order[1:][same]] = order[:-1][same] + 1
    return Wavelet(seen).below(held.low, held.high, held.low + 1), np.ones(len(held.low), bool)


def quantile(held: Held) -> Answer:
    """Between the two nearest rows in proportion (type 7 of Hyndman and Fan 1996)."""
    if not len(held.value):
        return np.zeros(len(held.low)), held.some
    numbers, ranks = np.unique(held.value, return_inverse=True)
    tree, n = Wavelet(ranks), np.maximum(held.high - held.low, 1)
    place = held.argument * (n - 1)
    below = np.floor(place).astype(np.int64)
    low, high = np.where(held.some, held.low, 0), np.where(held.some, held.high, 1)
    first, second = (numbers[tree.smallest(low, high, np.minimum(rank, n - 1))] for rank in (below, below + 1))
    return first + (second - first) * (place - below), held.some


def concentration(held: Held) -> Answer:
    """Herfindahl-Hirschman index: the sum of squared shares of rows, 1 where all are of one kind."""
    squares = _sliding(held, lambda count: count * count)
    n = np.maximum(held.high - held.low, 1).astype(float)
    return squares / n**2, held.some


def entropy(held: Held) -> Answer:
    """Shannon's, in nats: 0 where all rows are of one kind."""
    n = held.high - held.low
    lengths, place = np.unique(n, return_inverse=True)
    whole = np.array([_count_log_count(length) for length in lengths.tolist()], np.int64)[place]
    return (whole - _sliding(held, _count_log_count)) / _SCALE / np.maximum(n, 1), held.some


FUNCTIONS: dict[str, Callable[[Held], Answer]] = {
    "count": count, "sum": total, "min": lowest, "max": highest, "first": earliest_value, "last": latest_value,
    "last_time": latest_time, "std": deviation, "correlation": correlation, "slope": slope, "decayed": decayed,
    "decayed_to_last": decayed_to_last, "distinct": distinct, "quantile": quantile, "concentration": concentration, "entropy": entropy,
}  # fmt: skip
WHOLE = ("count", "distinct", "last_time")  # always whole numbers
OF_WHOLE = ("sum", "min", "max", "first", "last")  # whole numbers of whole numbers


def _count_log_count(count: int) -> int:
    return round(count * math.log(count) * _SCALE) if count else 0


def at_places(column: np.ndarray, place: np.ndarray, some: np.ndarray) -> np.ndarray:
    """The values at places; anything where there is none."""
    return column[np.where(some, place, 0)] if len(column) else np.zeros(len(place), column.dtype)


def _moments(held: Held, given: Columns) -> tuple[np.ndarray, Columns, Columns]:
    """Number of rows, means, and sums of products of differences from them: xx, or xx, xy and yy."""
    size = len(given)
    pairs = [(i, j) for i in range(size) for j in range(i, size)]

    def joined(a: Columns, b: Columns) -> Columns:
        n = a[0] + b[0]
        weight = a[0] * b[0] / np.maximum(n, 1)
        apart = [b[1 + i] - a[1 + i] for i in range(size)]
        means = [a[1 + i] + apart[i] * b[0] / np.maximum(n, 1) for i in range(size)]
        spread = [a[1 + size + k] + b[1 + size + k] + apart[i] * apart[j] * weight for k, (i, j) in enumerate(pairs)]
        return n, *means, *spread

    ones = np.ones(len(held.value))
    found = fold((ones, *given, *(np.zeros(len(ones)) for _ in pairs)), held.low, held.high, joined)
    return found[0], found[1 : 1 + size], found[1 + size :]


def _sliding(held: Held, weight: Callable[[int], int]) -> np.ndarray:
    """Sum of `weight(rows of this value)` over the values in each range; ranges move forward within an entity."""
    codes, low, high = held.value.tolist(), held.low.tolist(), held.high.tolist()
    weights = [weight(count) for count in range(int((held.high - held.low).max(initial=0)) + 2)]
    counts: dict[int, int] = {}
    found, summed, begin, end = [], 0, 0, 0
    for first, after in zip(low, high, strict=True):
        if first >= end or first < begin or after < end:
            counts, summed, begin, end = {}, 0, first, first
        for place in range(end, after):
            count = counts.get(codes[place], 0)
            counts[codes[place]] = count + 1
            summed += weights[count + 1] - weights[count]
        for place in range(begin, first):
            count = counts[codes[place]]
            counts[codes[place]] = count - 1
            summed -= weights[count] - weights[count - 1]
        begin, end = first, max(end, after)
        found.append(summed)
    return np.array(found, np.int64)
