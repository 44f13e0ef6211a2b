"""Payments as edges between accounts, and what of them is visible at a moment.

An edges frame holds silver versions: `edge_id, source, target` (texts), `amount_minor` BIGINT in minor units, `at` (when
it happened), `known_from`, `known_to`. At a moment t an edge is visible if it happened before t and its version was known
at t: `at < t` and `known_from <= t < known_to`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.features.windows import NEVER

Stage = Callable[[str, DataFrame], DataFrame]
"""Writes a frame under a name that no other step of this run has, and gives back what reads it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(length: timedelta) -> int:
    """A length of time in microseconds."""
    return length // timedelta(microseconds=1)


def moment_micros(moment: datetime) -> int:
    """A moment in microseconds since 1970.

    Raises:
        ConfigError: the moment has no zone.
    """
    if moment.tzinfo is None:
        raise ConfigError(f"the moment {moment.isoformat()} has no zone; give it one, such as tzinfo=UTC")
    return micros(moment - _EPOCH)


def at_micros(number: int) -> datetime:
    """The moment, in UTC, of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=number)


def transfers(edges: DataFrame) -> DataFrame:
    """Edges that move something between two known accounts, in versions that were known for any time at all.

    A payment of an account to itself says nothing about a network and is left out.

    Returns:
        edge_id, source, target (texts), amount (BIGINT, minor units), and in microseconds at, since, until.
    """
    times = {"at": F.unix_micros("at"), "since": F.unix_micros("known_from"), "until": until("known_to")}
    named = edges.select(
        *(F.col(name).cast("string").alias(name) for name in ("edge_id", "source", "target")),
        F.col("amount_minor").cast("bigint").alias("amount"),
        *(column.alias(name) for name, column in times.items()),
    )
    return named.filter("source <> target AND at IS NOT NULL AND since < until")


def until(column: str) -> Column:
    """The end of a version in microseconds."""
    return F.coalesce(F.unix_micros(column), F.lit(NEVER))


def sides(payments: DataFrame) -> DataFrame:
    """Each transfer as its payer and as its payee see it: `account, peer, incoming` beside its other columns."""
    paid = F.struct(F.col("source").alias("account"), F.col("target").alias("peer"), F.lit(False).alias("incoming"))
    got = F.struct(F.col("target").alias("account"), F.col("source").alias("peer"), F.lit(True).alias("incoming"))
    rest = [name for name in payments.columns if name not in ("source", "target")]
    return payments.select(*rest, F.inline(F.array(paid, got)))


def at_moments(payments: DataFrame, moments: Sequence[datetime], window: timedelta) -> DataFrame:
    """Transfers of [t - window, t) that were known at t, once for each moment t: `as_of` in microseconds is added.

    Raises:
        ConfigError: there is no moment, or one has no zone.
    """
    if not moments:
        raise ConfigError("no moments are given; name at least one at which the network is looked at")
    listed = F.array(*(F.lit(moment_micros(moment)).cast("bigint") for moment in sorted(set(moments))))
    at, since, end = F.col("at"), F.col("since"), F.col("until")

    def sees(moment: Column) -> Column:
        return (at < moment) & (at >= moment - micros(window)) & (since <= moment) & (end > moment)

    return payments.withColumn("as_of", F.explode(F.filter(listed, sees)))


def pairs(edges: DataFrame, moments: Sequence[datetime], window: timedelta) -> DataFrame:
    """Who dealt with whom: `as_of, low, high, weight`, where low < high are accounts and weight counts payments.

    Payments are counted, not added up: money of several currencies cannot be.
    """
    seen = at_moments(transfers(edges), moments, window)
    named = seen.select("as_of", F.least("source", "target").alias("low"), F.greatest("source", "target").alias("high"))
    return named.groupBy("as_of", "low", "high").agg(F.count("*").alias("weight"))


def neighbours(links: DataFrame) -> DataFrame:
    """Pairs in both directions: `as_of, account, peer, weight`."""
    there = F.struct(F.col("low").alias("account"), F.col("high").alias("peer"))
    back = F.struct(F.col("high").alias("account"), F.col("low").alias("peer"))
    return links.select("as_of", "weight", F.inline(F.array(there, back)))
