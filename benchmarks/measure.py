"""Two ways to do the same, timed in turn."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable


def compare(what: str, ours: Callable[[], object], reference: Callable[[], object], repeat: int) -> None:
    """Runs both in turn after one warm-up; the ratio is of the medians."""
    ours(), reference()
    pairs = [(seconds(ours), seconds(reference)) for _ in range(repeat)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    line(f"{what}: {mine:.2f} s / {other:.2f} s = {mine / other:.2f}")


def seconds(work: Callable[[], object]) -> float:
    """Of the wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
