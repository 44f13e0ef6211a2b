"""Money that passes through accounts, beside a queue of receipts that is emptied payment by payment."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finlake.features.networks.passing import Movements, passed_on

Movement = tuple[int, int]  # time, amount: positive in, negative out


def queue(movements: list[Movement], bound: int) -> tuple[int, int, int, int]:
    waiting: deque[list[int]] = deque()
    passed, waits = 0, []
    receipts: list[int] = []
    for at, amount in sorted(movements):
        if amount > 0:
            waiting.append([at, amount])
            receipts.append(at)
            continue
        owed = -amount
        earlier = [receipt for receipt in receipts if receipt < at]
        if earlier and at - earlier[-1] <= bound:
            waits.append(at - earlier[-1])
        while waiting and owed:
            if at - waiting[0][0] > bound:
                waiting.popleft()
                continue
            taken = min(owed, waiting[0][1])
            owed, passed = owed - taken, passed + taken
            waiting[0][1] -= taken
            if not waiting[0][1]:
                waiting.popleft()
    return sum(amount for _, amount in movements if amount > 0), passed, len(waits), sum(waits)


def ranges(accounts: list[list[Movement]]) -> tuple[Movements, list[tuple[int, int, list[Movement]]]]:
    """All rows of the accounts, and every range of rows that begins and ends between two moments of one account."""
    rows, found = [], []
    for entity, movements in enumerate(accounts):
        ordered = sorted(movements)
        base = len(rows)
        rows += [(entity, *movement) for movement in ordered]
        cuts = [n for n in range(len(ordered) + 1) if n in (0, len(ordered)) or ordered[n - 1][0] < ordered[n][0]]
        found += [(base + a, base + b, ordered[a:b]) for a in cuts for b in cuts if a <= b]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Movements(*columns), found


def check(accounts: list[list[Movement]], bound: int) -> None:
    rows, asked = ranges(accounts)
    low, high = (np.array([edges[n] for edges in asked], np.int64) for n in (0, 1))
    found = passed_on(rows, low, high, bound)
    made = list(zip(*(c.tolist() for c in (found.received, found.passed, found.prompt, found.waited)), strict=True))
    assert made == [queue(movements, bound) for _, _, movements in asked]


movement = st.tuples(st.integers(0, 12), st.integers(-5, 5).filter(bool))


@settings(max_examples=300)
@given(st.lists(st.lists(movement, max_size=9), min_size=1, max_size=3), st.integers(0, 6))
def test_every_range_of_rows_passes_on_what_a_queue_does(accounts: list[list[Movement]], bound: int) -> None:
    check(accounts, bound)


@pytest.mark.parametrize("seed", [1, 2])
def test_long_ranges_too(seed: int) -> None:
    draw = np.random.default_rng(seed)
    times, amounts = (
        draw.integers(0, 150, 120).tolist(),
        (draw.integers(1, 900, 120) * draw.choice([-1, 1], 120)).tolist(),
    )
    check([list(zip(times, amounts, strict=True))], bound=11)


def test_receipts_of_one_moment_wait_together() -> None:
    check([[(2, 1), (2, 1), (3, -2)]], bound=1)


def test_money_may_leave_up_to_the_bound_and_never_in_the_moment_it_came() -> None:
    check([[(0, 100), (0, -40), (10, -30), (11, -30)]], bound=10)
    rows = Movements(*np.array([[0, 0, -40], [0, 0, 100], [0, 10, -30], [0, 11, -30]], np.int64).T)
    found = passed_on(rows, np.array([0]), np.array([4]), 10)
    assert (found.received.tolist(), found.passed.tolist()) == ([100], [30])
    assert (found.prompt.tolist(), found.waited.tolist()) == ([1], [10])
