"""Keys of jobs and tasks: a misspelt one is dropped by a workspace without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from finlake.errors import nearest

JOB = (
    "budget_policy_id", "continuous", "deployment", "description", "edit_mode", "email_notifications", "environments",
    "format", "git_source", "health", "job_clusters", "lifecycle", "max_concurrent_runs", "name",
    "notification_settings", "parameters", "parent_path", "performance_target", "permissions", "queue", "run_as",
    "schedule", "tags", "tasks", "timeout_seconds", "trigger", "triggers", "usage_policy_id", "webhook_notifications",
)  # fmt: skip
TASK = (
    "ai_runtime_task", "alert_task", "clean_rooms_notebook_task", "compute", "condition_task", "dashboard_task",
    "dbt_cloud_task", "dbt_platform_task", "dbt_task", "depends_on", "description", "disable_auto_optimization",
    "disabled", "email_notifications", "environment_key", "existing_cluster_id", "for_each_task",
    "gen_ai_compute_task", "health", "job_cluster_key", "libraries", "max_retries", "min_retry_interval_millis",
    "new_cluster", "notebook_task", "notification_settings", "pipeline_task", "power_bi_task",
    "python_operator_task", "python_wheel_task", "retry_on_timeout", "run_if", "run_job_task", "spark_jar_task",
    "spark_python_task", "spark_submit_task", "sql_task", "task_key", "timeout_seconds", "webhook_notifications",
)  # fmt: skip
DEPENDENCY = ("task_key", "outcome")
LOOP = ("concurrency", "inputs", "task")
CONDITION = ("left", "op", "right")


def unknown_keys(node: dict[str, Any], known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each key that is not known, with what is wrong."""
    names = tuple(known)
    for key in node:
        if key not in names:
            yield key, f"unknown key {key!r}{nearest(key, names) or '; take it out'}"
