"""Step: gold marts, each a SELECT of conf/marts, in order of what they read."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from finlake.config import Config, Mart
from finlake.errors import ConfigError, TableError
from finlake.lakehouse import tables_in
from finlake.pipelines.step import Step, Values


def marts(step: Step) -> Values:
    """Replaces every mart; a mart without its inputs is left out with a warning.

    Raises:
        ConfigError: a mart returns columns its header does not describe, or the other way round.
    """
    lake, rows = step.lake, {}
    for mart in in_order(step.config):
        name = f"gold.{mart.mart}"
        try:
            frame = lake.sql(mart.sql)
        except TableError as error:
            step.warn(f"mart {mart.mart} is not built: {error}")
            continue
        differing = sorted(set(frame.columns) ^ set(mart.columns))
        if differing:
            where = step.config.problem("mart", mart.mart, "", "columns")
            raise ConfigError(f"{where}columns of the SELECT and of the header differ: {', '.join(differing)}")
        lake.overwrite(
            name,
            frame,
            about=mart.about,
            comments=mart.columns,
            cluster_by=mart.cluster_by,
        )
        rows[mart.mart] = lake.read(name).count()
        step.say(f"{name}: {rows[mart.mart]:,} rows")
    return {"rows": rows}


def in_order(config: Config) -> list[Mart]:
    """Marts so that each comes after the marts it reads.

    Raises:
        ConfigError: marts read each other in a circle.
    """
    reads = {
        name: {table.removeprefix("gold.") for table in tables_in(mart.sql) if table.startswith("gold.")}
        & set(config.marts)
        for name, mart in config.marts.items()
    }
    try:
        return [config.marts[name] for name in TopologicalSorter(reads).static_order()]
    except CycleError as error:
        raise ConfigError(f"marts read each other in a circle: {' → '.join(error.args[1])}") from error
