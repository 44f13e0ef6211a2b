"""Account days, and what investigators report about them: late, incomplete, sometimes wrong, sometimes taken back."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.simulation.draws import Draws, rounded
from finlake.simulation.laundering.transfers import DAY
from finlake.simulation.laundering.world import Bank, account_name, expected_turnover, income
from finlake.simulation.world import START, ZONE

MISSED = 0.15  # share of incidents on an account that nobody finds
AFTERMATH = 3  # days after the last booking of an incident that a report covers too
UNNAMED = 0.05  # of those found, share of the days that the report leaves out
CLEARED, RETRACTED = 0.06, 0.03  # share of reports about laundering that end as nothing, or are filed and taken back
FALSE, FALSE_LARGE = 0.0008, 0.006  # share of honest account days looked into; of those with a large turnover
FALSE_FILED, FALSE_RETRACTED = 0.12, 0.6  # of those, share filed, and of the filed, share taken back
LARGE = 20_000


def account_days(transfers: DataFrame, bank: Bank) -> DataFrame:
    """One row for each account and day with bookings, as the bank's books have it at the end of the day."""
    amount, out = F.col("amount"), F.col("direction") == "out"
    local = F.to_date(F.from_utc_timestamp("booked_at", ZONE))
    largest = F.struct(amount, F.col("transfer_id"), F.col("counterparty_id"), F.col("counterparty_country"))
    days = (
        transfers.withColumn("day", local)
        .groupBy("account", "customer", "day")
        .agg(
            F.count(F.lit(1)).alias("bookings"),
            _cents(F.when(~out, amount)).alias("in_cents"),
            _cents(F.when(out, amount)).alias("out_cents"),
            F.max(largest).alias("largest"),
        )
    )
    past = Window.partitionBy("account").orderBy("day").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    opening = F.floor(income(bank, F.col("customer")) * (1 + 4 * bank.draws.uniform("opening", F.col("account"))))
    balance = F.sum(F.col("in_cents") - F.col("out_cents")).over(past) + opening * 100
    closed = F.to_utc_timestamp(F.date_add("day", 1).cast("timestamp"), ZONE)
    late = bank.draws.chance("day/late", 0.01, F.col("account"), F.datediff("day", F.lit(START)))
    return days.select(
        "account",
        "customer",
        "day",
        F.concat_ws("-", account_name(F.col("account")), F.date_format("day", "yyyyMMdd")).alias("account_day_id"),
        F.timestamp_seconds(F.unix_seconds(closed) - 1).alias("closed_at"),
        F.timestamp_seconds(F.unix_seconds(closed) + 2400 + F.when(late, DAY).otherwise(0)).alias("sent_at"),
        "bookings",
        *[(F.col(name + "_cents") / 100.0).alias(f"turnover_{name}") for name in ("in", "out")],
        (balance / 100.0).alias("closing_balance"),
        expected_turnover(bank, F.col("customer")).alias("expected_turnover"),
        F.col("largest.amount").alias("largest_amount"),
        F.col("largest.counterparty_id").alias("counterparty_id"),
        F.col("largest.counterparty_country").alias("counterparty_country"),
    )


def _cents(amount: Column) -> Column:
    """Summed in whole cents, so that the order of rows does not matter."""
    return F.coalesce(F.sum(F.floor(amount * 100 + 0.5)), F.lit(0))


def reports(transfers: DataFrame, days: DataFrame, draws: Draws) -> DataFrame:
    """Every version of every line of a report.

    A report names the account's days with bookings from the first of an incident to some days after its last,
    quiet ones too. It is open first, then filed or dismissed; some that were filed are retracted weeks later.
    """
    key = [F.col(name) for name in ("b", "i", "account")]
    number = F.datediff("day", F.lit(START))
    day = F.to_date(F.from_utc_timestamp("booked_at", ZONE))
    code = F.crc32("behaviour").cast("bigint").alias("b")
    marked = transfers.where("behaviour is not null").select(
        code, F.col("incident").alias("i"), "account", day.alias("day")
    )
    spans = marked.groupBy(*key).agg(F.min("day").alias("first"), F.date_add(F.max("day"), AFTERMATH).alias("last"))
    named = (
        days.select("account", "day").join(spans, "account").where(F.col("day").between(F.col("first"), F.col("last")))
    )
    guilty = named.select(*key, "day", "last")
    guilty = guilty.where(~draws.chance("report/missed", MISSED, *key))
    guilty = guilty.where(~draws.chance("report/unnamed", UNNAMED, *key, number)).withColumn("true", F.lit(True))
    large = F.col("turnover_in") + F.col("turnover_out") > LARGE
    honest = days.join(marked.select("account", "day").distinct(), ["account", "day"], "left_anti").where(
        draws.chance("report/false", F.when(large, FALSE_LARGE).otherwise(FALSE), F.col("account"), number)
    )
    honest = honest.select(
        F.lit(0).cast("bigint").alias("b"),
        number.cast("bigint").alias("i"),
        "account",
        "day",
        F.col("day").alias("last"),
    ).withColumn("true", F.lit(False))
    found = guilty.unionByName(honest).withColumns(_course(draws, key))
    versions = F.when(F.col("retracted"), F.sequence(F.lit(1), F.lit(3))).otherwise(F.sequence(F.lit(1), F.lit(2)))
    found = found.withColumn("version", F.explode(versions))
    version = F.col("version")
    days_after = (
        F.when(version == 1, F.col("to_open"))
        .when(version == 2, F.col("to_open") + F.col("to_decide"))
        .otherwise(F.col("to_open") + F.col("to_decide") + F.col("to_retract"))
    )
    verdict = (
        F.when(version == 1, "open")
        .when(version == 3, "retracted")
        .when(F.col("filed"), "filed")
        .otherwise("dismissed")
    )
    morning = F.unix_seconds(F.to_utc_timestamp(F.date_add("last", 1).cast("timestamp"), ZONE)) + 9 * 3600

    def after(value: Column) -> Column:
        return F.timestamp_seconds(morning + F.floor(value * DAY).cast("bigint"))

    return found.select(
        F.concat(F.lit("r_"), F.lpad(F.lower(F.hex(draws.hash("report", *key))), 16, "0")).alias("report_id"),
        F.concat_ws("-", account_name(F.col("account")), F.date_format("day", "yyyyMMdd")).alias("account_day_id"),
        account_name(F.col("account")).alias("account_id"),
        after(F.col("to_open")).alias("opened_at"),
        verdict.alias("verdict"),
        after(days_after).alias("updated_at"),
    )


def _course(draws: Draws, key: list[Column]) -> dict[str, Column]:
    """How long a case takes in days, and how it ends."""
    true = F.col("true")
    filed = F.when(true, ~draws.chance("report/cleared", CLEARED, *key)).otherwise(
        draws.chance("report/filed", FALSE_FILED, *key)
    )
    retracted = draws.chance("report/retracted", F.when(true, RETRACTED).otherwise(FALSE_RETRACTED), *key)

    def wait(name: str, level: float, spread: float, most: float) -> Column:
        return rounded(F.least(F.exp(level + spread * draws.normal(f"report/{name}", *key)), F.lit(most)), 4)

    return {
        "filed": filed,
        "retracted": filed & retracted,
        "to_open": wait("open", 0.7, 0.7, 12.0),
        "to_decide": wait("decide", 1.3, 0.6, 15.0),
        "to_retract": wait("retract", 2.9, 0.4, 60.0),
    }
