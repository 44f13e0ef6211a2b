"""What every step gets: the lake, the configuration, the moment it stands at, and its record."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from finlake.config import Config
from finlake.lakehouse import Lake
from finlake.lakehouse.ops import FIGURES, RUNS
from finlake.lakehouse.spark_errors import of_a_feature

Values = dict[str, Any]


@dataclass
class Step:
    """One run of one step. `now` is the moment it stands at: nothing later is known."""

    lake: Lake
    config: Config
    now: datetime
    name: str
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    seed: int = 7
    say: Callable[[str], None] = lambda text: None
    warnings: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    figures: list[tuple[Any, ...]] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Said now, repeated when the job ends, and kept in ops.runs."""
        self.warnings.append(text)
        self.say(f"warning: {text}")

    def figure(
        self,
        name: str,
        value: float | None,
        *,
        use_case: str = "",
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
        text: str = "",
        tables: Sequence[str] = (),
    ) -> None:
        """A row of ops.figures, with the versions of the tables it came from."""
        seen = {**self.lake.reads, **self.lake.writes}
        versions = {table: seen.get(table, -1) for table in tables} if tables else dict(seen)
        numbers = [None if number is None else float(number) for number in (value, low, high)]
        self.figures.append((self.run_id, use_case, name, *numbers, unit, text, versions, datetime.now(UTC), self.now))


def run_step(
    step: Step,
    work: Callable[..., Values],
    arguments: dict[str, Any],
    *,
    job: str = "",
    task: str = "",
    job_run_id: str = "",
) -> Values:
    """Runs a step under its lock and writes its record, also when it fails."""
    lake = step.lake
    lake.reads, lake.writes = {}, {}
    started, clock = datetime.now(UTC), time.monotonic()
    values: Values = {}
    error = ""
    try:
        with lake.lock(step.name):
            values = work(step, **arguments) or {}
        return values
    except BaseException as problem:
        told = of_a_feature(problem)
        error = f"{type(told or problem).__name__}: {told or problem}"
        if told:
            raise told from problem
        raise
    finally:
        reads, writes = dict(lake.reads), dict(lake.writes)
        if step.figures:
            lake.append("ops.figures", lake.spark.createDataFrame(step.figures, FIGURES))
        row = (
            step.run_id, job_run_id, job, task, step.name, json.dumps(arguments, sort_keys=True), "failed" if error else "ok",
            started, datetime.now(UTC), time.monotonic() - clock, error, step.warnings, reads, writes, step.digests,
            _git_commit(step.config.root), _wheel_version(), step.config.digest, json.dumps(values, default=str),
        )  # fmt: skip
        lake.append("ops.runs", lake.spark.createDataFrame([row], RUNS))


def _git_commit(folder: Path) -> str:
    """Commit of the configuration's checkout; a bundle passes it as FINLAKE_GIT_COMMIT."""
    given = os.environ.get("FINLAKE_GIT_COMMIT")
    if given:
        return given
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return found.stdout.strip()


def _wheel_version() -> str:
    try:
        return version("finlake")
    except PackageNotFoundError:
        return "source folder"
