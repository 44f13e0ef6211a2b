"""Runs one step, as a command or as a task of a job."""

from __future__ import annotations

from typing import Any

from finlake.cli.options import Options
from finlake.lakehouse import open_lake
from finlake.pipelines.registry import ONE_BY_ONE, load_step
from finlake.pipelines.step import Step, run_step


def run_named_step(options: Options, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Opens the lake, runs the step, returns its task values plus its warnings."""
    config = options.config()
    for kind, look_up in (("source", config.source), ("network", config.network), ("use_case", config.use_case)):
        if arguments.get(kind, "all") != "all":
            look_up(arguments[kind])  # a misspelt name is told before Spark starts
    work = load_step(name)
    step = Step(open_lake(config), config, options.now(config), name, say=options.say)
    job_run_id, job, task = (options.job_run + "//").split("/", 2)
    if name in ONE_BY_ONE and arguments.get("use_case") == "all":
        return {
            use_case: run_named_step(options, name, {**arguments, "use_case": use_case})
            for use_case in config.use_cases
        }
    values = run_step(step, work, arguments, job=job, task=task.rstrip("/"), job_run_id=job_run_id)
    return {**values, "warnings": step.warnings} if step.warnings else values
