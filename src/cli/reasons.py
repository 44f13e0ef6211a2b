"""Prints the reasons of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from finlake.cli.options import Options
from finlake.lakehouse import open_lake
from finlake.pipelines.reasons import reasons_of
from finlake.pipelines.step import Step


def run_reasons(options: Options, use_case: str, keys: Sequence[str]) -> dict[str, Any]:
    """A line for each decision, and one for each of its reasons; returns the reasons by key."""
    config = options.config()
    config.use_case(use_case)  # a misspelt name is told before Spark starts
    step = Step(open_lake(config), config, options.now(config), "reasons", say=options.say)
    told = {row["decision_key"]: row for row in reasons_of(step, use_case, keys).collect()}
    for key in dict.fromkeys(keys):
        row = told[key]
        click.echo(f"{key}: {row['decision']}, chance {row['probability']:.4f}, by v{row['model_version']}")
        for reason in row["reasons"]:
            click.echo(f"  {reason['rank']}. {reason['text']} ({reason['contribution']:+.2f} log odds)")
    return {"reasons": {key: [reason["text"] for reason in row["reasons"]] for key, row in told.items()}}
