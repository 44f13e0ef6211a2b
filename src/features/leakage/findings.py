"""What the auditor says: a feature, the column it should not know, why, what to do, and rows that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from finlake.errors import LeakageError


@dataclass(frozen=True)
class Seen:
    """A row that proves the point: its value became known after the decision."""

    decision_key: str
    decision_ts: datetime
    known_from: datetime
    value: str

    def __str__(self) -> str:
        late = self.known_from - self.decision_ts
        return (
            f"{self.decision_key}: decided {self.decision_ts:%Y-%m-%d %H:%M}, {self.value!r} known {spoken(late)} later"
        )


@dataclass(frozen=True)
class Shown:
    """A row that shows the pattern."""

    decision_key: str
    text: str

    def __str__(self) -> str:
        return f"{self.decision_key}: {self.text}"


@dataclass(frozen=True)
class Finding:
    """A feature, the column it should not know, why, and what to do.

    `kind` is one of the kinds in docs/leakage.md. A finding that is not `sure` has an honest explanation too, so it is
    said and stops nothing.
    """

    feature: str
    column: str
    place: str
    reason: str
    advice: str
    rows: tuple[Seen | Shown, ...] = ()
    late: timedelta | None = None
    kind: str = "definition"
    sure: bool = True

    def __str__(self) -> str:
        known = f", typically known {spoken(self.late)} after the decision" if self.late else ""
        uses = f" uses {self.column}" if self.column != self.feature else ""
        shown = "".join(f"\n    {row}" for row in self.rows)
        return f"{self.feature}{uses}{known}: {self.reason} ({self.place}). {self.advice}{shown}"


def refuse_leaks(findings: Sequence[Finding]) -> None:
    """Stops the run where a finding is sure.

    Raises:
        LeakageError: there are such findings; the message names features and columns and shows rows.
    """
    sure = [finding for finding in findings if finding.sure]
    if sure:
        lines = "\n  ".join(map(str, sure))
        raise LeakageError(f"{len(sure)} feature{'s' if len(sure) > 1 else ''} would leak:\n  {lines}")


def spoken(delay: timedelta) -> str:
    """`9 days`, `4 hours`, `12 minutes`."""
    seconds = delay.total_seconds()
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'s' if count != 1 else ''}"
    return "less than a minute"
