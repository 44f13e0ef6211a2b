"""Rows of the board, how often their test was read, and how they are shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from finlake.models.bootstrap import Estimate

Say = Callable[[str], None]
HEAD = ("data", "protocol", "figure", "finlake", "95% interval", "published", "wanted", "test reads", "settings")


@dataclass(frozen=True)
class Result:
    """One protocol on one file: figures with intervals, and what others found."""

    data: str
    protocol: str
    figures: Mapping[str, Estimate]
    settings: str
    published: Mapping[str, float] = field(default_factory=dict)
    wanted: Mapping[str, float] = field(default_factory=dict)
    notes: str = ""
    test_reads: int = 1


class Reads:
    """How often the test rows of each protocol have been measured, kept in a file beside the features."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count(self, test: str) -> int:
        """Notes one more read of a test, before it is read; gives how many there have been."""
        rows = json.loads(self._path.read_text("utf-8")) if self._path.is_file() else []
        rows.append({"test": test, "at": datetime.now(UTC).isoformat(timespec="seconds")})
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
        return sum(row["test"] == test for row in rows)


def markdown(results: Sequence[Result]) -> str:
    """The board as a table, with notes below."""
    rows = [HEAD, ["---"] * len(HEAD)]
    for result in results:
        for place, (name, found) in enumerate(result.figures.items()):
            first = place == 0
            rows.append([
                result.data if first else "", result.protocol if first else "", name,
                f"{found.value:.4f}" if found.value is not None else "–",
                f"{found.low:.3f}–{found.high:.3f}" if found.low is not None and found.high is not None else "–",
                _number(result.published.get(name)), _number(result.wanted.get(name)),
                str(result.test_reads) if first else "", result.settings if first else "",
            ])  # fmt: skip
    table = ["| " + " | ".join(row) + " |" for row in rows]
    notes = [f"- {result.data}, {result.protocol}: {result.notes}" for result in results if result.notes]
    return "\n".join([*table, "", *notes]) + "\n"


def save(results: Sequence[Result], out: Path) -> list[Path]:
    """`out` with the endings .md and .json."""
    out.parent.mkdir(parents=True, exist_ok=True)
    made = [out.with_suffix(".md"), out.with_suffix(".json")]
    made[0].write_text(markdown(results), "utf-8")
    made[1].write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n", "utf-8")
    return made


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
