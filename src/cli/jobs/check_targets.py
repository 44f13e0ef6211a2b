"""Resources as each target has them: as written, changed by `targets.<target>.resources`, or only defined there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from finlake.cli.jobs.bundle import Bundle, Resource, overlay
from finlake.cli.jobs.check_calls import Resources, circles, said_of_circle
from finlake.cli.jobs.check_files import elsewhere, resource_problems
from finlake.cli.jobs.check_tasks import job_problems
from finlake.cli.jobs.shapes import job_without_variables
from finlake.config.load import Document, Problem
from finlake.errors import nearest


def judged(document: Document, found: Iterator[Problem]) -> Iterator[Problem]:
    """What is found; an error on the way is a problem of that file and does not hide the other files'."""
    try:
        yield from found
    except Exception as error:
        message = f"cannot be checked further: {type(error).__name__}: {error}; compare it with a file that passes"
        yield Problem(document.path, None, message)


def for_target(root: Path, target: str, document: Document, resources: Resources) -> Bundle:
    """The bundle with the resources that a target has."""
    bundle = Bundle(root, target, document, dict(resources))
    for kind, key, data in _overrides(bundle):
        below = resources.get((kind, key))
        if below is not None:
            bundle.resources[(kind, key)] = replace(below, data=overlay(below.data, data))
        else:
            bundle.resources[(kind, key)] = Resource(kind, key, data, document)
    return bundle


def resource_in_targets(plain: Bundle, bundles: list[Bundle], resource: Resource) -> Iterator[Problem]:
    """Problems of a resource as written, and those it only has where a target changes it."""
    name = (resource.kind, resource.key)
    changed = {
        bundle.target: list(judged(resource.document, _problems_of(bundle, bundle.resources[name], [bundle.target])))
        for bundle in bundles
        if bundle.resources[name] is not resource
    }
    as_written = [bundle.target for bundle in bundles if bundle.target not in changed]
    targets = as_written or [bundle.target for bundle in bundles]
    found = list(judged(resource.document, _problems_of(plain, resource, targets)))
    left = {problem.message for problems in changed.values() for problem in problems}
    # Where every target changes it, a problem that all of them mend is none.
    yield from (problem for problem in found if as_written or not changed or problem.message in left)
    known = {problem.message for problem in found}
    for bundle in bundles:
        new = [problem for problem in changed.get(bundle.target, ()) if problem.message not in known]
        yield from _in_target(bundle, resource, new)


def only_in_target(bundle: Bundle, resources: Resources) -> Iterator[Problem]:
    """Resources that a target alone defines, or that are misspelt there; and circles that only it has."""
    for kind, key, data in _overrides(bundle):
        if (kind, key) in resources:
            continue
        resource = bundle.resources[(kind, key)]
        found = list(judged(bundle.document, _problems_of(bundle, resource, [bundle.target])))
        near = nearest(key, (other for found_kind, other in resources if found_kind == kind))
        whole = kind == "jobs" and bool(data.get("tasks"))
        # A whole job may be called much like another one; a part of one is an override whose name is misspelt.
        if (near and not (whole and not found)) or (kind == "jobs" and not whole):
            message = f"overrides {kind}.{key}, which nothing defines{near}"
            yield Problem(bundle.document.path, _line(bundle, kind, key), message)
        else:
            yield from _in_target(bundle, resource, found)
    known = circles(resources)
    for circle in circles(bundle.resources):
        if circle not in known:
            key = next((key for key in circle if _changes(bundle, resources, key)), circle[0])
            message = f"target {bundle.target}: {said_of_circle(circle)}"
            yield Problem(bundle.document.path, _line(bundle, "jobs", key), message)


def _problems_of(bundle: Bundle, resource: Resource, targets: Collection[str]) -> Iterator[Problem]:
    yield from resource_problems(bundle, resource, targets)
    if resource.kind == "jobs":
        yield from job_problems(bundle, replace(resource, data=job_without_variables(resource.data)))


def _overrides(bundle: Bundle) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, overrides in (bundle.target_settings().get("resources") or {}).items():
        for key, data in (overrides or {}).items():
            file = (data or {}).get("file_path")
            if isinstance(file, str) and not elsewhere(file):  # beside the file it is written in
                data = {**data, "file_path": str(bundle.root / file)}
            yield kind, key, data or {}


def _in_target(bundle: Bundle, resource: Resource, found: Iterable[Problem]) -> Iterator[Problem]:
    """At the target's lines; what is wrong in another file, such as a dashboard's, stays there."""
    line = _line(bundle, resource.kind, resource.key)
    for problem in found:
        message = f"target {bundle.target}: {problem.message}"
        if problem.file == resource.document.path:
            yield Problem(bundle.document.path, line, message)
        else:
            yield Problem(problem.file, problem.line, message)


def _changes(bundle: Bundle, resources: Resources, key: str) -> bool:
    return bundle.resources[("jobs", key)] is not resources.get(("jobs", key))


def _line(bundle: Bundle, kind: str, key: str) -> int | None:
    return bundle.document.line("targets", bundle.target, "resources", kind, key)
