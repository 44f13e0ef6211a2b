"""What the page of runs shows: steps of the last run, what they warned of, every table with its version."""

from __future__ import annotations

from dataclasses import dataclass

from finlake.lakehouse import Lake
from finlake.reporting.reading import Row, rows

RUNS = 60


@dataclass
class RunFacts:
    runs: list[Row]
    recent: list[Row]  # newest first
    tables: list[Row]

    @property
    def steps(self) -> list[Row]:
        """Without the row of the job as a whole, which repeats what its tasks warned of."""
        return [run for run in self.runs if run["task"] or run["step"]]

    @property
    def warnings(self) -> list[str]:
        return list(dict.fromkeys(text for run in self.steps for text in run["warnings"] or []))

    @property
    def failed(self) -> list[Row]:
        return [run for run in self.runs if run["status"] != "ok"]


def run_facts(lake: Lake) -> RunFacts:
    """Tasks of the latest job run, else the latest run of each step, in the order in which they ran."""
    if not lake.exists("ops.runs"):
        return RunFacts([], [], _tables(lake, []))
    latest = rows(lake, f"SELECT * FROM ops.runs ORDER BY started_at DESC LIMIT {RUNS}")
    job = next((run["job_run_id"] for run in latest if run["job_run_id"]), "")
    by_step = {(run["step"], run["arguments"]): run for run in reversed(latest)}
    chosen = [run for run in latest if run["job_run_id"] == job] if job else list(by_step.values())
    chosen.sort(key=lambda run: str(run["started_at"]))
    return RunFacts(chosen, latest, _tables(lake, chosen))


def _tables(lake: Lake, runs: list[Row]) -> list[Row]:
    """Every table with its version, and which step of the run read or wrote it."""
    read: dict[str, list[str]] = {}
    written: dict[str, list[str]] = {}
    for run in runs:
        for name in run["reads"] or {}:
            read.setdefault(name, []).append(run["task"] or run["step"])
        for name in run["writes"] or {}:
            written.setdefault(name, []).append(run["task"] or run["step"])
    return [
        {
            "name": name,
            "version": lake.version(name),
            "read": _once(read.get(name)),
            "written": _once(written.get(name)),
        }
        for name in lake.tables()
    ]


def _once(names: list[str] | None) -> str:
    return ", ".join(dict.fromkeys(names or []))
