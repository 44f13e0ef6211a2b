"""What became of each task, on disk after every task, so that a killed run can be repaired too."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from finlake.cli.jobs.result import TaskResult
from finlake.errors import JobError, UnknownNameError


@dataclass
class RunState:
    """A run's file, `<folder>/<run id>.json`; without a folder it lives in memory only."""

    run_id: str
    job: str
    parameters: dict[str, str]
    folder: Path | None = None
    repairs: int = 0
    tasks: dict[str, TaskResult] = field(default_factory=dict)
    before: dict[str, TaskResult] = field(default_factory=dict)

    def done(self, path: str) -> TaskResult | None:
        """The result of a task that succeeded before this repair."""
        found = self.before.get(path)
        return found if found is not None and found.status == "ok" else None

    def keep(self, result: TaskResult) -> None:
        self.tasks[result.path] = result
        self.save()

    def save(self) -> None:
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {
            "run_id": self.run_id,
            "job": self.job,
            "parameters": self.parameters,
            "repairs": self.repairs,
            "tasks": [task.as_json() for task in {**self.before, **self.tasks}.values()],
        }
        path = self.folder / f"{self.run_id}.json"
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(content, indent=1, default=str), "utf-8")
        os.replace(fresh, path)


def new_run(job: str, parameters: dict[str, str], folder: Path | None) -> RunState:
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    state = RunState(run_id, job, parameters, folder)
    state.save()
    return state


def reopened(run_id: str, job: str, parameters: dict[str, str], folder: Path | None) -> RunState:
    """The state of an earlier run, to be repaired with the parameters it had.

    Raises:
        UnknownNameError: there is no such run.
        JobError: it was a run of another job, or other parameters are given.
    """
    path = folder / f"{run_id}.json" if folder else Path("?")
    if folder is None or not path.is_file():
        known = sorted((p.stem for p in folder.glob("*.json")), reverse=True) if folder else []
        raise UnknownNameError("run", run_id, known[:20], str(folder or ""))
    content = json.loads(path.read_text("utf-8"))
    if content["job"] != job:
        raise JobError(f"run {run_id} was a run of {content['job']}, not of {job}")
    changed = [name for name, value in parameters.items() if content["parameters"].get(name) != value]
    if changed:
        raise JobError(
            f"a repair keeps the run's parameters; {changed[0]!r} was {content['parameters'].get(changed[0])!r}"
        )
    before = {item["path"]: TaskResult(**item) for item in content["tasks"]}
    return RunState(run_id, job, content["parameters"], folder, content["repairs"] + 1, before=before)
