"""The seven sources as they are delivered, each in its sender's own spelling."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.card_files import DAILY_FROM, comma, iso
from finlake.simulation.deliver import Delivery, Slot, morning_after, slots
from finlake.simulation.dirt import SENT
from finlake.simulation.draws import Draws, lookup
from finlake.simulation.laundering.alerts import reports
from finlake.simulation.laundering.transfers import versions
from finlake.simulation.laundering.world import (
    ALL_COUNTRIES,
    BLOCK,
    COUNTRIES,
    INVENTED,
    Bank,
    account_name,
    bank_of,
    company,
    counterparty_name,
    country_number,
    dormant,
    expected_turnover,
    kind_of,
    owner,
    sector,
    segment,
)
from finlake.simulation.world import HORIZON_DAYS, START, ZONE, customer_name, day_text, person

_DAILY = [1] * (HORIZON_DAYS - DAILY_FROM)
_REGISTER = (
    Slot("2025-03", date(2000, 1, 1), date(2025, 3, 14), morning_after(date(2025, 3, 14))),
    Slot("2025-06", date(2025, 3, 15), date(2025, 6, 30), morning_after(date(2025, 6, 30))),
    Slot("2025-09", date(2025, 7, 1), date(2025, 9, 30), morning_after(date(2025, 9, 30))),
)
_CSV, _JSON = {"header": "true"}, {"ignoreNullFields": "false"}
DELIVERIES = {
    "customers": Delivery("customers", "customers", "csv", _REGISTER, _CSV, order=("updated_at", "customer_id")),
    "accounts": Delivery("accounts", "accounts", "json", _REGISTER, _JSON, order=("updated_at", "account_id")),
    "counterparties": Delivery("counterparties", "counterparties", "parquet", _REGISTER, order=("counterparty_id",)),
    "country_risk": Delivery("country_risk", "listings", "csv", _REGISTER, _CSV, order=("listed_at", "country")),
    "transfers": Delivery(
        "transfers",
        "transfers",
        "csv",
        slots(START, [14] * 14 + [11, *_DAILY]),
        {**_CSV, "sep": ";"},
        gzip=True,
        order=("sent_at", "transfer_id"),
    ),
    "account_days": Delivery(
        "account_days",
        "days",
        "parquet",
        slots(START, [30] * 6 + [27, *_DAILY]),
        order=("sent_at", "account_day_id"),
    ),
    "alert_reports": Delivery(
        "alert_reports",
        "reports",
        "json",
        slots(START, [30] * 6 + [27, *_DAILY]),
        _JSON,
        order=("updated_at", "report_id", "account_day_id"),
    ),
}


def frames(
    spark: SparkSession, bank: Bank, transfers: DataFrame, days: DataFrame
) -> dict[str, Callable[[], DataFrame]]:
    """Rows of each source, made when asked for; `_sent` decides the file."""
    return {
        "customers": lambda: customer_rows(spark, bank),
        "accounts": lambda: account_rows(spark, bank),
        "counterparties": lambda: counterparty_rows(spark, bank),
        "country_risk": lambda: listing_rows(spark),
        "transfers": lambda: transfer_rows(transfers, bank.draws),
        "account_days": lambda: day_rows(days),
        "alert_reports": lambda: report_rows(transfers, days, bank.draws),
    }


def customer_rows(spark: SparkSession, bank: Bank) -> DataFrame:
    """Everyone once; some are asked again later, which changes their rating, or turn out to be politically exposed."""
    d, c = bank.draws, F.col("c")
    frame, when = _twice(spark.range(bank.customers).select(F.col("id").alias("c")), d, "customer", c, 0.08)
    again = F.col("version") == 2
    rating = 1 + d.chance("rating", 0.25, c).cast("int") + (d.chance("rating/high", 0.05, c) | again).cast("int")
    exposed = d.chance("exposed", 0.006, c) & (~d.chance("exposed/later", 0.5, c) | again)
    name = F.when(company(c), F.concat_ws(" ", person(d, "customer/name", c), F.lit("GmbH")))
    return frame.select(
        customer_name(c).alias("customer_id"),
        F.coalesce(name, person(d, "customer/name", c)).alias("name"),
        F.when(company(c), "company").otherwise("private").alias("kind"),
        F.when(company(c), sector(c)).alias("sector"),
        segment(bank, c).alias("segment"),
        F.when(d.chance("customer/abroad", 0.06, c), lookup(1 + d.below("country", 17, c), COUNTRIES))
        .otherwise("DE")
        .alias("country"),
        day_text(-30 - d.below("customer/since", 5000, c)).alias("customer_since"),
        expected_turnover(bank, c).cast("decimal(18,2)").cast("string").alias("expected_turnover"),
        lookup(rating - 1, ["low", "medium", "high"]).alias("risk_rating"),
        F.when(exposed, "yes").otherwise("no").alias("politically_exposed"),
        iso(when).alias("updated_at"),
        when.alias(SENT),
    )


def account_rows(spark: SparkSession, bank: Bank) -> DataFrame:
    d, a = bank.draws, F.col("a")
    frame, when = _twice(spark.range(bank.accounts).select(F.col("id").alias("a")), d, "account", a, 0.02)
    return frame.select(
        account_name(a).alias("account_id"),
        customer_name(owner(bank, a)).alias("customer_id"),
        F.lit("EUR").alias("currency"),
        F.when(dormant(a), day_text(-900 - d.below("account/opened", 3000, a)))
        .otherwise(day_text(-20 - d.below("account/opened", 3000, a)))
        .alias("opened_on"),
        (F.col("version") == 2).alias("online_banking"),
        iso(when).alias("updated_at"),
        when.alias(SENT),
    )


def counterparty_rows(spark: SparkSession, bank: Bank) -> DataFrame:
    """Outside counterparties only: accounts of this bank are in `accounts`."""
    x, d = F.col("id"), bank.draws
    frame, when = _twice(spark.range(bank.blocks * BLOCK), d, "counterparty", x, 0.0)
    return frame.select(
        counterparty_name(x).alias("counterparty_id"),
        kind_of(x).alias("kind"),
        bank_of(bank, x).alias("bank"),
        lookup(country_number(x), ALL_COUNTRIES).alias("country"),
        iso(when).alias("updated_at"),
        when.alias(SENT),
    )


def listing_rows(spark: SparkSession) -> DataFrame:
    """The risk lists: a level for each country, and its changes; listed first, known to the bank three days later."""
    rows = [(country, 0, -400) for country in COUNTRIES]
    for country, (before, day, after) in INVENTED.items():
        rows.append((country, before, -400))
        if day is not None:
            rows.append((country, after, day))
    frame = spark.createDataFrame(rows, "country string, level int, day int")
    known = _morning(F.col("day"))
    return frame.select(
        "country",
        F.col("level").cast("string").alias("level"),
        iso(_morning(F.col("day") - 3)).alias("listed_at"),
        iso(known).alias("loaded_at"),
        known.alias(SENT),
    )


def transfer_rows(transfers: DataFrame, draws: Draws) -> DataFrame:
    rows = versions(transfers, draws)
    codes = F.create_map(*[F.lit(x) for pair in CHANNELS.items() for x in pair])
    return rows.select(
        "transfer_id",
        F.date_format(F.from_utc_timestamp("booked_at", ZONE), "dd.MM.yyyy HH:mm:ss").alias("booked_at"),
        "account_id",
        customer_name(F.col("customer")).alias("customer_id"),
        "counterparty_id",
        F.when(F.col("direction") == "out", "D").otherwise("C").alias("direction"),
        comma(F.col("amount")).alias("amount"),
        F.lit("EUR").alias("currency"),
        codes[F.col("channel")].alias("channel"),
        "purpose",
        "counterparty_country",
        "country_risk",
        "branch_id",
        *[F.replace(F.col(n).cast("string"), F.lit("."), F.lit(",")).alias(n) for n in ("lat", "lon")],
        "status",
        iso(F.col("sent_at")).alias("sent_at"),
        F.col("sent_at").alias(SENT),
    )


CHANNELS = {
    "cash_deposit": "CDP",
    "cash_withdrawal": "CWD",
    "sepa": "SCT",
    "swift": "SWF",
    "card_load": "CLD",
}


def day_rows(days: DataFrame) -> DataFrame:
    """A day is in the file of that day, or of the next if it is sent late."""
    money = ("turnover_in", "turnover_out", "closing_balance", "largest_amount", "expected_turnover")
    return days.select(
        "account_day_id",
        account_name(F.col("account")).alias("account_id"),
        customer_name(F.col("customer")).alias("customer_id"),
        F.col("day").cast("string").alias("day"),
        "bookings",
        *[F.col(name).cast("decimal(18,2)").cast("string").alias(name) for name in money],
        "counterparty_id",
        "counterparty_country",
        iso(F.col("closed_at")).alias("closed_at"),
        iso(F.col("sent_at")).alias("sent_at"),
        F.timestamp_seconds(F.unix_seconds("sent_at") - 3600).alias(SENT),
    )


def report_rows(transfers: DataFrame, days: DataFrame, draws: Draws) -> DataFrame:
    return reports(transfers, days, draws).select(
        "report_id",
        "account_day_id",
        "account_id",
        iso(F.col("opened_at")).alias("opened_at"),
        "verdict",
        iso(F.col("updated_at")).alias("updated_at"),
        F.col("updated_at").alias(SENT),
    )


def _twice(frame: DataFrame, d: Draws, stream: str, key: Column, share: float) -> tuple[DataFrame, Column]:
    """Everyone's first state before the simulation, for a share a second later; with the moment of each."""
    again = d.chance(f"{stream}/again", share, key)
    frame = frame.withColumn(
        "version", F.explode(F.when(again, F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(1))))
    )
    first, second = -1 - d.below(f"{stream}/told", 600, key), 10 + d.below(f"{stream}/changed", 180, key)
    return frame, _morning(F.when(F.col("version") == 2, second).otherwise(first))


def _morning(day: Column) -> Column:
    """Ten in the morning UTC of a day of the simulation."""
    return F.to_timestamp(F.concat(day_text(day), F.lit(" 10:00:00")), "yyyy-MM-dd HH:mm:ss")
