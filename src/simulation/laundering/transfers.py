"""Bookings: what a plan says, and the same finishing touches for honest and laundering ones."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.draws import Draws, choose, lookup, rounded
from finlake.simulation.laundering.world import (
    ALL_COUNTRIES,
    Bank,
    account_name,
    branch_place,
    counterparty_name,
    country_number,
    owner,
    risk_level,
)
from finlake.simulation.world import HORIZON_DAYS, local_to_utc

HOUR, DAY = 3600, 86_400
CASH_IN, CASH_OUT, SEPA, SWIFT, CARD_LOAD = "cash_deposit", "cash_withdrawal", "sepa", "swift", "card_load"


def plan(
    frame: DataFrame,
    stream: str,
    *,
    account: Column,
    out: Column | bool,
    t: Column,
    amount: Column,
    ids: tuple[Column, Column],
    channel: Column | str = SEPA,
    purpose: Column | str = "OTHR",
    partner: Column | None = None,
    internal: Column | bool = False,
    branch: Column | None = None,
    behaviour: str | None = None,
) -> DataFrame:
    """Bookings as planned: one row for each, before the other side's of an internal transfer is added.

    Args:
        stream: keeps the ids of one kind of plan apart from the others'.
        account: whose booking; `partner` is another account if `internal`, else a counterparty outside, null for cash.
        t: seconds after the start of the simulation on Berlin's clock.
        ids: incident (or account and period) and step, unique within the stream.
        behaviour: the truth, null for honest bookings.
    """

    def column(value: Column | bool | str | None, kind: str) -> Column:
        return (value if isinstance(value, Column) else F.lit(value)).cast(kind)

    return frame.select(
        account.cast("bigint").alias("account"),
        column(partner, "bigint").alias("partner"),
        column(internal, "boolean").alias("internal"),
        column(out, "boolean").alias("out"),
        F.floor(t).cast("bigint").alias("t"),
        rounded(F.greatest(amount, F.lit(1.0))).cast("double").alias("amount"),
        column(channel, "string").alias("channel"),
        column(purpose, "string").alias("purpose"),
        column(branch, "bigint").alias("branch"),
        F.lit(behaviour).cast("string").alias("behaviour"),
        F.crc32(F.lit(stream)).alias("stream"),
        ids[0].cast("bigint").alias("i"),
        ids[1].cast("bigint").alias("k"),
    )


def steps(frame: DataFrame, count: Column, name: str = "k") -> DataFrame:
    """One row for each step from 1 to `n`; none where the count is 0."""
    frame = frame.withColumn("n", count.cast("int")).where("n > 0")
    return frame.withColumn(name, F.explode(F.sequence(F.lit(1), F.col("n"))))


def union(frames: list[DataFrame]) -> DataFrame:
    return reduce(DataFrame.unionByName, frames)


def office_hours(draws: Draws, stream: str, t: Column, *ids: Column) -> Column:
    """The same day between nine and five; a Sunday's is moved to Monday."""
    day = F.floor(t / DAY)
    sunday = (day + 5) % 7 == 6
    return (day + sunday.cast("int")) * DAY + HOUR * (9 + 8 * draws.uniform(stream, *ids))


def finish(bank: Bank, plans: DataFrame) -> DataFrame:
    """Both sides of internal transfers, names, countries, and the moment the booking is reported.

    Columns: those of the source `transfers` as values, `sent_at`, and `behaviour`, `incident` for the truth.
    """
    d = bank.draws
    both = F.when(F.col("internal"), F.array(F.lit(0), F.lit(1))).otherwise(F.array(F.lit(0)))
    frame = plans.where((F.col("t") >= 0) & (F.col("t") < HORIZON_DAYS * DAY)).withColumn("leg", F.explode(both))
    other = F.col("leg") == 1
    frame = frame.withColumns(
        {
            "account": F.when(other, F.col("partner")).otherwise(F.col("account")),
            "partner": F.when(other, F.col("account")).otherwise(F.col("partner")),
            "out": F.col("out") != other,
        }
    )
    ids = [F.col(name) for name in ("stream", "i", "k", "leg")]
    cash = F.col("partner").isNull()
    abroad = F.when(cash | F.col("internal"), 0).otherwise(country_number(F.col("partner")))
    utc = local_to_utc(F.col("t"))
    lat, lon = branch_place(bank, F.col("branch"))
    place = {"lat": lat, "lon": lon}
    return frame.withColumn("abroad", abroad).select(
        F.concat(F.lit("f_"), F.lpad(F.lower(F.hex(d.hash("transfer", *ids))), 16, "0")).alias("transfer_id"),
        utc.alias("booked_at"),
        account_name(F.col("account")).alias("account_id"),
        F.col("account"),
        owner(bank, F.col("account")).alias("customer"),
        F.when(
            ~cash,
            F.when(F.col("internal"), account_name(F.col("partner"))).otherwise(counterparty_name(F.col("partner"))),
        ).alias("counterparty_id"),
        F.when(F.col("out"), "out").otherwise("in").alias("direction"),
        F.col("amount"),
        F.when((F.col("abroad") > 0) & (F.col("channel") == SEPA) & _outside_sepa(), SWIFT)
        .otherwise(F.col("channel"))
        .alias("channel"),
        F.when(~d.chance("purpose/missing", _unsaid(), *ids), F.col("purpose")).alias("purpose"),
        F.when(~cash, lookup(F.col("abroad"), ALL_COUNTRIES)).alias("counterparty_country"),
        F.when(~cash, risk_level(F.col("abroad"), F.floor(F.col("t") / DAY))).cast("int").alias("country_risk"),
        F.when(
            F.col("branch").isNotNull(), F.concat(F.lit("b_"), F.lpad(F.col("branch").cast("string"), 5, "0"))
        ).alias("branch_id"),
        *[F.when(F.col("branch").isNotNull(), value).alias(name) for name, value in place.items()],
        _sent(d, utc, F.col("channel"), ids).alias("sent_at"),
        "behaviour",
        F.when(F.col("behaviour").isNotNull(), F.col("i")).alias("incident"),
    )


def _outside_sepa() -> Column:
    return F.col("abroad") >= ALL_COUNTRIES.index("US")


def _unsaid() -> Column:
    """Chance that a booking comes without a purpose: honest people leave it out too, mostly abroad."""
    return F.when(F.col("channel").isin(CASH_IN, CASH_OUT), 0.3).when(F.col("abroad") > 0, 0.14).otherwise(
        0.06
    ) + F.when(F.col("behaviour").isNotNull(), 0.06).otherwise(0.0)


def _sent(d: Draws, utc: Column, channel: Column, ids: list[Column]) -> Column:
    """Minutes after the booking, hours for SWIFT; one in a hundred a day or more late."""
    hours = F.when(channel == SWIFT, 3.0).otherwise(0.15) * F.exp(0.6 * d.normal("sent", *ids))
    late = d.uniform("sent/late", *ids)
    extra = F.when(late < 0.01, 24 + 72 * d.uniform("sent/days", *ids)).otherwise(0.0)
    return F.timestamp_seconds(F.unix_seconds(utc) + 30 + F.floor((hours + extra) * HOUR).cast("bigint"))


def versions(transfers: DataFrame, draws: Draws) -> DataFrame:
    """Each booking as sent, and again where it is corrected or reversed one to six days later.

    Adds `status` and `version`; `sent_at` is that of the version.
    """
    key = F.xxhash64("transfer_id")
    fate = draws.uniform("corrected", key)
    wrong = F.col("channel").isin(CASH_IN, CASH_OUT, SWIFT) & (fate < 0.008)
    reversed_ = ~wrong & (fate >= 0.008) & (fate < 0.0125) & ~F.col("channel").isin(CASH_IN, CASH_OUT)
    again = F.array(F.lit(1), F.lit(2))
    frame = transfers.withColumn("version", F.explode(F.when(wrong | reversed_, again).otherwise(F.array(F.lit(1)))))
    second = F.col("version") == 2
    first_amount = rounded(F.col("amount") * choose(draws.uniform("corrected/by", key), [0.1, 0.9, 1.1], [1, 3, 3]))
    wait = F.floor(DAY * (1 + 5 * draws.uniform("corrected/wait", key))).cast("bigint")
    return frame.select(
        *[name for name in transfers.columns if name not in ("amount", "sent_at")],
        F.when(wrong & ~second, F.greatest(first_amount, F.lit(1.0))).otherwise(F.col("amount")).alias("amount"),
        F.when(reversed_ & second, "reversed").otherwise("booked").alias("status"),
        F.when(second, F.timestamp_seconds(F.unix_seconds("sent_at") + wait))
        .otherwise(F.col("sent_at"))
        .alias("sent_at"),
        "version",
    )
