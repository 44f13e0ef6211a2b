"""What `finlake models`, `approve` and `rollback` print and do."""

from __future__ import annotations

from typing import Any

import click

from finlake.cli.options import Options
from finlake.cli.sql import show
from finlake.errors import TableError, UnknownNameError
from finlake.lakehouse import Lake, open_lake
from finlake.models.registry import CHAMPION
from finlake.reporting.verdicts import history, verdicts

_SHOWN = ("average_precision.finlake", "roc_auc.finlake")


def run_list(options: Options, use_case: str, form: str) -> dict[str, Any]:
    """Versions of the use cases, newest first."""
    config = options.config()
    wanted = [config.use_case(use_case).use_case] if use_case != "all" else list(config.use_cases)
    columns = ["use_case", "version", "status", "alias", "trained_at", *_SHOWN, "digest"]
    rows = [
        [
            row["use_case"], row["version"], row["status"], row["alias"], f"{row['trained_at']:%Y-%m-%d %H:%M}",
            *(round(row["metrics"][name], 4) if name in row["metrics"] else None for name in _SHOWN), row["digest"][:12],
        ]
        for row in _models(open_lake(config), wanted)
    ]  # fmt: skip
    show(columns, rows, form)
    return {}


def run_describe(options: Options, use_case: str, version: str) -> dict[str, Any]:
    """One version and everything that was said of it.

    Raises:
        UnknownNameError: there is no such version.
    """
    config = options.config()
    chosen = config.use_case(use_case)
    lake = open_lake(config)
    rows = _models(lake, [use_case])
    if not rows:
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    wanted = version.removeprefix("v") or rows[0]["version"]
    row = next((found for found in rows if found["version"] == wanted), None)
    if row is None:
        raise UnknownNameError("model version", wanted, [found["version"] for found in rows], f"use case {use_case}")
    click.echo(f"{use_case} v{wanted} · {row['status']}{' · ' + row['alias'] if row['alias'] else ''}")
    click.echo(f"  {chosen.purpose}")
    click.echo(f"  digest {row['digest'][:16]} · {len(row['features'])} features · definitions {row['definition']}")
    click.echo(f"  trained {row['trained_at']:%d %b %Y %H:%M} as of {row['as_of']:%d %b %Y %H:%M}")
    click.echo("  gates")
    judged = verdicts(lake, use_case, wanted)
    for verdict in judged:
        click.echo(f"    {'pass' if verdict.passed else 'FAIL'}  {verdict.gate} ({verdict.asks})")
        click.echo(f"          {verdict.words}")
    if not judged:
        click.echo(f"    not judged yet; run: finlake promote --use-case {use_case}")
    for reason in row["reasons"] or []:
        click.echo(f"  {'note' if row['alias'] == CHAMPION else 'why not'}: {reason}")
    for move in history(lake, use_case, wanted):
        click.echo(f"  {move.at:%d %b %Y %H:%M}  {move.words}")
    return {}


def _models(lake: Lake, use_cases: list[str]) -> list[Any]:
    if not lake.exists("ops.models"):
        return []
    rows = lake.read("ops.models").collect()
    mine = [row for row in rows if row["use_case"] in use_cases]
    return sorted(mine, key=lambda row: (use_cases.index(row["use_case"]), -int(row["version"])))
