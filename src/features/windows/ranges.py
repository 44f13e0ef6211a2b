"""Many ranges [low, high) over one sorted array, answered together.

Every answer depends on the rows inside its range alone, never on what lies around it: the same rows give the same bits,
whether they come in a rebuild, in a day's increment or one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Columns = tuple[np.ndarray, ...]
Combine = Callable[[Columns, Columns], Columns]


def first_at_or_after(entity: np.ndarray, at: np.ndarray, asked_entity: np.ndarray, asked_at: np.ndarray) -> np.ndarray:
    """For each asked moment the place of its entity's first row at or after it.

    Args:
        entity: small whole numbers, ascending.
        at: microseconds, ascending within an entity.
        asked_entity: entities of the same numbering.
        asked_at: microseconds.
    """
    if not len(at):
        return np.zeros(len(asked_at), np.int64)
    base, top = int(at.min()), int(at.max())
    if (max(int(entity[-1]), int(asked_entity.max(initial=0))) + 1) * (top - base + 2) >= 2**63:
        moments = np.unique(at)  # timestamps so far apart that entity and time do not fit into one number: ranks do
        at, asked_at = np.searchsorted(moments, at), np.searchsorted(moments, asked_at)
        base, top = 0, len(moments) - 1
    span = top - base + 2
    inside = np.clip(asked_at - base, 0, span - 1)
    return np.searchsorted(entity * span + (at - base), asked_entity * span + inside)


def sums(numbers: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Sums of whole numbers, exact as long as the answer fits into 64 bits."""
    summed = before(numbers)
    return summed[high] - summed[low]


def sums_up_to(
    numbers: Columns, key: np.ndarray, edges: Sequence[np.ndarray], limit: np.ndarray
) -> list[tuple[np.ndarray, ...]]:
    """For each edge, sums of whole numbers over the rows before it whose key is at most the limit.

    The rows are halved by the binary digits of their key's rank, as in a wavelet tree, and all edges follow.

    Args:
        numbers: columns to sum.
        key: one for each row.
        edges: row numbers, one for each limit.
        limit: largest key that takes part.
    """
    steps = np.unique(key)
    rank, below = np.searchsorted(steps, key), np.searchsorted(steps, limit, side="right")
    digits = len(steps).bit_length()
    found = [tuple(np.zeros(len(limit), np.int64) for _ in numbers) for _ in edges]
    for bit in reversed(range(digits)):
        zero, taking = (rank >> bit) & 1 == 0, (below >> bit) & 1 == 1
        zeros = before(zero)
        halves = [before(np.where(zero, column, 0)) for column in numbers]
        for edge, summed in zip(edges, found, strict=True):
            for half, part in zip(halves, summed, strict=True):
                part += np.where(taking, half[edge], 0)
        edges = [np.where(taking, zeros[-1] + edge - zeros[edge], zeros[edge]) for edge in edges]
        rank, *columns = (np.concatenate([column[zero], column[~zero]]) for column in (rank, *numbers))
        numbers = tuple(columns)
    return found


def before(column: np.ndarray) -> np.ndarray:
    """For each place, and the one after the last, the sum of what lies before it."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(column, dtype=np.int64)])


def fold(columns: Columns, low: np.ndarray, high: np.ndarray, combine: Combine) -> Columns:
    """`combine` over the rows of each range, in their order; zeros where a range is empty.

    Blocks of 1, 2, 4 … rows are laid end to end from the beginning of the range, as many as its length has binary digits.

    Args:
        columns: one row's state, one array for each part of it.
        low: first rows.
        high: rows after the last.
        combine: states of earlier and of later rows -> their common state; associative.
    """
    found = tuple(np.zeros(len(low), column.dtype) for column in columns)
    begun = np.zeros(len(low), bool)
    at, length, width = low.copy(), high - low, 1
    longest = int(length.max(initial=0))
    while width <= longest:
        taking = np.flatnonzero(length & width)
        block = tuple(column[at[taking]] for column in columns)
        both = combine(tuple(part[taking] for part in found), block)
        for part, joined, alone in zip(found, both, block, strict=True):
            part[taking] = np.where(begun[taking], joined, alone)
        begun[taking] = True
        at[taking] += width
        columns = combine(tuple(c[:-width] for c in columns), tuple(c[width:] for c in columns))
        width *= 2
    return found


class Wavelet:
    """Order statistics of ranges: whole numbers split by their binary digits, highest first (Claude and Navarro 2012)."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.levels: list[tuple[int, np.ndarray]] = []
        for bit in reversed(range(int(numbers.max(initial=0)).bit_length())):
            zero = (numbers >> bit) & 1 == 0
            self.levels.append((bit, before(zero)))
            numbers = np.concatenate([numbers[zero], numbers[~zero]])

    def below(self, low: np.ndarray, high: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """How many numbers of each range lie below its limit."""
        found, every = np.zeros(len(low), np.int64), high - low
        for bit, zeros in self.levels:
            ones = (limit >> bit) & 1 == 1
            found += np.where(ones, zeros[high] - zeros[low], 0)
            low, high = _descend(zeros, low, high, ones)
        return np.where(limit >> len(self.levels), every, found)

    def smallest(self, low: np.ndarray, high: np.ndarray, rank: np.ndarray) -> np.ndarray:
        """The number at `rank` (0: the smallest) of each range."""
        found = np.zeros(len(low), np.int64)
        for bit, zeros in self.levels:
            held = zeros[high] - zeros[low]
            ones = rank >= held
            found |= ones.astype(np.int64) << bit
            rank = np.where(ones, rank - held, rank)
            low, high = _descend(zeros, low, high, ones)
        return found


def _descend(zeros: np.ndarray, low: np.ndarray, high: np.ndarray, ones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.where(ones, zeros[-1] + low - zeros[low], zeros[low]),
        np.where(ones, zeros[-1] + high - zeros[high], zeros[high]),
    )
