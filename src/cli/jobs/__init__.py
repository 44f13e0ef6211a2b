"""The bundle's job files: read, checked, and run on this machine."""

from finlake.cli.jobs.bundle import Bundle, find_bundle, load_bundle
from finlake.cli.jobs.check import check_bundle
from finlake.cli.jobs.command import run_command
from finlake.cli.jobs.result import JobResult, TaskResult
from finlake.cli.jobs.runner import run_job

__all__ = [
    "Bundle", "JobResult", "TaskResult", "check_bundle", "find_bundle", "load_bundle", "run_command", "run_job",
]  # fmt: skip
