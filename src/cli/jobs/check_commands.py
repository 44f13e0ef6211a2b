"""Tasks against the commands they call: options, and the task values a step sets."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from finlake.errors import suggestion
from finlake.pipelines.registry import STEPS

_TASK_VALUES_ASIDE = {"warnings", "exit_code"}


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


def _function(path: Path, name: str) -> ast.FunctionDef | None:
    tree = ast.parse(path.read_text("utf-8"))
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
