"""Ways to do the same, timed in turn."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping


def compare(what: str, ours: Callable[[], object], references: Mapping[str, Callable[[], object]], repeat: int) -> None:
    """Runs ours and each reference in turn after one warm-up; the ratios are of the medians."""
    every = [ours, *references.values()]
    for work in every:
        work()
    rounds = [[seconds(work) for work in every] for _ in range(repeat)]
    mine, *others = (statistics.median(column) for column in zip(*rounds, strict=True))
    if not references:
        line(f"{what}: {mine:.2f} s")
    for name, other in zip(references, others, strict=True):
        line(f"{what}, beside {name}: {mine:.2f} s / {other:.2f} s = {mine / other:.2f}")


def seconds(work: Callable[[], object]) -> float:
    """Of the wall clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
