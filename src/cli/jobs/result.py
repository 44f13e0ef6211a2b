"""What a run of a job came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "failed", "skipped", "excluded"]


@dataclass
class TaskResult:
    """One task that ran, or the reason why it did not.

    `path` is unique in a run: `training/train[a_use_case]`. `skipped` means something before it failed;
    `excluded` means a condition or run_if left it out, which is no failure.
    """

    path: str
    job: str
    task: str
    status: Status
    seconds: float = 0.0
    error: str = ""
    attempts: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    reused: bool = False

    def as_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "reused"}


@dataclass
class JobResult:
    """All tasks of a run, nested jobs and loops included, in the order they came up; `error` is what ended it early."""

    run_id: str
    job: str
    tasks: list[TaskResult]
    seconds: float
    error: str = ""

    @property
    def ok(self) -> bool:
        """True if nothing failed; a workspace would also call a run good whose last tasks succeeded."""
        return not self.error and all(task.status in ("ok", "excluded") for task in self.tasks)

    @property
    def warnings(self) -> list[str]:
        return [f"{task.path}: {text}" for task in self.tasks for text in task.warnings]

    def counts(self) -> str:
        """`14 of 14 tasks ok, 1 warning`; excluded tasks do not count."""
        counted = [task for task in self.tasks if task.status != "excluded"]
        done = sum(task.status == "ok" for task in counted)
        text = f"{done} of {len(counted)} tasks ok"
        warnings = len(self.warnings)
        return f"{text}, {warnings} warning{'s' if warnings > 1 else ''}" if warnings else text
