"""Entry points of wheel tasks against the project that the wheel is built from."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from finlake.cli.jobs.check_exits import Exits
from finlake.cli.jobs.check_modules import Scope, module_file, module_scope, project_table
from finlake.errors import suggestion


def entry_point_problems(root: Path, wheel: dict[str, Any]) -> Iterator[str]:
    """An entry point that is not there, or that ends the process: a wheel task fails on SystemExit even of 0."""
    package, name = str(wheel.get("package_name")), str(wheel.get("entry_point"))
    known_package, scripts = _scripts(root)
    if package != known_package:
        yield f"unknown package_name {package!r}{suggestion(package, [known_package])}"
        return
    if name not in scripts:
        yield f"unknown entry_point {name!r}{suggestion(name, scripts)}"
        return
    module, _, function = (part.strip() for part in scripts[name].partition("[")[0].partition(":"))
    path = module_file(root, module)
    if path is None:
        yield f"entry_point {name!r} names module {module!r}, which is not there"
        return
    scope = module_scope(path, module)
    if scope is None:
        yield f"entry_point {name!r} names module {module!r}, which is not Python; {path} cannot be parsed"
        return
    parts = function.split(".")
    if not _has(scope, parts[0]):
        functions = [key for key, node in scope.names.items() if isinstance(node, ast.FunctionDef)]
        yield f"entry_point {name!r}: module {module!r} has no function {function!r}{suggestion(function, functions)}"
        return
    where = Exits(root, module.partition(".")[0]).ends(parts, scope)
    if where:
        yield f"entry_point {name!r} ends the process instead of returning, which fails the task; see {where}"


def _has(scope: Scope, name: str) -> bool:
    """The module has the name, or can have it: `import *` and `__getattr__` are not followed."""
    return bool({name, "*", "__getattr__"} & scope.names.keys())


def _scripts(root: Path) -> tuple[str, dict[str, str]]:
    """Package and scripts of the bundle's own project, else of the installed finlake."""
    table = project_table(root)
    if table is not None:
        project = table.get("project", {})
        return str(project.get("name", "")), dict(project.get("scripts", {}))
    try:
        installed = distribution("finlake").entry_points
    except PackageNotFoundError:
        return "finlake", {"finlake-job": "finlake.cli.main:job"}
    return "finlake", {point.name: point.value for point in installed if point.group == "console_scripts"}
