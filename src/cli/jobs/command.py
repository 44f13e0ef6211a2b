"""`finlake run JOB`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finlake.cli.jobs.bundle import Bundle, find_bundle, load_bundle
from finlake.cli.jobs.dynamic import checked_parameters
from finlake.cli.jobs.processes import Processes
from finlake.cli.jobs.result import JobResult
from finlake.cli.jobs.runner import Execute, Listener, run_job
from finlake.cli.jobs.show import Progress, summary
from finlake.cli.jobs.state import reopened
from finlake.errors import JobError

if TYPE_CHECKING:
    from finlake.cli.options import Options
    from finlake.config import Config

RUNS = "_runs"


def run_command(
    options: Options,
    job: str,
    *,
    parameters: Iterable[str] = (),
    repair: str | None = None,
    each_task_a_process: bool = False,
    bundle: Path | None = None,
) -> dict[str, Any]:
    """Runs a job and prints how it went; exit code 1 if a task failed."""
    given = key_values(parameters)
    result = run_for(options, job, given, repair=repair, each_task_a_process=each_task_a_process, bundle=bundle)
    click.echo(summary(result), err=True)
    return {"run_id": result.run_id, "counts": result.counts(), "exit_code": 0 if result.ok else 1}


def run_for(
    options: Options,
    job: str,
    parameters: Mapping[str, str] | None = None,
    *,
    repair: str | None = None,
    each_task_a_process: bool = False,
    bundle: Path | None = None,
) -> JobResult:
    """Runs a job with a command line's options: configuration, lake, data, tenant and moment reach every task."""
    from finlake.cli.jobs.record import record_job
    from finlake.lakehouse import open_lake

    conf = options.conf.absolute()
    config = options.config()
    given = dict(parameters or {})
    if options.as_of:
        given.setdefault("as_of", options.as_of.isoformat())
    extra = [part for flag, value in _overrides(options).items() if value for part in (flag, value)]
    execute: Execute = Processes(extra) if each_task_a_process else _InProcess(extra)
    folder = Path(config.target.lake).absolute() if config.target.lake else None
    root, variables = find_bundle(conf, bundle), {"conf": str(conf)}
    runs = folder / RUNS if folder else None
    _refuse_early(load_bundle(root, options.target, variables), job, given, repair, runs, config)
    if not each_task_a_process:
        open_lake(config)  # so that what the first task changes in the session can be told from what was there
    return run_job(
        job,
        bundle_root=root,
        execute=execute,
        target=options.target,
        parameters=given,
        variables=variables,
        repair=repair,
        runs=runs,
        listener=Listener() if options.quiet else Progress(),
        record=lambda result: record_job(open_lake(config), result, config.digest),
    )


def _refuse_early(
    bundle: Bundle, job: str, given: dict[str, str], repair: str | None, runs: Path | None, config: Config
) -> None:
    """What can be known to be wrong before Spark starts."""
    declared = bundle.resolve(bundle.job(job).data.get("parameters") or [])
    if repair:
        reopened(repair, job, given, runs)
    else:
        checked_parameters(given, declared, job)
    for name, look_up in (("source", config.source), ("use_case", config.use_case)):
        if given.get(name, "all") != "all":
            look_up(given[name])


def key_values(texts: Iterable[str]) -> dict[str, str]:
    """`["a=1"]` -> `{"a": "1"}`.

    Raises:
        JobError: one is not written as key=value.
    """
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise JobError(f"--param takes KEY=VALUE, got {text!r}")
        pairs[key] = value
    return pairs


def _overrides(options: Options) -> dict[str, str | None]:
    """What the bundle does not know: the lake of a laptop. Relative folders are of this process's folder."""
    lake = str(Path(options.lake).absolute()) if options.lake else None
    data = str(Path(options.data).absolute()) if options.data else None
    return {"--lake": lake, "--data": data, "--tenant": options.tenant}


class _InProcess:
    """Calls the command itself, so that all tasks share one Spark session."""

    def __init__(self, extra: list[str]) -> None:
        self.extra = extra

    def __call__(self, argv: list[str]) -> dict[str, Any]:
        from finlake.cli.main import execute

        return execute([*argv, *self.extra])
