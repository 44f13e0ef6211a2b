"""Whether the names in a network's definition exist."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from zoneinfo import available_timezones

from finlake.config.load import Config
from finlake.config.network import Network
from finlake.config.source import Source
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
    source = yield from _source(config, edges.source, "edges")
    if source:
        yield from silver_column(source, edges.amount, "edges.amount", ("edges", "amount"))
        column = source.silver_columns.get(edges.amount)
        if column and column.type != "money":
            yield f"edges.amount: {edges.amount!r} is {column.type}, and amounts are money", ("edges", "amount")
    bad = network.known_bad
    told = (yield from _source(config, bad.source, "known_bad")) if bad else None
    if bad and told:
        yield from silver_column(told, bad.account, "known_bad.account", ("known_bad", "account"))


def _source(config: Config, name: str, key: str) -> Generator[tuple[str, tuple[object, ...]], None, Source | None]:
    """The source of that name; a problem if there is none, unless its own file's problem is said already."""
    if name not in config.sources and not unread(config, "sources", name):
        yield f"{key}.source: no source {name!r}{suggestion(name, config.sources)}", (key, "source")
    return config.sources.get(name)
