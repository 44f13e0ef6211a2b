"""Tasks against the commands they call: entry points, options, the task values a step sets."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from finlake.errors import suggestion
from finlake.pipelines.registry import STEPS

_EXITS = {"exit", "quit", "sys.exit", "os._exit"}
_TASK_VALUES_ASIDE = {"warnings", "exit_code"}


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
    module, _, function = scripts[name].partition(":")
    path = _module_file(root, module)
    if path is not None and _ends_in_exit(path, function):
        yield f"entry_point {name!r} ends the process instead of returning, which fails the task"


def option_problems(parameters: list[str]) -> Iterator[tuple[int, str]]:
    """Position and what is wrong with a command line, by the command's own table of options."""
    from finlake.cli.main import cli

    if not parameters:
        yield 0, f"no command{suggestion('', cli.commands)}"
        return
    command = cli.commands.get(parameters[0])
    if command is None:
        yield 0, f"unknown finlake command {parameters[0]!r}{suggestion(parameters[0], cli.commands)}"
        return
    options = {flag: item for item in command.params if isinstance(item, click.Option) for flag in item.opts}
    arguments = sum(isinstance(item, click.Argument) for item in command.params)
    i = 1
    while i < len(parameters):
        flag, equals, _ = parameters[i].partition("=")
        if flag.startswith("--") and flag not in options:
            yield i, f"finlake {parameters[0]} has no option {flag!r}{suggestion(flag, options)}"
        elif flag.startswith("--"):
            takes_value = not options[flag].is_flag and not equals
            if takes_value and i + 1 == len(parameters):
                yield i, f"option {flag!r} needs a value"
            i += takes_value
        elif arguments:
            arguments -= 1
        else:
            yield i, f"finlake {parameters[0]} takes no argument {parameters[i]!r}"
        i += 1


def values_set_by(task: dict[str, Any]) -> set[str] | None:
    """Names of the task values a task sets, read from its step's code; None if that cannot be told."""
    wheel = task.get("python_wheel_task")
    if not isinstance(wheel, dict):
        return {"outcome"} if "condition_task" in task else set()
    parameters = wheel.get("parameters") or [""]
    return _returned(str(parameters[0])) if parameters[0] in STEPS else set()


@cache
def _returned(step: str) -> set[str] | None:
    name = step.replace("-", "_")
    spec = find_spec(f"finlake.pipelines.{name}")
    if spec is None or spec.origin is None:
        return set()
    function = _function(Path(spec.origin), name)
    if function is None:
        return None
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            if not isinstance(node.value, ast.Dict):
                return None
            if not all(isinstance(key, ast.Constant) for key in node.value.keys):
                return None
            found |= {str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)}
    return found - _TASK_VALUES_ASIDE


def _scripts(root: Path) -> tuple[str, dict[str, str]]:
    """Package and scripts of the bundle's own project, else of the installed finlake."""
    project = root / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text("utf-8")).get("project", {})
        return str(table.get("name", "")), dict(table.get("scripts", {}))
    try:
        installed = distribution("finlake").entry_points
    except PackageNotFoundError:
        return "finlake", {"finlake-job": "finlake.cli.main:job"}
    return "finlake", {point.name: point.value for point in installed if point.group == "console_scripts"}


def _module_file(root: Path, module: str) -> Path | None:
    """Source of a module: in the bundle's project by its package-dir, else where Python finds it."""
    project = root / "pyproject.toml"
    if project.is_file():
        tools = tomllib.loads(project.read_text("utf-8")).get("tool", {})
        folders = tools.get("setuptools", {}).get("package-dir", {})
        first, *rest = module.split(".")
        if first in folders:
            path = root.joinpath(folders[first], *rest).with_suffix(".py")
            return path if path.is_file() else None
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _function(path: Path, name: str) -> ast.FunctionDef | None:
    tree = ast.parse(path.read_text("utf-8"))
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _ends_in_exit(path: Path, name: str) -> bool:
    """Calls exit, raises SystemExit, or is a Click or Typer command, whose call ends in SystemExit."""
    function = _function(path, name)
    if function is None:
        return True
    decorators = [ast.unparse(item) for item in function.decorator_list]
    if any(".command" in text or ".group" in text or text.startswith("click.") for text in decorators):
        return True
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _EXITS:
            return True
        if isinstance(node, ast.Raise) and node.exc is not None and "SystemExit" in ast.unparse(node.exc):
            return True
    return False
