"""Hands a task's values to the tasks after it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from finlake.workspace.runtime import on_databricks

VALUES_FILE = "FINLAKE_TASK_VALUES"  # where a task that runs as a process of its own leaves its values


def publish_values(values: dict[str, Any]) -> None:
    """Sets every value as a task value in a workspace; elsewhere writes them to the file FINLAKE_TASK_VALUES names.

    Values must be JSON; `warnings` and `exit_code` are for people at a terminal and stay out of task values.
    """
    if on_databricks():
        from databricks.sdk.runtime import dbutils

        for name, value in values.items():
            if name not in ("warnings", "exit_code"):
                dbutils.jobs.taskValues.set(key=name, value=value)
        return
    path = os.environ.get(VALUES_FILE)
    if path:
        Path(path).write_text(json.dumps(values), "utf-8")
