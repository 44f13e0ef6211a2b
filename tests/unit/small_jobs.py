"""A small bundle in a folder whose tasks call functions of the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finlake.cli.jobs import JobResult, run_job
from finlake.errors import ConfigError

Values = dict[str, Any]


class Bundle:
    """A bundle in a folder; tasks call functions of the test by their first argument."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[list[str]] = []
        self.steps: dict[str, Callable[..., Values | None]] = {}
        (folder / "resources").mkdir()
        (folder / "databricks.yml").write_text(
            "bundle: {name: small}\ninclude: [resources/*.yml]\n"
            "variables:\n  who: {description: x, default: nobody}\n  nest: {description: x, default: '${var.who}!'}\n"
            "targets:\n  local: {variables: {who: me}}\n  dev: {}\n"
        )

    def job(self, name: str, tasks: list[Values], **settings: Any) -> None:
        content = {"resources": {"jobs": {name: {"name": name, "tasks": tasks, **settings}}}}
        (self.folder / "resources" / f"{name}.job.yml").write_text(json.dumps(content))

    def run(self, name: str = "main", **options: Any) -> JobResult:
        return run_job(name, bundle_root=self.folder, execute=self._call, runs=self.folder / "runs", **options)

    def _call(self, argv: list[str]) -> Values:
        self.calls.append(argv)
        return self.steps.get(argv[0], lambda *rest: {})(*argv[1:]) or {}

    @property
    def ran(self) -> list[str]:
        return [" ".join(argv) for argv in self.calls]


def task(key: str, *argv: Any, after: list[Any] | None = None, **settings: Any) -> Values:
    wheel = {"package_name": "finlake", "entry_point": "finlake-job", "parameters": list(argv) or [key]}
    needs = [item if isinstance(item, dict) else {"task_key": item} for item in after or []]
    return {"task_key": key, "depends_on": needs, "python_wheel_task": wheel, **settings}


def fail(*rest: str) -> Values:
    raise RuntimeError("broken")


def refuse(*rest: str) -> Values:
    raise ConfigError("the file is wrong")


def states(result: JobResult) -> dict[str, str]:
    return {item.path: item.status for item in result.tasks}
