"""`finlake demo`: generates data, runs the nightly job, and shows what came out."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from finlake.cli.jobs.command import run_for
from finlake.cli.jobs.result import JobResult
from finlake.cli.options import Options
from finlake.cli.report import build_report
from finlake.cli.summary import render
from finlake.config import Config
from finlake.errors import ConfigError, FinlakeError, LeakageError
from finlake.lakehouse import Lake, open_lake
from finlake.pipelines.registry import load_step
from finlake.pipelines.step import Step, run_step
from finlake.simulation import generate
from finlake.simulation.planted import PLANTED, with_planted_leak
from finlake.simulation.verdicts import ASKED, SOURCE, answer_alerts


def run_demo(options: Options, *, payments: int, loans: int, seed: int) -> dict[str, Any]:
    """Ends with figures that are all rows of ops.figures; exit code 1 if a task failed."""
    began = time.monotonic()
    config = options.config()
    if config.target.lake is None:
        raise ConfigError(f"target {options.target!r} has no lake folder; the demo runs on a laptop's target")
    lake = open_lake(config)
    now = options.now(config)
    options.say(f"lake {lake.root} · data as of {now:%d %b %Y} · seed {seed}")
    generate(
        lake.spark,
        lake.landing,
        payments=payments,
        loans=loans,
        seed=seed,
        until=now,
        say=options.say,
    )
    options = replace(options, as_of=now)
    result = run_for(options, "nightly")
    if not result.ok:
        return {"exit_code": 1}
    analysts(lake, config, now, options)
    refused = planted_leak(lake, config, now, options)
    close(lake, config, now, result, refused, seed, time.monotonic() - began)
    report = build_report(lake, (lake.root or Path(config.target.lake)) / "report", config)
    click.echo(render(lake, config, report))
    return {"report": str(report)}


def analysts(lake: Lake, config: Config, now: datetime, options: Options) -> None:
    """Ten hours later: simulated analysts have answered alerts, and the queue takes in what they found."""
    if not lake.exists("ops.alerts"):
        return
    noon = now + timedelta(hours=10)
    answers = answer_alerts(lake.read("ops.alerts").where(f"use_case = '{ASKED}'"), lake.landing, noon)
    options.say(f"simulating analysts: {answers} answers")
    of_source, of_use_case = {"source": SOURCE}, {"use_case": ASKED}
    for name, arguments in (("ingest", of_source), ("refine", of_source), ("queue", of_use_case)) if answers else ():
        run_step(Step(lake, config, noon, name, say=options.say), load_step(name), arguments)


def planted_leak(lake: Lake, config: Config, now: datetime, options: Options) -> str:
    """The refusal's text.

    Raises:
        FinlakeError: the planted leak was not refused.
    """
    step = Step(lake, with_planted_leak(config), now, "features", say=options.say)
    try:
        run_step(step, load_step("features"), {"use_case": PLANTED})
    except LeakageError as error:
        return str(error)
    raise FinlakeError(f"the leak planted in {PLANTED} was not refused; do not trust this build")


def close(
    lake: Lake,
    config: Config,
    now: datetime,
    result: JobResult,
    refused: str,
    seed: int,
    seconds: float,
) -> None:
    """Records the figures that belong to the demo as a whole."""

    def figures(step: Step) -> dict[str, Any]:
        step.figure("demo.seconds", seconds, unit="s")
        step.figure("demo.seed", seed)
        step.figure(
            "demo.as_of",
            now.timestamp(),
            unit="s since 1970",
            text=now.astimezone(UTC).isoformat(),
        )
        step.figure(
            "demo.tasks_ok",
            sum(task.status == "ok" for task in result.tasks),
            text=result.counts().split(",")[0],
        )
        for number, warning in enumerate(result.warnings):
            step.figure(f"demo.warning.{number + 1}", None, text=warning)
        step.figure("demo.refused", None, text=refused)
        return {}

    run_step(Step(lake, config, now, "demo"), figures, {})
