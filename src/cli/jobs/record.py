"""Rows of ops.runs for what no step records: the job itself, and tasks that never came to run."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from finlake.cli.jobs.result import JobResult, Status, TaskResult
from finlake.lakehouse.ops import RUNS

if TYPE_CHECKING:
    from finlake.lakehouse import Lake


def record_job(lake: Lake, result: JobResult, conf_digest: str) -> None:
    """Appends the job's row, and one for each task that was skipped, left out, or failed before its step began."""
    ended = datetime.now(UTC)
    began = ended - timedelta(seconds=result.seconds)
    silent = [task for task in result.tasks if task.status != "ok" and not task.reused]
    if any(task.status == "failed" for task in silent) and lake.exists("ops.runs"):
        heard = {
            (row["job"], row["task"])
            for row in lake.read("ops.runs").where(f"job_run_id = '{result.run_id}' AND status = 'failed'").collect()
            if row["started_at"].replace(tzinfo=UTC) >= began - timedelta(seconds=1)
        }
        silent = [task for task in silent if (task.job, task.task) not in heard]
    failed = [f"{task.path}: {task.error}" for task in result.tasks if task.status == "failed"]
    failed += [result.error] if result.error else []
    status: Status = "ok" if result.ok else "failed"
    whole = TaskResult(result.job, result.job, "", status, result.seconds, "\n".join(failed), warnings=result.warnings)
    rows = [_row(result.run_id, task, ended, conf_digest) for task in [*silent, whole]]
    lake.append("ops.runs", lake.spark.createDataFrame(rows, RUNS))


def _row(run_id: str, task: TaskResult, ended: datetime, conf_digest: str) -> tuple[Any, ...]:
    began = ended - timedelta(seconds=task.seconds)
    return (
        uuid.uuid4().hex[:16], run_id, task.job, task.task, "", "{}", task.status, began, ended, task.seconds,
        task.error, task.warnings, {}, {}, {}, "", "", conf_digest, json.dumps(task.values, default=str),
    )  # fmt: skip
