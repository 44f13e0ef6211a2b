"""Step: snapshots of who pays whom, as rows that features look up like those of any source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Network
from finlake.contracts.contract import silver_comments, silver_type
from finlake.features.definitions import network_meaning
from finlake.features.networks.definition import edges_of, known_bad, moments, reach, settings_of
from finlake.features.networks.edges import at_micros, moment_micros
from finlake.features.networks.mart import account_network
from finlake.features.networks.snapshots import silver_snapshots
from finlake.lakehouse import scratch
from finlake.lakehouse.ops import NETWORKS
from finlake.pipelines.step import Step, Values

RECORD = "ops.networks"
SEMANTICS = "networks/1"  # raise it when the same definition begins to give other values
_TOGETHER = 8  # moments of one pass: rounds are shared, and each payment counts once for every moment that sees it


def networks(step: Step, network: str = "all", rebuild: bool = False) -> Values:
    """Adds to silver.<network> the snapshots whose moments have come since the last one.

    A snapshot is taken once, from what was known at its moment, and stays: payments and labels that arrive later are
    in later ones. After a change of the definition, or with `rebuild`, all are taken again from what silver holds now.
    Stopped anywhere, the next run goes on with the first snapshot that is missing.

    Raises:
        ConfigError: an expression of the definition is not understood.
    """
    names = list(step.config.networks) if network == "all" else [network]
    if not names:
        step.say("there are no networks in conf/networks/")
    return {"rows": {name: _bring_to_now(step, step.config.network(name), rebuild=rebuild) for name in names}}


def _bring_to_now(step: Step, network: Network, *, rebuild: bool) -> int:
    lake, table = step.lake, f"silver.{network.network}"
    if not lake.exists(f"silver.{network.edges.source}"):
        step.warn(f"{table} is not built: there is no silver.{network.edges.source} yet")
        return 0
    edges = edges_of(lake.read(f"silver.{network.edges.source}"), network, step.config)
    told = network.known_bad.source if network.known_bad else ""
    versions = lake.read(f"silver.{told}") if told and lake.exists(f"silver.{told}") else None
    if told and versions is None:
        step.warn(f"{table}: no account is known as bad, because there is no silver.{told} yet")
    labels = known_bad(versions, network, step.config, edges)
    definition = _digest(network)
    last = None if rebuild or not lake.exists(table) else _last(step, network, definition)
    due = moments(network, last or _beginning(step, network, edges), step.now)
    if last is None:
        lake.delete(RECORD, f"network = '{network.network}'")
    added = 0
    for first in range(0, len(due), _TOGETHER):
        chosen = due[first : first + _TOGETHER]
        taken = "" if len(chosen) == 1 else f" to {chosen[-1]:%d %b %Y}"
        step.say(f"{table}: snapshot {first + len(chosen)} of {len(due)}, of {chosen[0]:%d %b %Y}{taken}")
        _take(step, network, edges, labels, chosen, replace=last is None and first == 0)
        added += _record(step, network, definition, chosen)
    if last is None and not due:
        _write(step, network, _empty(step, network), replace=True)
    step.say(f"{table}: {added:,} rows added, {len(due)} snapshots" if due else f"{table}: no snapshot is due")
    return added


def _take(
    step: Step, network: Network, edges: DataFrame, labels: DataFrame, chosen: Sequence[datetime], *, replace: bool
) -> None:
    """The snapshots of some moments, in one commit; those that a run wrote before it was stopped stand."""
    there = {} if replace else _taken(step, network, chosen)
    chosen = [moment for moment in chosen if moment_micros(moment) not in there]
    if not chosen:
        return
    since, until = F.lit(chosen[0] - reach(network)), F.lit(chosen[-1])
    seen = edges.filter((F.col("at") >= since) & (F.col("at") < until) & (F.col("known_from") <= until))
    with scratch(step.lake, f"network_{network.network}") as stage:
        made = account_network(stage("edges", seen), stage("labels", labels), chosen, settings_of(network), stage)
        rows = stage("snapshots", silver_snapshots(made, network, step.config))
        _write(step, network, rows, replace=replace)


def _taken(step: Step, network: Network, chosen: Sequence[datetime]) -> dict[int, int]:
    """Moments (microseconds) of which the table has rows, and how many."""
    rows = step.lake.read(f"silver.{network.network}").filter(F.col("event_ts").isin([F.lit(m) for m in chosen]))
    return {row[0]: row["count"] for row in rows.groupBy(F.unix_micros("event_ts")).count().collect()}


def _write(step: Step, network: Network, rows: DataFrame, *, replace: bool) -> None:
    source, table = step.config.source(network.network), f"silver.{network.network}"
    write = step.lake.overwrite if replace else step.lake.append
    write(table, rows, about=network.about, comments=silver_comments(source), cluster_by=[network.account[0]])


def _empty(step: Step, network: Network) -> DataFrame:
    """A table that features can read before the first snapshot is due."""
    contract = step.config.source(network.network).silver_columns
    columns = [f"`{name}` {silver_type(column)}" for name, column in contract.items()]
    clocks = [f"{name} timestamp" for name in ("event_ts", "known_from", "known_to")]
    return step.lake.spark.createDataFrame([], ", ".join([*columns, *clocks]))


def _beginning(step: Step, network: Network, edges: DataFrame) -> datetime:
    """Before this moment nothing was known of any payment, or no snapshot is wanted."""
    found = edges.agg(F.min(F.unix_micros(F.greatest("at", "known_from")))).first()
    first = step.now if found is None or found[0] is None else at_micros(found[0])
    return max(first, step.now - timedelta(microseconds=network.backfill.micros)) if network.backfill else first


def _last(step: Step, network: Network, definition: str) -> datetime | None:
    """The latest snapshot by the present definition."""
    if not step.lake.exists(RECORD):
        return None
    mine = (F.col("network") == network.network) & (F.col("definition") == definition)
    found = step.lake.read(RECORD).filter(mine).agg(F.max(F.unix_micros("as_of"))).first()
    return at_micros(found[0]) if found and found[0] is not None else None


def _record(step: Step, network: Network, definition: str, chosen: Sequence[datetime]) -> int:
    """The number of rows."""
    rows = _taken(step, network, chosen)
    said = [
        (network.network, moment, definition, rows.get(moment_micros(moment), 0), step.now, step.run_id)
        for moment in chosen
    ]
    about, frame = "Every snapshot of a network that was taken.", step.lake.spark.createDataFrame(said, NETWORKS)
    step.lake.append(RECORD, frame, about=about)
    return sum(rows.values())


def _digest(network: Network) -> str:
    said = json.dumps({"semantics": SEMANTICS, **network_meaning(network)}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
