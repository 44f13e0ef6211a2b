"""databricks.yml and resources/: one merged tree that knows where every resource was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from finlake.cli.jobs.shapes import mended
from finlake.config.load import Document, Problem, plain, read_yaml
from finlake.errors import ConfigError, JobError, UnknownNameError

ROOT_FILE = "databricks.yml"
REFERENCE = re.compile(r"\$\{([^}]*)\}")
# What the CLI fills when it deploys; here it only stands for being known.
_USER = {"id": "0", "userName": "me@localhost", "short_name": "me", "domain_friendly_name": "me"}
_WORKSPACE: dict[str, Any] = {
    "current_user": _USER,
    "host": "https://localhost",
    "profile": "DEFAULT",
    "root_path": "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}",
    "file_path": "${workspace.root_path}/files",
    "artifact_path": "${workspace.root_path}/artifacts",
    "resource_path": "${workspace.root_path}/resources",
    "state_path": "${workspace.root_path}/state",
}
_GIT = {"commit": "unknown", "branch": "unknown", "origin_url": "unknown"}
_NO_UUID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Resource:
    """One resource: its kind (`jobs`), key, content, and the file that holds it."""

    kind: str
    key: str
    data: dict[str, Any]
    document: Document

    def line(self, *keys: Any) -> int | None:
        return self.document.line("resources", self.kind, self.key, *keys)


@dataclass
class Bundle:
    """A bundle for one target. References are resolved when asked for, so an unused one may be unknown here."""

    root: Path
    target: str
    document: Document
    resources: dict[tuple[str, str], Resource]
    variables: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def written(self) -> dict[str, Any]:
        """databricks.yml as ordinary values."""
        return dict(plain(self.document.data))

    def job(self, key: str) -> Resource:
        """Raises UnknownNameError with the nearest job."""
        if ("jobs", key) not in self.resources:
            raise UnknownNameError("job", key, self.keys("jobs"), str(self.root))
        return self.resources[("jobs", key)]

    def keys(self, kind: str) -> list[str]:
        return [key for found, key in self.resources if found == kind]

    def resolve(self, value: Any, _seen: tuple[str, ...] = ()) -> Any:
        """`value` with every ${…} replaced; a text that is one reference keeps the type of what it names.

        Raises:
            JobError: a reference names nothing, or leads back to itself.
        """
        if isinstance(value, dict):
            return {key: self.resolve(item, _seen) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, _seen) for item in value]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self._look_up(whole.group(1), _seen)
        return REFERENCE.sub(lambda match: str(self._look_up(match.group(1), _seen)), value)

    def _look_up(self, path: str, seen: tuple[str, ...]) -> Any:
        if path in seen:
            raise JobError(f"${{{path}}} leads back to itself: {' → '.join([*seen, path])}")
        return self.resolve(self.value(path), (*seen, path))

    def value(self, path: str) -> Any:
        """What a reference names, itself still unresolved.

        Raises:
            JobError, UnknownNameError: it names nothing.
        """
        first, *rest = path.split(".")
        if first == "var" and rest:
            return _inside(self.variable(rest[0]), rest[1:], path)
        if first == "resources" and len(rest) >= 3:
            kind, key, *fields = rest
            if (kind, key) not in self.resources:
                raise UnknownNameError(f"resource of {kind}", key, self.keys(kind), f"${{{path}}}")
            if fields == ["id"]:
                return f"{kind}.{key}"
            return _inside(self.resources[(kind, key)].data, fields, path)
        if first in ("bundle", "workspace"):
            return _inside(self._surroundings()[first], rest, path)
        raise JobError(f"${{{path}}} names nothing; it begins with var, resources, bundle or workspace")

    def variable(self, name: str) -> Any:
        """An override, else the target's value, else the default; a look-up is only known in a workspace."""
        declared = self.written.get("variables") or {}
        if name not in declared:
            raise UnknownNameError("variable", name, declared, "${var." + name + "}")
        given = (self.target_settings().get("variables") or {}).get(name)
        value = given if given is not None else (declared[name] or {}).get("default")
        value = self.variables.get(name, value)
        if value is None:
            raise JobError(f"variable {name!r} has no value for target {self.target!r}; give it one in targets")
        return value

    def target_settings(self) -> dict[str, Any]:
        targets = self.written.get("targets") or {}
        if self.target not in targets:
            raise UnknownNameError("target", self.target, targets, str(self.document.path))
        return targets[self.target] or {}

    def _surroundings(self) -> dict[str, Any]:
        settings = self.target_settings()
        workspace = {**_WORKSPACE, **_mapping(self.written.get("workspace"))}
        if self.target == "local":
            workspace |= {"root_path": str(self.root), "file_path": str(self.root)}
        workspace |= settings.get("workspace") or {}
        written = self.written.get("bundle") or {}
        git = {**_GIT, **_mapping(written.get("git")), **_mapping(settings.get("git"))}
        bundle = {"uuid": _NO_UUID, **written, "git": git, "target": self.target, "environment": self.target}
        return {"bundle": {**bundle, "mode": settings.get("mode", "")}, "workspace": workspace}


def _inside(node: Any, keys: list[str], path: str) -> Any:
    for key in keys:
        name, *indices = re.split(r"[\[\]]+", key.rstrip("]"))
        if not isinstance(node, Mapping) or name not in node:
            known = node if isinstance(node, Mapping) else ()
            raise UnknownNameError("field", name, map(str, known), f"${{{path}}}")
        node = node[name]
        for index in indices:
            node = node[int(index)]
    return node


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def find_bundle(start: Path, given: Path | None = None) -> Path:
    """Folder of databricks.yml: `given`, else upwards from `start`, the working folder, or finlake's own source.

    Raises:
        JobError: there is none.
    """
    if given is not None:
        if (given / ROOT_FILE).is_file():
            return given.resolve()
        raise JobError(f"there is no {ROOT_FILE} in {given.resolve()}; give its folder with --bundle DIR")
    for origin in (start.resolve(), Path.cwd(), Path(__file__).parents[3]):
        for folder in (origin, *origin.parents):
            if (folder / ROOT_FILE).is_file():
                return folder
    raise JobError(f"no {ROOT_FILE} in or above {start.resolve()}; give the bundle's folder with --bundle DIR")


def included(root: Path, document: Document) -> list[Path]:
    """Files the include patterns name, in order."""
    patterns = plain(document.data.get("include") or [])
    return list(dict.fromkeys(path for pattern in patterns for path in sorted(root.glob(str(pattern)))))


def load_bundle(root: Path, target: str = "local", variables: dict[str, Any] | None = None) -> Bundle:
    """Reads a bundle.

    Raises:
        ConfigError: a file is not YAML or not formed like a bundle's, or two files define the same resource.
    """
    document = read_yaml(root / ROOT_FILE)
    _refuse(mended(document))
    parts = [read_yaml(path) for path in included(root, document)]
    _refuse([problem for part in parts for problem in mended(part)])
    bundle = Bundle(root, target, document, {}, dict(variables or {}))
    overrides = bundle.target_settings().get("resources") or {}
    for part in [document, *parts]:
        for resource in resources_of(part):
            name = (resource.kind, resource.key)
            if name in bundle.resources:
                other = bundle.resources[name].document.path
                raise ConfigError(f"{part.path}:{resource.line()}: {'.'.join(name)} is already defined in {other}")
            override = (overrides.get(resource.kind) or {}).get(resource.key)
            data = overlay(resource.data, override) if override else resource.data
            bundle.resources[name] = Resource(resource.kind, resource.key, data, part)
    return bundle


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))


def resources_of(document: Document) -> list[Resource]:
    kinds = document.data.get("resources") if isinstance(document.data, dict) else None
    return [
        Resource(str(kind), str(key), plain(data or {}), document)
        for kind, items in (kinds or {}).items()
        for key, data in (items or {}).items()
    ]


def overlay(below: Any, above: Any) -> Any:
    """The CLI's merge: mappings deeply, lists of tasks and the like by their key, other lists appended."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: overlay(below[key], item) if key in below else item for key, item in above.items()}}
    if isinstance(below, list) and isinstance(above, list):
        merged = list(below)
        for item in above:
            same = next((i for i, old in enumerate(merged) if _key(old) is not None and _key(old) == _key(item)), None)
            if same is None:
                merged.append(item)
            else:
                merged[same] = overlay(merged[same], item)
        return merged
    return above


def _key(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    keys = ("task_key", "job_cluster_key", "environment_key", "name")
    return next((str(item[name]) for name in keys if name in item), None)
