"""Rows of the leaderboard: each model's figures on the same test rows, and the paired difference to finlake's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from finlake.models.bootstrap import Estimate
from finlake.models.results import Evaluation

SCHEMA = (
    "use_case string, model string, version string, origin string, digest string, test_digest string, figure string, "
    "value double, low double, high double, difference double, difference_low double, difference_high double, "
    "measured_at timestamp, run_id string"
)
ABOUT = "Every model on the same test rows: figures, and finlake's minus the model's, resampled together."
KEY = ("use_case", "model", "test_digest", "figure")
VALUES = ("version", "origin", "digest", "value", "low", "high", "difference", "difference_low", "difference_high")


@dataclass(frozen=True)
class Entry:
    """Whose figures those of an evaluation are, under the key that the evaluation has for it."""

    model: str
    origin: str  # finlake, baseline or outside
    version: str = ""
    digest: str = ""


def standings(evaluation: Evaluation, entries: Mapping[str, Entry]) -> Iterator[tuple[object, ...]]:
    """(model, version, origin, digest, figure, value, low, high, and the difference's) for each figure of each entry."""
    nothing = Estimate(None)
    for name, found in evaluation.figures.items():
        figure, _, key = name.rpartition(".")
        entry = entries.get(key)
        if entry is None or not figure:
            continue
        less = evaluation.differences.get(name, nothing)
        yield (
            entry.model, entry.version, entry.origin, entry.digest, figure, found.value, found.low, found.high,
            less.value, less.low, less.high,
        )  # fmt: skip
