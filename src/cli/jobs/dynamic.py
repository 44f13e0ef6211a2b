"""{{…}} references: what is only known while a job runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from finlake.cli.jobs.result import Status
from finlake.errors import JobError, UnknownNameError

DYNAMIC = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
VALUE = re.compile(r"^tasks\.([\w-]+)\.values\.([\w-]+)$")
LARGEST_VALUE = 48 * 1024
KNOWN = (
    "job.run_id", "job.id", "job.name", "job.start_time.iso_datetime", "job.start_time.iso_date", "job.trigger.type",
    "task.name", "task.run_id", "task.execution_count",
)  # fmt: skip
# A workspace fills these too; on this machine a task that uses one fails by name.
IN_A_WORKSPACE = (
    "job.repair_count", "job.start_time.iso_weekday", "job.start_time.is_weekday", "job.start_time.year",
    "job.start_time.month", "job.start_time.day", "job.start_time.hour", "job.start_time.minute",
    "job.start_time.second", "job.start_time.timestamp_ms", "job.trigger.file_arrival.location",
    "task.notebook_path", "workspace.id", "workspace.url",
)  # fmt: skip
OF_A_TASK = ("result_state", "error_code", "run_id", "execution_count", "notebook_path", "values.…", "output.…")
_STATES = {"ok": "success", "failed": "failed", "skipped": "upstream_failed", "excluded": "excluded"}


@dataclass
class Scope:
    """What references inside one run of a job can see."""

    run_id: str
    job: str
    started: str
    parameters: dict[str, str]
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, Status] = field(default_factory=dict)
    task: str = ""
    attempt: int = 0
    input: Any = None
    looping: bool = False

    def fill(self, value: Any) -> Any:
        """`value` with every {{…}} as text; a value that is not text is written as JSON, as a workspace does."""
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        return DYNAMIC.sub(lambda match: as_text(self._look_up(match.group(1))), value)

    def _look_up(self, path: str) -> Any:
        value = VALUE.match(path)
        if value:
            return self._task_value(*value.groups())
        first, _, rest = path.partition(".")
        if path.startswith("job.parameters."):
            name = path.removeprefix("job.parameters.")
            if name not in self.parameters:
                raise UnknownNameError("job parameter", name, self.parameters, f"{{{{{path}}}}}")
            return self.parameters[name]
        if first == "input" and self.looping:
            return self.input if not rest else _field(self.input, rest, path)
        if first == "tasks" and rest.endswith(".result_state") and rest.removesuffix(".result_state") in self.states:
            return _STATES[self.states[rest.removesuffix(".result_state")]]
        known = dict(zip(KNOWN, self._facts(), strict=True))
        if path not in known:
            patterns = ["job.parameters.…", "tasks.….values.…", "input"]
            raise UnknownNameError("reference", path, [*known, *patterns], f"{{{{{path}}}}}")
        return known[path]

    def _facts(self) -> tuple[str, ...]:
        """The values of KNOWN, in its order."""
        run, task = self.run_id, self.task
        when, again = (self.started, self.started[:10]), str(self.attempt + 1)
        return (run, self.job, self.job, *when, "one_time", task, f"{run}/{task}", again)

    def _task_value(self, task: str, name: str) -> Any:
        if task not in self.values:
            raise UnknownNameError("finished task", task, self.values, f"{{{{tasks.{task}.values.{name}}}}}")
        if name not in self.values[task]:
            raise UnknownNameError("task value", name, self.values[task], f"{{{{tasks.{task}.values.{name}}}}}")
        return self.values[task][name]


def _field(value: Any, name: str, path: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise UnknownNameError("field", name, value if isinstance(value, dict) else (), f"{{{{{path}}}}}")
    return value[name]


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def checked_values(values: Any) -> dict[str, Any]:
    """Task values as a workspace would take them.

    Raises:
        JobError: not JSON, or larger than 48 KiB.
    """
    for name, value in dict(values or {}).items():
        try:
            size = len(json.dumps(value).encode())
        except (TypeError, ValueError) as error:
            raise JobError(f"task value {name!r} cannot be written as JSON: {error}") from error
        if size > LARGEST_VALUE:
            raise JobError(
                f"task value {name!r} has {size:,} bytes, the most is {LARGEST_VALUE:,}; store it in a table"
            )
    return dict(values or {})


def checked_parameters(given: dict[str, Any], declared: list[dict[str, Any]], job: str) -> dict[str, str]:
    """Declared defaults with what was given.

    Raises:
        UnknownNameError: a parameter the job does not declare.
        JobError: a value that is not text.
    """
    known = {str(item["name"]): item.get("default", "") for item in declared}
    for name in given:
        if name not in known:
            raise UnknownNameError("parameter", name, known, f"job {job}")
    merged = {**known, **given}
    for name, value in merged.items():
        if not isinstance(value, str):
            raise JobError(f"parameter {name!r} of job {job} must be text, got {value!r}; write it in quotes")
    return merged
