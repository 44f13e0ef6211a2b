"""A job's tasks: dependencies, compute, references, schedules and the commands they call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finlake.cli.jobs.bundle import Bundle, Resource
from finlake.cli.jobs.check_commands import entry_point_problems, option_problems, values_set_by
from finlake.cli.jobs.cron import cron_problems
from finlake.cli.jobs.dynamic import DYNAMIC, VALUE
from finlake.cli.jobs.graph import RUN_IF, dependencies
from finlake.config.load import Problem
from finlake.errors import suggestion

_COMPUTE = ("environment_key", "job_cluster_key", "new_cluster", "existing_cluster_id")


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


def job_problems(bundle: Bundle, job: Resource) -> Iterator[Problem]:
    """Everything wrong with one job."""
    tasks = [task for task in job.data.get("tasks") or [] if isinstance(task, dict)]
    places = [Place(job, ("tasks", i), task) for i, task in enumerate(tasks)]
    if not tasks:
        yield Problem(job.document.path, job.line(), f"job {job.key} has no tasks")
    keys: list[str] = []
    for place in places:
        key = str(place.task.get("task_key", ""))
        if not key:
            yield place.problem("has no task_key")
        elif key in keys:
            yield place.problem(f"another task has the key {key!r} too")
        keys.append(key)
    for place in places:
        for i, name in enumerate(dependencies(place.task)):
            if name not in keys:
                yield place.problem(f"depends on unknown task {name!r}{suggestion(name, keys)}", "depends_on", i)
    yield from _circles(job, tasks)
    before = {str(task.get("task_key")): _all_before(task, tasks) for task in tasks}
    for place in places:
        yield from _task_problems(bundle, place, before.get(str(place.task.get("task_key")), set()), tasks)
    for key, message in cron_problems(job.data.get("schedule") or {}):
        yield Problem(job.document.path, job.line("schedule", key), f"{key} {message}")


def _circles(job: Resource, tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    for i, task in enumerate(tasks):
        if str(task.get("task_key")) in _all_before(task, tasks):
            line = job.line("tasks", i, "depends_on")
            yield Problem(job.document.path, line, f"task {task.get('task_key')}: waits for itself through depends_on")


def _all_before(task: dict[str, Any], tasks: list[dict[str, Any]]) -> set[str]:
    by_key = {str(item.get("task_key")): item for item in tasks}
    found: set[str] = set()
    left = dependencies(task)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += dependencies(by_key.get(name, {}))
    return found


def _task_problems(bundle: Bundle, place: Place, before: set[str], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    task = place.task
    kinds = [key for key in task if key.endswith("_task")]
    if len(kinds) != 1:
        yield place.problem(f"needs exactly one kind of task, has {', '.join(kinds) or 'none'}")
    if task.get("run_if") and task["run_if"] not in RUN_IF:
        yield place.problem(f"unknown run_if {task['run_if']!r}{suggestion(str(task['run_if']), RUN_IF)}", "run_if")
    yield from _outcomes(place, tasks)
    yield from _compute(place)
    yield from _references(place, before, tasks)
    if "python_wheel_task" in task:
        yield from _wheel_problems(bundle, place)
    if "run_job_task" in task:
        yield from _call_problems(bundle, place)
    loop = task.get("for_each_task")
    if isinstance(loop, dict) and isinstance(loop.get("task"), dict):
        nested = Place(place.job, (*place.keys, "for_each_task", "task"), loop["task"], True)
        yield from _task_problems(bundle, nested, before, tasks)


def _outcomes(place: Place, tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    conditions = {str(task.get("task_key")) for task in tasks if "condition_task" in task}
    for i, item in enumerate(place.task.get("depends_on") or []):
        if "outcome" in item and item.get("task_key") not in conditions:
            message = f"waits for an outcome of {item.get('task_key')!r}, which is no condition_task"
            yield place.problem(message, "depends_on", i)


def _compute(place: Place) -> Iterator[Problem]:
    for field, listing in (("environment_key", "environments"), ("job_cluster_key", "job_clusters")):
        name = place.task.get(field)
        known = [str(item.get(field)) for item in place.job.data.get(listing) or []]
        if name is not None and str(name) not in known:
            yield place.problem(f"unknown {field} {name!r}{suggestion(str(name), known)}", field)
    if "python_wheel_task" not in place.task:
        return
    if not any(key in place.task for key in _COMPUTE):
        yield place.problem(f"has nowhere to run; give it one of {', '.join(_COMPUTE)}")
    on_cluster = any(key in place.task for key in _COMPUTE[1:])
    if on_cluster and not any("whl" in library for library in place.task.get("libraries") or []):
        yield place.problem("runs on a cluster without the wheel; add libraries: [{whl: ../dist/*.whl}]")


def _references(place: Place, before: set[str], tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    """{{…}} of this task, not of a nested one, which is looked at by itself."""
    parameters = [str(item.get("name")) for item in place.job.data.get("parameters") or []]
    own = {key: item for key, item in place.task.items() if key != "for_each_task"}
    if "for_each_task" in place.task:
        own["for_each_task"] = {key: item for key, item in place.task["for_each_task"].items() if key != "task"}
    for keys, text in _strings(own):
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
    if path.partition(".")[0] not in ("job", "task", "tasks", "workspace", "backfill"):
        return f"unknown reference{suggestion(path, ['input', 'job.parameters', 'job.run_id', 'task.name'])}"
    return None


def _strings(node: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(node, str):
        yield keys, node
        return
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from _strings(item, (*keys, key))


def _wheel_problems(bundle: Bundle, place: Place) -> Iterator[Problem]:
    wheel = place.task["python_wheel_task"]
    at = ("python_wheel_task", "parameters")
    for message in entry_point_problems(bundle.root, wheel):
        yield place.problem(message, "python_wheel_task", "entry_point")
    parameters = wheel.get("parameters") or []
    for i, item in enumerate(parameters):
        if not isinstance(item, str):
            yield place.problem(f"parameters must be text, got {item!r}; write it in quotes", *at, i)
    if wheel.get("package_name") == "finlake" and all(isinstance(item, str) for item in parameters):
        for i, message in option_problems(parameters):
            yield place.problem(message, *at, i)
        if "--conf" not in parameters:
            yield place.problem("is not told --conf; the configuration is not in the wheel", *at)


def _call_problems(bundle: Bundle, place: Place) -> Iterator[Problem]:
    call = place.task["run_job_task"]
    parts = str(call.get("job_id", "")).removeprefix("${").removesuffix("}").split(".")
    if len(parts) != 4 or parts[:2] != ["resources", "jobs"] or parts[3] != "id":
        yield place.problem("job_id must be ${resources.jobs.<name>.id}", "run_job_task", "job_id")
        return
    called = bundle.resources.get(("jobs", parts[2]))
    if called is None:
        return
    known = [str(item.get("name")) for item in called.data.get("parameters") or []]
    at = ("run_job_task", "job_parameters")
    for name, value in (call.get("job_parameters") or {}).items():
        if name not in known:
            message = f"job {parts[2]} has no parameter {name!r}{suggestion(name, known)}"
            yield place.problem(message, *at, name)
        if not isinstance(value, str):
            yield place.problem(f"parameter {name!r} must be text, got {value!r}", *at, name)
