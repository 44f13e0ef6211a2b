"""Step: gold marts, each a SELECT of conf/marts, in order of what they read."""

from __future__ import annotations

import hashlib
import json
from graphlib import CycleError, TopologicalSorter

from pyspark.sql import Row

from finlake.config import Config, Mart
from finlake.errors import ConfigError, TableError
from finlake.lakehouse import Lake, tables_in
from finlake.lakehouse.names import moves_by_itself
from finlake.pipelines.step import Step, Values

BUILDS = "ops.marts"
_BUILDS = "mart string, digest string, inputs string, version bigint, rows bigint, run_id string"
_ABOUT = "Of each mart: its definition, the versions of the tables it was built from, and the version that this made."


def marts(step: Step, rebuild: bool = False) -> Values:
    """Replaces every mart whose definition or tables have changed; one without its inputs is left out with a warning.

    Raises:
        ConfigError: a mart returns columns its header does not describe, or the other way round.
    """
    lake, rows = step.lake, {}
    before = {row["mart"]: row for row in lake.read(BUILDS).collect()} if lake.exists(BUILDS) else {}
    built = []
    for mart in in_order(step.config):
        name, digest, inputs = f"gold.{mart.mart}", _digest(mart), _inputs(step, mart)
        if not rebuild and _stands(lake, name, before.get(mart.mart), digest, inputs):
            rows[mart.mart] = before[mart.mart]["rows"]
            step.say(f"{name}: nothing new, {rows[mart.mart]:,} rows")
            continue
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
        built.append((mart.mart, digest, inputs, lake.writes[name], rows[mart.mart], step.run_id))
        step.say(f"{name}: {rows[mart.mart]:,} rows")
    if built:
        frame = lake.spark.createDataFrame(built, _BUILDS)
        lake.merge(BUILDS, frame, on=["mart"], update=[name for name in frame.columns if name != "mart"], about=_ABOUT)
    return {"rows": rows}


def _digest(mart: Mart) -> str:
    said = json.dumps([mart.sql, mart.about, mart.columns, mart.cluster_by], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _inputs(step: Step, mart: Mart) -> str:
    """Tables and their versions; empty where the answer may change without them, or something else is read."""
    config, versions = step.config, {}
    tables = {
        "silver": [*config.sources, *config.networks], "bronze": [*config.sources], "gold": [*config.marts],
        "features": [*config.use_cases], "scores": [*config.use_cases],
    }  # fmt: skip
    for name in tables_in(mart.sql):
        schema, table = name.split(".")
        if schema == "silver" and table not in tables[schema]:
            table = table.removesuffix("_current")
        if table not in tables.get(schema, []) or not step.lake.exists(f"{schema}.{table}"):
            return ""
        versions[f"{schema}.{table}"] = step.lake.version(f"{schema}.{table}")
    return "" if moves_by_itself(mart.sql) else json.dumps(versions, sort_keys=True)


def _stands(lake: Lake, name: str, before: Row | None, digest: str, inputs: str) -> bool:
    """The mart was built from just this, and nobody has written it since."""
    if before is None or not inputs or not lake.exists(name):
        return False
    return (before["digest"], before["inputs"], before["version"]) == (digest, inputs, lake.version(name))


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
