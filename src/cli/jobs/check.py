"""Everything that can be known to be wrong with a bundle before it is deployed, with file and line.

The CLI's own `bundle validate` passes most of these: a job then fails at night, or a task waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finlake.cli.jobs.bundle import REFERENCE, ROOT_FILE, Bundle, Resource, included, resources_of
from finlake.cli.jobs.check_calls import circle_problems
from finlake.cli.jobs.check_files import missing_files
from finlake.cli.jobs.check_targets import for_target, judged, only_in_target, resource_in_targets
from finlake.cli.jobs.shapes import mended
from finlake.config.load import Document, Problem, guarded, plain, read_yaml
from finlake.errors import FinlakeError, suggestion

_KINDS = {
    "alert": "alerts", "app": "apps", "catalog": "catalogs", "cluster": "clusters", "dashboard": "dashboards",
    "experiment": "experiments", "job": "jobs", "model_serving_endpoint": "model_serving_endpoints",
    "pipeline": "pipelines", "quality_monitor": "quality_monitors", "registered_model": "registered_models",
    "schema": "schemas", "secret_scope": "secret_scopes", "sql_warehouse": "sql_warehouses", "volume": "volumes",
}  # fmt: skip


def check_bundle(root: Path) -> list[Problem]:
    """All problems of the bundle in `root`, for every target, by file and line."""
    problems: list[Problem] = []
    document = _read(root / ROOT_FILE, problems)
    if document is None:
        return problems
    documents = [document]
    problems += list(_empty_includes(root, document))
    for path in included(root, document):
        part = _read(path, problems)
        if part is not None:
            documents.append(part)
            problems += _one_resource(part)
    resources: dict[tuple[str, str], Resource] = {}
    for resource in (found for part in documents for found in resources_of(part)):
        name = (resource.kind, resource.key)
        if name in resources:
            where = resources[name].document.path.name
            problems.append(_at(resource, f"{'.'.join(name)} is already defined in {where}"))
        resources.setdefault(name, resource)
    targets = plain(document.data.get("targets") or {})
    said = any(problem.file == document.path and problem.message.startswith("targets") for problem in problems)
    if not targets and not said:
        problems.append(Problem(document.path, 1, "there are no targets"))
    plain_bundle = Bundle(root, "", document, resources)  # for what is the same in every target
    bundles = [for_target(root, target, document, resources) for target in targets]
    problems += judged(document, _variable_problems(document))
    for bundle in bundles:
        problems += judged(document, _target_problems(bundle))
        problems += judged(document, only_in_target(bundle, resources))
    for part in documents:
        problems += judged(part, _reference_problems(bundles, plain_bundle, part))
        problems += judged(part, missing_files(plain_bundle, part))
    for resource in resources.values():
        problems += judged(resource.document, resource_in_targets(plain_bundle, bundles, resource))
    problems += judged(document, circle_problems(resources))
    return sorted(set(problems), key=lambda problem: (str(problem.file), problem.line or 0, problem.message))


def _read(path: Path, problems: list[Problem]) -> Document | None:
    document = guarded(path, read_yaml, problems)
    if document is None:
        return None
    problems += mended(document)
    return document if isinstance(document.data, dict) else None


def _empty_includes(root: Path, document: Document) -> Iterator[Problem]:
    for i, pattern in enumerate(plain(document.data.get("include") or [])):
        if not any(root.glob(str(pattern))):
            yield Problem(document.path, document.line("include", i), f"include {pattern!r} matches no file")


def _one_resource(document: Document) -> Iterator[Problem]:
    """`<name>.<kind>.yml` holds one resource of that kind; the CLI only recommends it, people rely on it."""
    kind = document.path.stem.rpartition(".")[2]
    found = resources_of(document)
    if kind not in _KINDS or "." not in document.path.stem:
        near = suggestion(kind, _KINDS)
        yield Problem(document.path, None, f"is not named <name>.<kind>.yml{near}")
        return
    for resource in found:
        if resource.kind != _KINDS[kind]:
            yield _at(resource, f"a .{kind}.yml file holds {resource.kind}.{resource.key}; move it")
    if len(found) != 1:
        names = ", ".join(resource.key for resource in found) or "none"
        yield Problem(document.path, 1, f"a .{kind}.yml file holds one resource, here: {names}")


def _variable_problems(document: Document) -> Iterator[Problem]:
    for name, variable in plain(document.data.get("variables") or {}).items():
        if not (variable or {}).get("description"):
            yield Problem(document.path, document.line("variables", name), f"variable {name!r} has no description")


def _target_problems(bundle: Bundle) -> Iterator[Problem]:
    document, target = bundle.document, bundle.target
    declared = plain(document.data.get("variables") or {})
    given = bundle.target_settings().get("variables") or {}
    for name in given:
        if name not in declared:
            line = document.line("targets", target, "variables", name)
            yield Problem(document.path, line, f"unknown variable {name!r}{suggestion(name, declared)}")
    for name, variable in declared.items():
        settings = variable or {}
        if not any(key in settings for key in ("default", "lookup")) and name not in given:
            line = document.line("targets", target)
            yield Problem(document.path, line, f"target {target} gives no value to variable {name!r}")
    folder = bundle.root / "conf" / "targets"
    if folder.is_dir() and not (folder / f"{target}.yml").is_file():
        message = f"target {target} has no file conf/targets/{target}.yml; its tasks would not find their catalog"
        yield Problem(document.path, document.line("targets", target), message)
    yield from _catalog_differs(bundle)


def _catalog_differs(bundle: Bundle) -> Iterator[Problem]:
    """The bundle creates schemas where the steps write."""
    path = bundle.root / "conf" / "targets" / f"{bundle.target}.yml"
    if "catalog" not in (bundle.written.get("variables") or {}) or not path.is_file():
        return
    target = guarded(path, read_yaml, [])
    if target is None or not isinstance(target.data, dict):
        return  # said where conf/ is checked
    wanted, catalog = bundle.variable("catalog"), target.data.get("catalog", "spark_catalog")
    if catalog != wanted and REFERENCE.search(str(wanted)) is None:
        message = f"catalog {str(catalog)!r} is not the bundle's ${{var.catalog}}, {wanted!r}"
        yield Problem(path, target.line("catalog"), message)


def _reference_problems(bundles: list[Bundle], plain_bundle: Bundle, document: Document) -> Iterator[Problem]:
    for keys, text in strings(plain(document.data)):
        inside = keys[1] if keys[:1] == ("targets",) and len(keys) > 1 else None
        if not bundles:  # resources are known without a target
            known = [path for path in REFERENCE.findall(text) if path.startswith("resources.")]
            yield from _unresolved(plain_bundle, document, keys, "".join("${" + path + "}" for path in known))
        for bundle in bundles:
            if inside in (None, bundle.target):
                yield from _unresolved(bundle, document, keys, text)


def _unresolved(bundle: Bundle, document: Document, keys: tuple[Any, ...], text: str) -> Iterator[Problem]:
    for match in REFERENCE.finditer(text):
        path = match.group(1)
        if path.startswith("var.") and _has_lookup(bundle, path.split(".")[1]):
            continue
        try:
            bundle.resolve("${" + path + "}") if not path.startswith("resources.") else bundle.value(path)
        except FinlakeError as error:
            yield Problem(document.path, document.line(*keys), str(error))


def _has_lookup(bundle: Bundle, name: str) -> bool:
    declared = bundle.written.get("variables") or {}
    return "lookup" in (declared.get(name) or {})


def strings(node: Any, keys: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a tree with the keys that lead to it."""
    if isinstance(node, dict):
        for key, item in node.items():
            yield from strings(item, (*keys, key))
    elif isinstance(node, list):
        for i, item in enumerate(node):
            yield from strings(item, (*keys, i))
    elif isinstance(node, str):
        yield keys, node


def _at(resource: Resource, message: str, *keys: Any) -> Problem:
    return Problem(resource.document.path, resource.line(*keys), message)
