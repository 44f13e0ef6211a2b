"""Runs each task as a process of its own, from the installed package, as a workspace does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from finlake.errors import JobError
from finlake.workspace.task_values import VALUES_FILE

_REFUSED = 2
_CALL = f"""
import sys
from click import ClickException
from finlake.cli.main import job
from finlake.errors import FinlakeError
try:
    job()
except ClickException as error:
    sys.exit(print(error.format_message()) or {_REFUSED})
except FinlakeError as error:
    sys.exit(print(error) or {_REFUSED})
"""


class CrashError(Exception):
    """A process ended otherwise than by an error that finlake raised on purpose; another try may help."""


class Processes:
    """Executes command lines in new Python processes that begin in an empty folder.

    Args:
        python: the interpreter, with what its environment needs to import finlake.
        extra: arguments every task gets in addition, such as `--lake`.
    """

    def __init__(self, extra: list[str], python: str = sys.executable) -> None:
        self.extra, self.python = extra, python

    def __call__(self, argv: list[str]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="finlake-task-") as folder:
            values = Path(folder) / "values.json"
            empty = Path(folder) / "empty"
            empty.mkdir()
            done = subprocess.run(
                [self.python, "-c", _CALL, *argv, *self.extra],
                cwd=empty,
                env={**os.environ, VALUES_FILE: str(values)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if done.returncode == _REFUSED:
                raise JobError(_last(done.stdout))
            if done.returncode:
                raise CrashError(
                    f"the process of `finlake {argv[0]}` ended with {done.returncode}: {_last(done.stdout)}"
                )
            return json.loads(values.read_text("utf-8")) if values.is_file() else {}


def _last(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
