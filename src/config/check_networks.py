"""Whether the names in a network's definition exist."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import available_timezones

from finlake.config.load import Config
from finlake.config.network import Network
from finlake.config.words import known_zone, silver_column, unread
from finlake.errors import suggestion

Found = Iterator[tuple[str, tuple[object, ...]]]


def check_network(config: Config, network: Network) -> Found:
    """(message, keys of the line) for everything that does not resolve; expressions are read with the features'."""
    if network.network in config.sources:
        yield (
            f"network: there is a source {network.network!r} too, and both would be silver.{network.network}",
            ("network",),
        )
    if not known_zone(network.zone):
        yield f"zone: no time zone {network.zone!r}{suggestion(network.zone, available_timezones())}", ("zone",)
    edges = network.edges
    source = config.sources.get(edges.source)
    if source is None:
        if not unread(config, "sources", edges.source):
            message = f"edges.source: no source {edges.source!r}{suggestion(edges.source, config.sources)}"
            yield message, ("edges", "source")
    else:
        yield from silver_column(source, edges.amount, "edges.amount", ("edges", "amount"))
        column = source.silver_columns.get(edges.amount)
        if column and column.type != "money":
            yield f"edges.amount: {edges.amount!r} is {column.type}, and amounts are money", ("edges", "amount")
    if network.known_bad is None:
        return
    bad = network.known_bad
    told = config.sources.get(bad.source)
    if told is None:
        if not unread(config, "sources", bad.source):
            message = f"known_bad.source: no source {bad.source!r}{suggestion(bad.source, config.sources)}"
            yield message, ("known_bad", "source")
        return
    yield from silver_column(told, bad.account, "known_bad.account", ("known_bad", "account"))
