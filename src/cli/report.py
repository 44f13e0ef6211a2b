"""`finlake report`: the offline HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from finlake.cli.options import Options
from finlake.errors import ConfigError
from finlake.lakehouse import open_lake
from finlake.reporting import build_report

__all__ = ["build_report", "run_report"]


def run_report(options: Options, out: Path | None) -> dict[str, Any]:
    """Writes the report and says where it is.

    Raises:
        ConfigError: the lake has no folder of its own, and none was given.
    """
    config = options.config()
    lake = open_lake(config)
    folder = out or (lake.root / "report" if lake.root else None)
    if folder is None:
        raise ConfigError(f"target {options.target!r} has no lake folder; say where the report goes with --out DIR")
    path = build_report(lake, folder, config)
    click.echo(path)
    return {"report": str(path)}
