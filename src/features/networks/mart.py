"""The network of each account at regular moments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config.network import MEASURES
from finlake.features.networks.communities import communities
from finlake.features.networks.components import components
from finlake.features.networks.cycles import CycleLimits, cycle_counts, cycles
from finlake.features.networks.degrees import degrees
from finlake.features.networks.edges import Stage, at_moments, pairs, sides, transfers
from finlake.features.networks.flow import flow_through
from finlake.features.networks.risk import propagated_risk


@dataclass(frozen=True)
class NetworkSettings:
    """What a snapshot measures.

    Attributes:
        windows: of degrees, flow-through and cycles, by name.
        bound: of flow-through.
        cycles: what counts as a cycle.
        network: how far back payments connect accounts, for components, communities and risk.
        rounds: of communities.
        decay: of risk.
        steps: of risk.
        measures: what is measured at all.
    """

    windows: Mapping[str, timedelta] = field(default_factory=lambda: {"7d": timedelta(7), "30d": timedelta(30)})
    bound: timedelta = timedelta(hours=48)
    cycles: CycleLimits = field(default_factory=CycleLimits)
    network: timedelta = timedelta(days=30)
    rounds: int = 8
    decay: float = 0.5
    steps: int = 3
    measures: frozenset[str] = frozenset(MEASURES)


def account_network(
    edges: DataFrame, labels: DataFrame, moments: Sequence[datetime], settings: NetworkSettings, stage: Stage
) -> DataFrame:
    """One row for each account and moment, for accounts with a visible payment in the longest of all windows.

    Args:
        edges: an edges frame.
        labels: account, known_from, known_to, as for `propagated_risk`.
        moments: with a zone; daily or weekly, as often as the table is built.
        settings: what is measured.
        stage: writes intermediate frames and reads them back.

    Returns:
        account, as_of (TIMESTAMP) and all features; those of components, communities and risk are null for accounts that
        had no payment within `settings.network`.
    """
    longest = max([settings.network, *settings.windows.values()])
    seen = sides(at_moments(transfers(edges), moments, longest))
    asked = stage("asked", seen.select("as_of", "account").distinct())
    for part in _parts(edges, labels, moments, settings, stage, asked):
        asked = asked.join(part, ["as_of", "account"], "left")
    return asked.withColumn("as_of", F.timestamp_micros("as_of"))


def _parts(
    edges: DataFrame,
    labels: DataFrame,
    moments: Sequence[datetime],
    settings: NetworkSettings,
    stage: Stage,
    asked: DataFrame,
) -> Iterator[DataFrame]:
    wanted = settings.measures
    if "degrees" in wanted:
        yield degrees(edges, asked, settings.windows)
    if "flow_through" in wanted:
        yield flow_through(edges, asked, settings.windows, settings.bound)
    if "cycles" in wanted:
        made = cycles(edges, settings.cycles, stage)
        yield cycle_counts(made, asked, settings.windows, settings.cycles.longest)
    if not wanted & {"components", "communities", "risk"}:
        return
    links = stage("links", pairs(edges, moments, settings.network))
    if "components" in wanted:
        yield components(links, stage)
    if "communities" in wanted:
        yield communities(links, stage, settings.rounds)
    if "risk" in wanted:
        yield propagated_risk(links, labels, stage, settings.decay, settings.steps)
