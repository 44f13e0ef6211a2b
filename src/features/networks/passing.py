"""Money that passes through an account: how much of what came in went out again soon. Arrays in, arrays out; no Spark.

Each unit that comes in may pay for a unit that goes out later, at most `bound` later. Matched first in, first out (the rule
of Clayton's case, 1816; for tracing stolen coins Anderson, Shumailov and Ahmed, "Making Bitcoin Legal", 2018) the amount
matched is also the largest possible one, because all units live equally long.

What is left of the received money after a row is a function of what was there before: x -> min(max(x + c, lo), hi), for older
money than `bound` is gone and there is none below zero. The part of payments that no received money explains is
L - min(x, a). Such functions follow each other in the same form, so windows are folded over blocks like all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finlake.features.windows.ranges import Columns, first_at_or_after, fold, sums


@dataclass(frozen=True)
class Movements:
    """Movements by entity, time and amount: what went out at a time comes before what came in at the same time."""

    entity: np.ndarray
    at: np.ndarray  # microseconds
    amount: np.ndarray  # int64 minor units, positive in, negative out


@dataclass(frozen=True)
class Passed:
    """What came of each range of rows."""

    received: np.ndarray  # minor units
    passed: np.ndarray  # minor units of them that went out again in time
    prompt: np.ndarray  # payments made within the bound of a receipt
    waited: np.ndarray  # microseconds from the latest receipt to each of these, added up


def passed_on(rows: Movements, low: np.ndarray, high: np.ndarray, bound: int) -> Passed:
    """What passed through within each range of rows; nothing outside the range plays a part.

    Args:
        rows: of many entities.
        low: first rows.
        high: rows after the last, not below `low`.
        bound: microseconds.
    """
    into, out = np.maximum(rows.amount, 0), np.maximum(-rows.amount, 0)
    earlier = first_at_or_after(rows.entity, rows.at, rows.entity, rows.at)
    young = sums(into, first_at_or_after(rows.entity, rows.at, rows.entity, rows.at - bound), np.arange(len(into)))
    least, most = np.maximum(rows.amount, 0), np.maximum(young + rows.amount, 0)
    unmatched = fold((rows.amount, least, most, out, np.minimum(out, young)), low, high, _then)[3]
    receipts = np.flatnonzero(into)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(into > 0)])
    latest = receipts[np.maximum(before[earlier] - 1, 0)] if len(receipts) else np.zeros(len(into), np.int64)
    wait = rows.at - rows.at[latest]
    prompt = (out > 0) & (before[earlier] > 0) & (rows.entity[latest] == rows.entity) & (wait <= bound)
    ends = np.append(receipts, len(into))
    begun = np.minimum(ends[before[low]], high)  # payments before the first receipt of the range waited for none of it
    return Passed(
        sums(into, low, high),
        sums(out, low, high) - unmatched,
        sums(prompt, begun, high),
        sums(np.where(prompt, wait, 0), begun, high),
    )


def _then(f: Columns, g: Columns) -> Columns:
    """First f, then g; each is (c, lo, hi, L, a) of the module's text."""
    c, low, high, lacking, used = f
    c2, low2, high2, lacking2, used2 = g
    empty, full = np.minimum(np.minimum(np.maximum(c, low), high), used2), np.minimum(high, used2)
    return (
        c + c2,
        np.minimum(np.maximum(low + c2, low2), high2),
        np.minimum(np.maximum(high + c2, low2), high2),
        lacking + lacking2 - empty,
        used + full - empty,
    )
