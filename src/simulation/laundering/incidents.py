"""Incidents of laundering: how many of each behaviour, when they begin, and the words that plans share."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.laundering.transfers import DAY
from finlake.simulation.laundering.world import Bank
from finlake.simulation.world import HORIZON_DAYS

THRESHOLD = 10_000  # EUR; Regulation (EU) 2024/1624 takes it as the limit of cash payments
# For each thousand accounts in the whole period.
INCIDENTS = {
    "structuring": 7.0,
    "fan": 5.0,
    "pass_through": 14.0,
    "cycle": 5.0,
    "layering": 5.0,
    "dormant": 6.0,
    "over_invoicing": 6.0,
    "round_amounts": 6.0,
    "above_expected": 5.0,
}
BEHAVIOURS = tuple(INCIDENTS)
FEWEST, FIRST_DAY, LONGEST_DAYS = 3, 5, 14


def incidents(spark: SparkSession, bank: Bank, behaviour: str) -> DataFrame:
    """`i` counts them, `start` is the second of the simulation at which one begins, `careful` 1 if it hides well."""
    d, i = bank.draws, F.col("i")
    count = max(FEWEST, round(bank.accounts * INCIDENTS[behaviour] / 1000))
    day = FIRST_DAY + F.floor((HORIZON_DAYS - FIRST_DAY - 1) * d.uniform(f"{behaviour}/day", i))
    return spark.range(count).select(
        F.col("id").alias("i"),
        (day * DAY + 9 * 3600).alias("start"),
        d.chance(f"{behaviour}/careful", 0.4, i).cast("int").alias("careful"),
    )


def any_account(bank: Bank, behaviour: str) -> Column:
    return bank.draws.below(f"{behaviour}/account", bank.accounts, F.col("i"))


def size(bank: Bank, behaviour: str, level: float, spread: float) -> Column:
    """One amount for the whole incident, EUR, lognormal."""
    return F.exp(level + spread * bank.draws.normal(f"{behaviour}/size", F.col("i")))
