"""The order of tasks, and whether a task runs after what became of those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finlake.cli.jobs.result import Status
from finlake.errors import JobError, UnknownNameError

RUN_IF = ("ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED")


def order(tasks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Tasks after all they depend on, else as written.

    Raises:
        JobError: two tasks have one key, a dependency is unknown, or tasks wait for each other.
    """
    keys = [str(task["task_key"]) for task in tasks]
    twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
    if twice is not None:
        raise JobError(f"two tasks have the task_key {twice!r}; give each its own")
    left = {str(task["task_key"]): task for task in tasks}
    done: list[Mapping[str, Any]] = []
    for task in tasks:
        for name in dependencies(task):
            if name not in left:
                raise UnknownNameError("task", name, left, f"depends_on of {task['task_key']}")
    while left:
        ready = next((key for key, task in left.items() if not set(dependencies(task)) & set(left)), None)
        if ready is None:
            raise JobError(f"tasks wait for each other: {', '.join(left)}")
        done.append(left.pop(ready))
    return done


def dependencies(task: Mapping[str, Any]) -> list[str]:
    return [str(item.get("task_key")) for item in task.get("depends_on") or []]


def verdict(task: Mapping[str, Any], before: Mapping[str, tuple[Status, str]]) -> tuple[Status | None, str]:
    """None if the task runs; else `skipped` or `excluded`, and why.

    `before` has status and, for a condition, outcome of each task. As in a workspace, an excluded dependency counts
    as success, and a task all of whose dependencies are excluded is excluded whatever its run_if says.
    """
    states: dict[str, Status] = {}
    for item in task.get("depends_on") or []:
        name, wanted = str(item["task_key"]), item.get("outcome")
        status, outcome = before[name]
        other_branch = wanted is not None and status == "ok" and outcome != str(wanted).lower()
        states[name] = "excluded" if other_branch else status
    if not states:
        return None, ""
    if all(state == "excluded" for state in states.values()):
        return "excluded", f"{', '.join(states)} left out"
    failed = [name for name, state in states.items() if state in ("failed", "skipped")]
    good = [name for name, state in states.items() if state in ("ok", "excluded")]
    run_if = str(task.get("run_if") or "ALL_SUCCESS")
    if run_if not in RUN_IF:
        raise UnknownNameError("run_if", run_if, RUN_IF, str(task["task_key"]))
    runs = {
        "ALL_SUCCESS": not failed,
        "AT_LEAST_ONE_SUCCESS": bool(good),
        "NONE_FAILED": not failed and bool(good),
        "ALL_DONE": True,
        "AT_LEAST_ONE_FAILED": bool(failed),
        "ALL_FAILED": not good,
    }[run_if]
    if runs:
        return None, ""
    if run_if in ("AT_LEAST_ONE_FAILED", "ALL_FAILED"):
        return "excluded", f"run_if {run_if}: {'nothing failed' if not failed else ', '.join(good) + ' succeeded'}"
    return "skipped", f"{', '.join(failed)} did not succeed"
