"""What a person sees while a job runs."""

from __future__ import annotations

import time

import click

from finlake.cli.jobs.result import JobResult, TaskResult
from finlake.cli.jobs.runner import Listener

_COLOURS = {"ok": "green", "failed": "red", "skipped": "yellow", "excluded": "blue"}


class Progress(Listener):
    """One line when a task starts and one when it ends, on standard error; colours on a terminal only."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def begin(self, path: str) -> None:
        self._line(f"▸ {path}")

    def end(self, result: TaskResult) -> None:
        mark = click.style(f"{result.status:8}", fg=_COLOURS[result.status])
        about = "done in an earlier attempt" if result.reused else f"{result.seconds:.1f} s"
        if result.status in ("skipped", "excluded"):
            about = result.error
        elif result.error:
            about = f"{about} · {result.error}"
        self._line(f"  {mark} {result.path} · {about}")

    def retry(self, path: str, error: str, seconds: float) -> None:
        self._line(f"  again in {seconds:.0f} s: {path} · {error}")

    def _line(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        click.echo(f"{minutes:3d}:{seconds:02d} {text}", err=True)


def summary(result: JobResult) -> str:
    """The end of a run: failures, warnings, and the count as the last line."""
    minutes, seconds = divmod(int(result.seconds), 60)
    lines = [f"{task.path} failed: {task.error}" for task in result.tasks if task.status == "failed"]
    lines += [f"warning: {text}" for text in result.warnings]
    if not result.ok:
        lines.append(f"mend it, then: finlake run {result.job} --repair {result.run_id}")
    lines.append(f"{result.job} · {minutes} min {seconds} s · run {result.run_id} · {result.counts()}")
    return "\n".join(lines)
