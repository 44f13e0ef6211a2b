"""A job's tasks: dependencies, compute, references, schedules and the commands they call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finlake.cli.jobs.bundle import Bundle, Resource
from finlake.cli.jobs.check_calls import call_problems
from finlake.cli.jobs.check_commands import option_problems
from finlake.cli.jobs.check_entry_points import entry_point_problems
from finlake.cli.jobs.check_files import brings_wheel
from finlake.cli.jobs.check_keys import CONDITION, DEPENDENCY, JOB, LOOP, TASK, unknown_keys
from finlake.cli.jobs.check_references import Place, reference_problems
from finlake.cli.jobs.check_values import value_problems
from finlake.cli.jobs.conditions import OPERATORS
from finlake.cli.jobs.cron import cron_problems
from finlake.cli.jobs.graph import RUN_IF, dependencies
from finlake.config.load import Problem
from finlake.errors import suggestion

_COMPUTE = ("environment_key", "job_cluster_key", "new_cluster", "existing_cluster_id")


def job_problems(bundle: Bundle, job: Resource) -> Iterator[Problem]:
    """Everything wrong with one job."""
    tasks = [task for task in job.data.get("tasks") or [] if isinstance(task, dict)]
    places = [Place(job, ("tasks", i), task) for i, task in enumerate(tasks)]
    for key, message in unknown_keys(job.data, JOB):
        yield Problem(job.document.path, job.line(key), f"job {job.key}: {message}")
    yield from _named_twice(job)
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


def _named_twice(job: Resource) -> Iterator[Problem]:
    listings = (("environments", "environment_key"), ("job_clusters", "job_cluster_key"), ("parameters", "name"))
    for listing, field in listings:
        names = [str(item.get(field)) for item in job.data.get(listing) or []]
        for i, name in enumerate(names):
            if name in names[:i]:
                message = f"job {job.key}: {listing} has {field} {name!r} twice; take one out or rename it"
                yield Problem(job.document.path, job.line(listing, i), message)


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
    yield from _keys(place)
    if task.get("run_if") and task["run_if"] not in RUN_IF:
        yield place.problem(f"unknown run_if {task['run_if']!r}{suggestion(str(task['run_if']), RUN_IF)}", "run_if")
    yield from _outcomes(place, tasks)
    yield from _compute(bundle, place)
    yield from reference_problems(place, before, tasks)
    if "python_wheel_task" in task:
        yield from _wheel_problems(bundle, place)
    if "run_job_task" in task:
        yield from call_problems(bundle.resources, place)
    if "condition_task" in task:
        yield from _condition(place, task["condition_task"] or {})
    loop = task.get("for_each_task")
    if isinstance(loop, dict):
        for name in ("inputs", "task"):
            if loop.get(name) in (None, "", {}):
                yield place.problem(f"for_each_task has no {name}", "for_each_task")
    if isinstance(loop, dict) and isinstance(loop.get("task"), dict):
        nested = Place(place.job, (*place.keys, "for_each_task", "task"), loop["task"], True)
        yield from _task_problems(bundle, nested, before, tasks)


def _keys(place: Place) -> Iterator[Problem]:
    for key, message in unknown_keys(place.task, TASK):
        yield place.problem(message, key)
    for field, known in (("for_each_task", LOOP), ("condition_task", CONDITION)):
        for key, message in unknown_keys(place.task.get(field) or {}, known):
            yield place.problem(message, field, key)
    for i, item in enumerate(place.task.get("depends_on") or []):
        for key, message in unknown_keys(item, DEPENDENCY):
            yield place.problem(message, "depends_on", i, key)


def _condition(place: Place, condition: dict[str, Any]) -> Iterator[Problem]:
    for name in CONDITION:
        if condition.get(name) is None:
            yield place.problem(f"condition_task has no {name}", "condition_task")
    operator = condition.get("op")
    if operator is not None and operator not in OPERATORS:
        yield place.problem(f"unknown op {operator!r}{suggestion(str(operator), OPERATORS)}", "condition_task", "op")


def _outcomes(place: Place, tasks: list[dict[str, Any]]) -> Iterator[Problem]:
    conditions = {str(task.get("task_key")) for task in tasks if "condition_task" in task}
    for i, item in enumerate(place.task.get("depends_on") or []):
        if "outcome" in item and item.get("task_key") not in conditions:
            message = f"waits for an outcome of {item.get('task_key')!r}, which is no condition_task"
            yield place.problem(message, "depends_on", i)


def _compute(bundle: Bundle, place: Place) -> Iterator[Problem]:
    written = _as_written(bundle, place.job)
    for field, listing in (("environment_key", "environments"), ("job_cluster_key", "job_clusters")):
        name = place.task.get(field)
        known = [str(item.get(field)) for item in place.job.data.get(listing) or []]
        open_ended = not isinstance(written.get(listing) or [], list)  # a variable stands for the list
        if name is not None and str(name) not in known and not open_ended:
            yield place.problem(f"unknown {field} {name!r}{suggestion(str(name), known)}", field)
    if "python_wheel_task" not in place.task:
        return
    if not any(key in place.task for key in _COMPUTE):
        yield place.problem(f"has nowhere to run; give it one of {', '.join(_COMPUTE)}")
    on_cluster = any(key in place.task for key in _COMPUTE[1:])
    if on_cluster and not any("whl" in library for library in place.task.get("libraries") or []):
        yield place.problem("runs on a cluster without the wheel; add libraries: [{whl: ../dist/*.whl}]")
    package = str((place.task["python_wheel_task"] or {}).get("package_name"))
    name = place.task.get("environment_key")
    if name is not None and not on_cluster and not _environment_brings_wheel(written, str(name), package):
        message = f"runs in environment {name!r} without the wheel; add ../dist/*.whl to its dependencies"
        yield place.problem(message, "environment_key")


def _as_written(bundle: Bundle, job: Resource) -> dict[str, Any]:
    """The job with the variables that stand for lists and mappings."""
    return bundle.resources.get(("jobs", job.key), job).data


def _environment_brings_wheel(job: dict[str, Any], name: str, package: str) -> bool:
    """False only where it is certain: all of the environment is written out, and nothing in it can be the wheel."""
    environments = job.get("environments") or []
    if not isinstance(environments, list):
        return True
    found = [item for item in environments if isinstance(item, dict) and item.get("environment_key") == name]
    if not found:
        return True  # said where the environment is looked up
    spec = found[0].get("spec") or {}
    if not isinstance(spec, dict) or "base_environment" in spec:
        return True
    dependencies = spec.get("dependencies") or []
    return not isinstance(dependencies, list) or any(brings_wheel(str(item), package) for item in dependencies)


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
        for i, message in value_problems(bundle, parameters):
            yield place.problem(message, *at, i)
        if "--conf" not in parameters:
            yield place.problem("is not told --conf; the configuration is not in the wheel", *at)
