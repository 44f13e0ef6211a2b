"""Snapshots of a network as silver holds them: rows with a key, clocks and the columns of the contract."""

from __future__ import annotations

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Column, Config, Network
from finlake.contracts.contract import silver_type


def silver_snapshots(made: DataFrame, network: Network, config: Config) -> DataFrame:
    """Rows of silver.<network>, in the columns of its contract, then event_ts, known_from and known_to.

    A snapshot of moment m is known from m + delay on, and never replaced: known_to is null.

    Args:
        made: of `account_network`.
        network: names the accounts and the delay.
        config: the contract of the network as a source.
    """
    source = config.source(network.network)
    delay = F.make_dt_interval(secs=F.lit(network.delay.micros / 1_000_000))
    day = F.date_format(F.from_utc_timestamp("as_of", network.zone), "yyyy-MM-dd")
    given = {
        network.key: F.concat_ws("|", "account", day),
        **dict.fromkeys(network.account, F.col("account")),
        "as_of": F.col("as_of"),
    }
    columns = [given[name] if name in given else _typed(name, column) for name, column in source.silver_columns.items()]
    return made.select(
        *(made_of.alias(name) for name, made_of in zip(source.silver_columns, columns, strict=True)),
        F.col("as_of").alias("event_ts"),
        (F.col("as_of") + delay).alias("known_from"),
        F.lit(None).cast("timestamp").alias("known_to"),
    )


def _typed(name: str, column: Column) -> SparkColumn:
    minor = F.col(name).cast("decimal(20,0)") / F.lit(10**column.decimals)
    return (minor if column.type == "money" else F.col(name)).cast(silver_type(column))
