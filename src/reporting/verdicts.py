"""What the gates said of a model version, in words, and who moved it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import functions as F

from finlake.lakehouse import Lake

ASKS = {
    "better_than": "surely better than what decides today, on the same rows",
    "calibrated": "predicts as many positives as there are",
    "stable": "scores are spread as in training",
    "segments": "surely worse in no segment",
    "fast": "answers in time and is small enough",
    "reproducible": "a second fit gives the same model",
    "leaks": "knows nothing that was not known at the decision",
}


@dataclass(frozen=True)
class VerdictRow:
    """`asks`: what the gate wants; `words`: what was found, with its interval; numbers are null where there is none."""

    gate: str
    passed: bool
    asks: str
    words: str
    value: float | None
    low: float | None
    high: float | None
    judged_at: datetime


@dataclass(frozen=True)
class Move:
    """A row of ops.promotions in words: `promoted as champion by risk: sure win`."""

    at: datetime
    words: str


def verdicts(lake: Lake, use_case: str, version: str) -> list[VerdictRow]:
    """The verdicts of the latest judging of a version, failed ones first; empty where it was not judged."""
    if not lake.exists("ops.gates"):
        return []
    mine = lake.read("ops.gates").where((F.col("use_case") == use_case) & (F.col("version") == version))
    rows = mine.orderBy(F.desc("judged_at"), "gate").collect()
    latest = [row for row in rows if row["run_id"] == rows[0]["run_id"]]
    made = [
        VerdictRow(
            row["gate"], row["passed"], asks(row["gate"]), row["reason"], row["value"], row["low"], row["high"],
            row["judged_at"],
        )
        for row in latest
    ]  # fmt: skip
    return sorted(made, key=lambda row: (row.passed, row.gate))


def asks(gate: str) -> str:
    """What a gate wants, in words; `better_than.champion` is asked like `better_than`."""
    return ASKS.get(gate.partition(".")[0], gate)


def history(lake: Lake, use_case: str, version: str) -> list[Move]:
    """Every move and approval of a version, oldest first."""
    if not lake.exists("ops.promotions"):
        return []
    mine = lake.read("ops.promotions").where((F.col("use_case") == use_case) & (F.col("version") == version))
    made = []
    for row in mine.orderBy("at").collect():
        parts = (
            row["action"],
            f" as {row['alias']}" if row["alias"] else "",
            f" instead of v{row['before']}" if row["before"] else "",
            f" by {row['by']}" if row["by"] else "",
            f": {row['reason']}" if row["reason"] else "",
        )
        made.append(Move(row["at"], "".join(parts)))
    return made
