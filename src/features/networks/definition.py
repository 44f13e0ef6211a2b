"""What a network's definition means: its edges, the accounts known as bad, its moments, and what is measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, Network, Source
from finlake.config.words import never_equal
from finlake.errors import ConfigError
from finlake.features.columns import compile_expr
from finlake.features.decisions import key_text, lasting
from finlake.features.definitions import kinds
from finlake.features.expressions import Expr, Scope, parse
from finlake.features.networks.cycles import CycleLimits
from finlake.features.networks.mart import NetworkSettings
from finlake.features.plan import measured
from finlake.features.row_columns import resolver

_FIRST_DAY = date(1970, 1, 5)  # a Monday, so that weekly snapshots begin with the week


def edges_of(versions: DataFrame, network: Network, config: Config) -> DataFrame:
    """The edges frame of a network, from the silver versions of its source.

    Raises:
        ConfigError: an expression that is not understood.
    """
    edges, source = network.edges, config.source(network.edges.source)
    rows = lasting(versions)
    if edges.where:
        condition = parse(edges.where, _scope(source), "boolean")
        rows = rows.filter(compile_expr(condition, resolver(versions, network.zone), network.zone))
    decimals = source.silver_columns[edges.amount].decimals
    return rows.select(
        key_text(source.key).alias("edge_id"),
        _account(edges.payer, source, versions, network).alias("source"),
        _account(edges.payee, source, versions, network).alias("target"),
        (F.col(f"`{edges.amount}`") * F.lit(10**decimals)).cast("bigint").alias("amount_minor"),
        F.col("event_ts").alias("at"), "known_from", "known_to",
    )  # fmt: skip


def known_bad(versions: DataFrame | None, network: Network, config: Config, empty: DataFrame) -> DataFrame:
    """account, known_from, known_to: the times in which accounts counted as bad.

    Args:
        versions: silver versions of the source that tells it; None where there is none.
        network: says which rows make an account bad.
        config: the contracts.
        empty: any edges frame; its columns are used where nothing is told.
    """
    bad = network.known_bad
    if bad is None or versions is None:
        return empty.select(F.col("source").alias("account"), "known_from", "known_to").limit(0)
    condition = parse(bad.when, _scope(config.source(bad.source)), "boolean")
    told = lasting(versions).filter(compile_expr(condition, resolver(versions, network.zone), network.zone))
    return told.select(F.col(f"`{bad.account}`").cast("string").alias("account"), "known_from", "known_to")


def settings_of(network: Network) -> NetworkSettings:
    """What a snapshot measures."""
    search = network.cycles
    return NetworkSettings(
        {name: _length(length.micros) for name, length in network.lengths.items()},
        _length(network.flow_within.micros),
        CycleLimits(_length(search.within.micros), search.growth, search.longest, search.per_account),
        _length(network.reach.micros),
        network.rounds,
        network.risk.decay,
        network.risk.steps,
        frozenset(network.measured),
    )


def moments(network: Network, after: datetime, now: datetime) -> list[datetime]:
    """Moments of snapshots after `after` that can be read at `now`: midnights in the network's zone, in order."""
    zone, delay = ZoneInfo(network.zone), _length(network.delay.micros)
    step = network.every.micros // 86_400_000_000
    days = (after.astimezone(zone).date() - _FIRST_DAY).days // step * step

    def midnights() -> Iterator[datetime]:
        for number in range(days, (now.astimezone(zone).date() - _FIRST_DAY).days + 1, step):
            yield datetime.combine(_FIRST_DAY + timedelta(number), time(), zone).astimezone(UTC)

    return [moment for moment in midnights() if after < moment and moment + delay <= now]


def reach(network: Network) -> timedelta:
    """How long before its moment a snapshot begins to look at payments; cycles may begin before a window does."""
    longest = max(window.micros for window in (*network.windows, network.reach))
    return _length(longest + 2 * network.cycles.within.micros)


def expressions(network: Network, config: Config) -> Iterator[tuple[str, tuple[object, ...]]]:
    """(message, keys of the line) for every expression that is not understood."""
    edges, source = network.edges, config.sources.get(network.edges.source)
    if source is not None:
        condition = None
        if edges.where:
            try:
                condition = parse(edges.where, _scope(source), "boolean")
            except ConfigError as error:
                yield f"edges.where: {error}", ("edges", "where")
            else:
                yield from _never(edges.where, source, "edges", "where")
        for side in ("payer", "payee"):
            try:
                _account_tree(getattr(edges, side), source)
            except ConfigError as error:
                yield f"edges.{side}: {error}", ("edges", side)
            else:
                yield from _never(getattr(edges, side), source, "edges", side)
        if edges.amount in source.silver_columns:
            try:
                measured(source, config, "sum", edges.amount, (condition,) if condition else ())
            except ConfigError as error:
                yield f"edges.amount: {error}", ("edges", "amount")
    bad = network.known_bad
    if bad is not None and bad.source in config.sources:
        try:
            parse(bad.when, _scope(config.sources[bad.source]), "boolean")
        except ConfigError as error:
            yield f"known_bad.when: {error}", ("known_bad", "when")
        else:
            yield from _never(bad.when, config.sources[bad.source], "known_bad", "when")


def _never(text: str, source: Source, *keys: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    yield from ((f"{'.'.join(keys)}: {message}", keys) for message in never_equal(text, source))


def _account(text: str, source: Source, versions: DataFrame, network: Network) -> Column:
    if text.strip("`") in source.silver_columns:
        return F.col(f"`{text.strip('`')}`").cast("string")
    return compile_expr(_account_tree(text, source), resolver(versions, network.zone), network.zone)


def _account_tree(text: str, source: Source) -> Expr:
    tree = parse(text, _scope(source), "any")
    if tree.op != "column" and tree.kind != "text":
        raise ConfigError(f"{text!r} is a {tree.kind}, and accounts are texts or columns; for example CASE WHEN … END")
    return tree


def _scope(source: Source) -> Scope:
    return Scope(kinds(source), about=f"column of {source.source}")


def _length(micros: int) -> timedelta:
    return timedelta(microseconds=micros)
