"""{{…}} in a task against the job's parameters, the tasks before it, and what a workspace fills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finlake.cli.jobs.bundle import Resource
from finlake.cli.jobs.check_commands import values_set_by
from finlake.cli.jobs.dynamic import DYNAMIC, IN_A_WORKSPACE, KNOWN, OF_A_TASK, VALUE
from finlake.config.load import Problem
from finlake.errors import suggestion


@dataclass(frozen=True)
class Place:
    """A task in the tree of its job's file."""

    job: Resource
    keys: tuple[Any, ...]
    task: dict[str, Any]
    in_loop: bool = False

    def problem(self, message: str, *keys: Any) -> Problem:
        line = self.job.line(*self.keys, *keys)
        return Problem(self.job.document.path, line, f"task {self.task.get('task_key', '?')}: {message}")


def reference_problems(place: Place, before: set[str], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    """{{…}} of this task, not of a nested one, which is looked at by itself."""
    parameters = [str(item.get("name")) for item in place.job.data.get("parameters") or []]
    own = {key: item for key, item in place.task.items() if key != "for_each_task"}
    if "for_each_task" in place.task:
        own["for_each_task"] = {key: item for key, item in (place.task["for_each_task"] or {}).items() if key != "task"}
    for keys, text in _strings(own):
        if "{{" in DYNAMIC.sub("", text):
            yield place.problem(f"{text!r} has a {{{{ that is empty or not closed by }}}}", *keys)
        for match in DYNAMIC.finditer(text):
            message = _reference_problem(match.group(1), place, before, tasks, parameters)
            if message:
                yield place.problem(f"{match.group(0)}: {message}", *keys)


def _reference_problem(
    path: str, place: Place, before: set[str], tasks: list[dict[str, Any]], parameters: list[str]
) -> str | None:
    value = VALUE.match(path)
    if value:
        task, name = value.groups()
        setter = next((item for item in tasks if item.get("task_key") == task), None)
        if setter is None:
            return f"unknown task {task!r}{suggestion(task, [str(item.get('task_key')) for item in tasks])}"
        if task not in before:
            return f"does not wait for task {task!r}; add it to depends_on"
        known = values_set_by(setter)
        if known is None or name in known:
            return None
        return f"task {task!r} sets no value {name!r}{suggestion(name, known)}"
    if path.startswith("job.parameters."):
        name = path.removeprefix("job.parameters.")
        return None if name in parameters else f"unknown job parameter {name!r}{suggestion(name, parameters)}"
    if path == "input" or path.startswith("input."):
        return None if place.in_loop else "there is an input only inside for_each_task"
    if path.startswith("tasks."):
        return _task_reference(path, before, tasks)
    if path in (*KNOWN, *IN_A_WORKSPACE) or path.startswith("backfill."):
        return None
    return f"unknown reference{suggestion(path, ['input', 'job.parameters.…', 'tasks.….values.…', *KNOWN])}"


def _task_reference(path: str, before: set[str], tasks: list[dict[str, Any]]) -> str | None:
    _, task, *rest = path.split(".")
    names = [str(item.get("task_key")) for item in tasks]
    if task not in names:
        return f"unknown task {task!r}{suggestion(task, names)}"
    if task not in before:
        return f"does not wait for task {task!r}; add it to depends_on"
    field = ".".join(rest)
    if field in OF_A_TASK or (len(rest) > 1 and rest[0] == "output"):
        return None
    return f"a task has no {field!r}{suggestion(field, OF_A_TASK)}"


def _strings(node: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(node, str):
        yield keys, node
        return
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from _strings(item, (*keys, key))
