"""`finlake simulate`: the files of a bank with laundering, for the example in examples/laundering."""

from __future__ import annotations

from typing import Any

from finlake.cli.options import Options
from finlake.lakehouse import open_lake
from finlake.simulation.laundering import generate_laundering


def run_simulate(options: Options, *, accounts: int, transfers: int, seed: int) -> dict[str, Any]:
    """Writes what had arrived by the moment to stand at into the landing folder; the truth goes beside it."""
    config = options.config()
    lake = open_lake(config)
    made = generate_laundering(
        lake.spark,
        lake.landing,
        accounts=accounts,
        transfers=transfers,
        seed=seed,
        until=options.now(config),
        say=options.say,
    )
    options.say(f"{lake.landing}: {made['files']} files, {made['new']} of them new")
    return {"files": made["files"], "new": made["new"]}
