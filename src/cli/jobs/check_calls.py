"""Jobs that run other jobs: what is called, with which parameters, and whether it comes round again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from finlake.cli.jobs.bundle import Resource
from finlake.cli.jobs.check_references import Place
from finlake.config.load import Problem
from finlake.errors import suggestion

Resources = Mapping[tuple[str, str], Resource]


def call_problems(resources: Resources, place: Place) -> Iterator[Problem]:
    """A run_job_task that names no job of the bundle, or gives it what it does not take."""
    call = place.task["run_job_task"]
    name = _called(call)
    if name is None:
        yield place.problem("job_id must be ${resources.jobs.<name>.id}", "run_job_task", "job_id")
        return
    called = resources.get(("jobs", name))
    if called is None:
        return
    known = [str(item.get("name")) for item in called.data.get("parameters") or []]
    at = ("run_job_task", "job_parameters")
    for parameter, value in (call.get("job_parameters") or {}).items():
        if parameter not in known:
            message = f"job {name} has no parameter {parameter!r}{suggestion(parameter, known)}"
            yield place.problem(message, *at, parameter)
        if not isinstance(value, str):
            yield place.problem(f"parameter {parameter!r} must be text, got {value!r}", *at, parameter)


def circle_problems(resources: Resources) -> Iterator[Problem]:
    """Each circle of jobs once, where its first job calls the next."""
    for circle in circles(resources):
        job = resources[("jobs", circle[0])]
        following = circle[1 % len(circle)]
        keys = next(keys for keys, name in _calls(job.data.get("tasks")) if name == following)
        line = job.line("tasks", *keys, "run_job_task", "job_id")
        yield Problem(job.document.path, line, said_of_circle(circle))


def said_of_circle(circle: tuple[str, ...]) -> str:
    """What is wrong with it, in a sentence."""
    return f"jobs run each other in a circle: {' → '.join([*circle, circle[0]])}"


def circles(resources: Resources) -> list[tuple[str, ...]]:
    """Jobs that run each other, each circle once, from the job that is defined first."""
    calls = {
        key: [name for _, name in _calls(resource.data.get("tasks"))]
        for (kind, key), resource in resources.items()
        if kind == "jobs"
    }
    order, found, done = list(calls), list[tuple[str, ...]](), set[str]()

    def follow(path: list[str]) -> None:
        for name in calls[path[-1]]:
            if name in path:
                ring = path[path.index(name) :]
                first = ring.index(min(ring, key=order.index))
                circle = (*ring[first:], *ring[:first])
                if circle not in found:
                    found.append(circle)
            elif name in calls and name not in done:
                follow([*path, name])
        done.add(path[-1])

    for key in order:
        if key not in done:
            follow([key])
    return found


def _calls(tasks: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The jobs that tasks run, with the keys that lead to each task."""
    for i, task in enumerate(tasks if isinstance(tasks, list) else ()):
        keys = (*before, i)
        while isinstance(task, dict):
            name = _called(task.get("run_job_task"))
            if name is not None:
                yield keys, name
            loop = task.get("for_each_task")
            task, keys = loop.get("task") if isinstance(loop, dict) else None, (*keys, "for_each_task", "task")


def _called(call: Any) -> str | None:
    identity = str(call.get("job_id", "")) if isinstance(call, dict) else ""
    parts = identity.removeprefix("${").removesuffix("}").split(".")
    return parts[2] if len(parts) == 4 and parts[:2] == ["resources", "jobs"] and parts[3] == "id" else None
