"""Options every command shares."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finlake.errors import ConfigError

if TYPE_CHECKING:
    from finlake.config import Config


@dataclass(frozen=True)
class Options:
    """Where the configuration and the lake are, and the moment to stand at."""

    conf: Path
    lake: str | None
    data: str | None
    target: str
    tenant: str | None
    as_of: datetime | None
    quiet: bool
    debug: bool
    job_run: str = ""

    def config(self) -> Config:
        """Configuration with this command line's overrides; raises ConfigError with all problems."""
        from finlake.config import load

        return self.override(load(self.conf, self.target, self.tenant))

    def override(self, config: Config) -> Config:
        changes: dict[str, Any] = {}
        if self.lake:
            changes["lake"] = self.lake
        if self.data:
            folder = Path(self.data).absolute()
            if not folder.is_dir():
                raise ConfigError(f"--data: there is no folder {folder}")
            changes["landing"] = str(folder)
        if self.as_of:
            changes["as_of"] = self.as_of
        config.target = config.target.model_copy(update=changes)
        return config

    def now(self, config: Config) -> datetime:
        """The moment steps stand at, in UTC."""
        moment = config.target.as_of or datetime.now(UTC)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def say(self, text: str) -> None:
        """A line of progress, on standard error so that results can be piped."""
        if not self.quiet:
            click.echo(f"  {text}", err=True)

    def arguments(self) -> list[str]:
        """The same options as a command line, for tasks in processes of their own."""
        given = {
            "--conf": str(self.conf.absolute()),
            "--lake": self.lake,
            "--data": self.data,
            "--target": self.target,
        }
        given |= {
            "--tenant": self.tenant,
            "--as-of": self.as_of.isoformat() if self.as_of else None,
        }
        return [part for key, value in given.items() if value for part in (key, value)]


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(
            f"{value!r} is not a date or time; write 2025-10-15 or 2025-10-15T07:00+02:00"
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_OPTIONS = [
    click.option(
        "--conf",
        type=click.Path(path_type=Path),
        default=Path("conf"),
        show_default=True,
        help="Configuration.",
    ),
    click.option("--lake", metavar="DIR", help="Folder of the tables [default: the target's]."),
    click.option(
        "--data",
        metavar="DIR",
        help="Folder where files arrive [default: the target's landing folder].",
    ),
    click.option("--target", default="local", show_default=True, help="File in conf/targets/."),
    click.option("--tenant", help="File in conf/tenants/."),
    click.option(
        "--as-of",
        callback=_moment,
        metavar="TIME",
        help="The moment to stand at [default: the target's, else now].",
    ),
    click.option(
        "--job-run",
        default="",
        hidden=True,
        help="<job run id>/<job>/<task>, for the run's record.",
    ),
    click.option("--quiet", is_flag=True, help="No progress lines."),
    click.option("--debug", is_flag=True, help="Show tracebacks."),
]


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the shared options and hands them over as one `Options`."""

    @functools.wraps(command)
    def wrapped(
        conf: Path,
        lake: str | None,
        data: str | None,
        target: str,
        tenant: str | None,
        as_of: datetime | None,
        job_run: str,
        quiet: bool,
        debug: bool,
        **rest: Any,
    ) -> Any:
        return command(
            Options(conf, lake, data, target, tenant or None, as_of, quiet, debug, job_run),
            **rest,
        )

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
