"""The network of each account at regular moments, and what a decision may know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from finlake.features.networks.communities import communities
from finlake.features.networks.components import components
from finlake.features.networks.cycles import CycleLimits, cycle_counts, cycles
from finlake.features.networks.degrees import degrees
from finlake.features.networks.edges import Stage, at_moments, micros, pairs, sides, transfers
from finlake.features.networks.flow import flow_through
from finlake.features.networks.risk import propagated_risk

_HOUR = 3_600_000_000


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
    """

    windows: Mapping[str, timedelta] = field(default_factory=lambda: {"7d": timedelta(7), "30d": timedelta(30)})
    bound: timedelta = timedelta(hours=48)
    cycles: CycleLimits = field(default_factory=CycleLimits)
    network: timedelta = timedelta(days=30)
    rounds: int = 8
    decay: float = 0.5
    steps: int = 3


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
    links = stage("links", pairs(edges, moments, settings.network))
    made = cycles(edges, settings.cycles, stage)
    parts = (
        degrees(edges, asked, settings.windows),
        flow_through(edges, asked, settings.windows, settings.bound),
        cycle_counts(made, asked, settings.windows, settings.cycles.longest),
        components(links, stage),
        communities(links, stage, settings.rounds),
        propagated_risk(links, labels, stage, settings.decay, settings.steps),
    )
    for part in parts:
        asked = asked.join(part, ["as_of", "account"], "left")
    return asked.withColumn("as_of", F.timestamp_micros("as_of"))


def attach(decisions: DataFrame, snapshots: DataFrame, account: str, delay: timedelta) -> DataFrame:
    """Gives each decision the latest snapshot of its account that was there when it was taken.

    A snapshot of moment m is there from m + delay on. Training and serving use the same rule, so a model learns from
    features of the age that it will see. One sort by account and time; nothing is joined by range.

    Args:
        decisions: with decision_ts (TIMESTAMP) and the account.
        snapshots: of `account_network`.
        account: the decisions' column that names the account.
        delay: how long after its moment a snapshot is available.

    Returns:
        The decisions, the snapshot's features, and `network_age_hours`: decision_ts less the snapshot's moment. All are null
        where there is no snapshot or the account is unknown.
    """
    names = [name for name in snapshots.columns if name not in ("account", "as_of")]
    features = F.struct("as_of", *names).alias("_network")
    rows = snapshots.select(
        F.col("account").alias("_account"),
        (F.unix_micros("as_of") + micros(delay)).alias("_at"),
        F.lit(0).alias("_order"),
        features,
    )
    asking = decisions.select(
        F.col(account).cast("string").alias("_account"), F.unix_micros("decision_ts").alias("_at"),
        F.lit(1).alias("_order"), F.struct(*decisions.columns).alias("_decision"),
    )  # fmt: skip
    both = asking.filter("_account IS NOT NULL").unionByName(rows, allowMissingColumns=True)
    so_far = Window.partitionBy("_account").orderBy("_at", "_order").rowsBetween(Window.unboundedPreceding, 0)
    met = both.withColumn("_network", F.last("_network", ignorenulls=True).over(so_far)).filter("_order = 1")
    unknown = asking.filter("_account IS NULL")
    age = (F.unix_micros("_decision.decision_ts") - F.unix_micros("_network.as_of")) / _HOUR
    return met.unionByName(unknown, allowMissingColumns=True).select(
        "_decision.*", *(F.col("_network")[name].alias(name) for name in names), age.alias("network_age_hours")
    )
