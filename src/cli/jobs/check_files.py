"""Files a bundle names: wheels, dashboards, notebooks; and resources that need something to be deployable."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from finlake.cli.jobs.bundle import REFERENCE, Bundle, Resource
from finlake.config.load import Document, Problem, plain
from finlake.errors import suggestion

_NAMES_A_FILE = ("file_path", "notebook_path", "python_file")
_ELSEWHERE = ("/", "~", "${")
_EXTRAS = re.compile(r"(?<=\w)\[([\w\s,.-]*)\]")
_PACKAGE = re.compile(r"[\w.-]+")


def missing_files(bundle: Bundle, document: Document) -> Iterator[Problem]:
    """Files that a file of the bundle names and that are not there."""
    yield from _missing(bundle, document, plain(document.data), ())


def resource_problems(bundle: Bundle, resource: Resource, targets: Collection[str]) -> Iterator[Problem]:
    """Problems of a resource other than a job, where it is deployed to `targets`."""
    kind, key, path = resource.kind, resource.key, resource.document.path
    if kind == "model_serving_endpoints" and not resource.data.get("name"):
        yield Problem(path, resource.line(), f"serving endpoint {key} has no name")
    if kind != "dashboards":
        return
    as_principal = bool(bundle.written.get("run_as")) or any(
        (settings or {}).get("run_as")
        for target, settings in (bundle.written.get("targets") or {}).items()
        if target in targets
    )
    if as_principal and resource.data.get("embed_credentials") is not False:
        message = "embed_credentials must be false: a bundle with run_as cannot deploy the dashboard otherwise"
        yield Problem(path, resource.line("embed_credentials"), message)
    if not any(resource.data.get(name) for name in ("file_path", "serialized_dashboard")):
        yield Problem(path, resource.line(), f"dashboard {key} has no file_path; name its .lvdash.json")
    file = path.parent / str(resource.data.get("file_path", ""))
    if file.is_file():
        yield from dashboard_problems(file)


def elsewhere(path: str) -> bool:
    """It is not beside the file that names it: a volume, the workspace, a bucket, or what a variable says."""
    return path.startswith(_ELSEWHERE) or ":" in path


def brings_wheel(dependency: str, package: str) -> bool:
    """A dependency of an environment that is, or can be, the wheel of `package`."""
    text = dependency.strip()
    if ".whl" in text or "${" in text or text.startswith(("-", ".", "/")):
        return True
    found = _PACKAGE.match(text)
    return found is not None and _normal(found.group()) == _normal(package)


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def _missing(bundle: Bundle, document: Document, node: Any, keys: tuple[Any, ...]) -> Iterator[Problem]:
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _missing(bundle, document, item, (*keys, i))
    if not isinstance(node, dict) or "git_source" in node or node.get("source") in ("GIT", "WORKSPACE"):
        return  # the files of a job in Git, or in the workspace, are not here
    for key, value in node.items():
        where = (*keys, key)
        if key == "whl" and isinstance(value, str):
            yield from _wheel(bundle, document, value, where)
        elif key == "dependencies" and isinstance(value, list):
            for i, item in enumerate(value):
                yield from _dependency(bundle, document, str(item), (*where, i))
        elif _names_a_file(where) and isinstance(value, str) and not elsewhere(value) and "${" not in value:
            yield from _file(document, value, where)
        else:
            yield from _missing(bundle, document, value, where)


def _names_a_file(keys: tuple[Any, ...]) -> bool:
    return (keys[-1] in _NAMES_A_FILE and "workspace" not in keys) or keys[-2:] == ("file", "path")


def _dependency(bundle: Bundle, document: Document, text: str, keys: tuple[Any, ...]) -> Iterator[Problem]:
    name = _EXTRAS.sub("", text).strip()
    extras = {extra.strip() for found in _EXTRAS.findall(text) for extra in found.split(",")}
    if name.lower().startswith(("pyspark", "databricks-connect", "delta-spark")) or "local" in extras:
        message = f"{text!r} installs pyspark, which stops a serverless session"
        yield Problem(document.path, document.line(*keys), message)
    # `-r file` and `name @ address` are pip's
    if (name.endswith(".whl") or "/" in name) and not name.startswith("-") and "@" not in name:
        yield from _wheel(bundle, document, name, keys)


def _wheel(bundle: Bundle, document: Document, pattern: str, keys: tuple[Any, ...]) -> Iterator[Problem]:
    """A wheel is there, or an artifact of the bundle builds it, or it lies where only a workspace can look."""
    folder, _, name = REFERENCE.sub("*", pattern).rpartition("/")
    if elsewhere(pattern) or "*" in folder:
        return
    place = (document.path.parent / folder).resolve()
    if any(fnmatch.fnmatch(path.name, name) for path in place.glob("*")):
        return
    for artifact in (bundle.written.get("artifacts") or {}).values():
        built = (bundle.root / str(artifact.get("path", "."))).resolve()
        buildable = any((built / file).is_file() for file in ("pyproject.toml", "setup.py"))
        if artifact.get("type") == "whl" and buildable and place == built / "dist" and name.endswith(".whl"):
            return
    yield Problem(document.path, document.line(*keys), f"{pattern!r} matches no file, and no artifact builds it")


def _file(document: Document, value: str, keys: tuple[Any, ...]) -> Iterator[Problem]:
    path = (document.path.parent / value).resolve()
    if not path.is_file():
        near = suggestion(path.name, (p.name for p in path.parent.glob("*"))) if path.parent.is_dir() else ""
        yield Problem(document.path, document.line(*keys), f"there is no file {value!r}{near}")
    elif (
        keys[-1] == "notebook_path"
        and path.suffix == ".py"
        and not path.read_text("utf-8").startswith("# Databricks notebook source")
    ):
        yield Problem(path, 1, "a notebook begins with the line '# Databricks notebook source'")


def dashboard_problems(path: Path) -> Iterator[Problem]:
    """A dashboard that cannot be right: bad JSON, bad SQL, tables with a catalog, widgets without their data set."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        yield Problem(path, error.lineno, f"not JSON: {error.msg}")
        return
    names = [item["name"] for item in content.get("datasets", [])]
    for item in content.get("datasets", []):
        yield from _query(path, item["name"], query_text(item))
    for page in content.get("pages", []):
        for widget in (cell["widget"] for cell in page.get("layout", [])):
            for query in widget.get("queries", []):
                name = query["query"]["datasetName"]
                if name not in names:
                    near = suggestion(name, names)
                    yield Problem(path, None, f"widget {widget['name']} reads data set {name!r}{near}")
            yield from _fields(path, widget)


def query_text(dataset: dict[str, Any]) -> str:
    """A data set's SQL, in either of the two ways it is written."""
    return str(dataset.get("query") or "".join(dataset.get("queryLines") or []))


def _query(path: Path, name: str, text: str) -> Iterator[Problem]:
    try:
        trees = sqlglot.parse(text, read="databricks")
    except SqlglotError as error:
        yield Problem(path, None, f"data set {name}: not valid SQL: {str(error).splitlines()[0]}")
        return
    tables = [table for tree in trees if tree for table in tree.find_all(exp.Table) if table.db]
    if not tables:
        yield Problem(path, None, f"data set {name} reads no <schema>.<table>")
    for table in tables:
        if table.catalog:
            yield Problem(
                path, None, f"data set {name} reads {table.sql()}; the target binds the catalog, so write none"
            )


def _fields(path: Path, widget: dict[str, Any]) -> Iterator[Problem]:
    offered = [field["name"] for query in widget.get("queries", []) for field in query["query"].get("fields", [])]
    for name in _used(widget.get("spec", {}).get("encodings", {})):
        if name not in offered:
            yield Problem(path, None, f"widget {widget['name']} shows field {name!r}{suggestion(name, offered)}")


def _used(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "fieldName":
                yield str(value)
            else:
                yield from _used(value)
    elif isinstance(node, list):
        for item in node:
            yield from _used(item)
