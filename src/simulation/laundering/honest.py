"""What honest customers do: everyday payments here, what comes every month or seldom in `monthly`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.draws import lookup, pinned
from finlake.simulation.laundering import monthly
from finlake.simulation.laundering.transfers import (
    CARD_LOAD,
    CASH_IN,
    CASH_OUT,
    DAY,
    HOUR,
    SEPA,
    office_hours,
    plan,
    steps,
    union,
)
from finlake.simulation.laundering.world import COMPANY_EVERY, Bank
from finlake.simulation.world import HORIZON_DAYS


def honest(spark: SparkSession, bank: Bank, accounts: DataFrame) -> DataFrame:
    """Plans of every honest booking."""
    days = spark.range(HORIZON_DAYS).select(F.col("id").alias("day"))
    months = spark.range(HORIZON_DAYS // monthly.MONTH + 1).select(F.col("id").alias("month"))
    daily = _everyday(bank, days.crossJoin(F.broadcast(accounts)))
    each = months.crossJoin(F.broadcast(accounts))
    live = each.where(~F.col("dormant"))
    private, firms = live.where("not company and not second"), live.where("company")
    return union(
        [
            _private(bank, daily.where("not company")),
            _firm(bank, daily.where("company")),
            monthly.paid(bank, private),
            monthly.rent(bank, private),
            monthly.saved(bank, live),
            monthly.payroll(bank, firms),
            monthly.windfall(bank, each),
            monthly.treasurer(bank, live),
            monthly.escrow(bank, firms),
            monthly.lent_and_repaid(bank, live),
        ]
    )


def _everyday(bank: Bank, frame: DataFrame) -> DataFrame:
    """A Poisson number of bookings a day: firms rest at weekends, everybody has a season."""
    d, a, day = bank.draws, F.col("a"), F.col("day")
    weekday = (day + 5) % 7
    week = F.when(F.col("company"), lookup(weekday, [1.25, 1.2, 1.2, 1.2, 1.25, 0.7, 0.05])).otherwise(
        lookup(weekday, [0.95, 0.9, 0.95, 1.0, 1.2, 1.3, 0.7])
    )
    mean = F.col("pace") * week * (1 + 0.1 * F.sin(day / 50.0)) * bank.everyday
    frame = frame.withColumn("mean", pinned(F.least(mean, F.lit(8.0))))
    frame = steps(frame.withColumn("drawn", pinned(d.poisson("everyday", F.col("mean"), a, day))), F.col("drawn"))
    return frame.withColumns(
        {
            "id": a * HORIZON_DAYS + day,
            "u": pinned(d.uniform("everyday/kind", a, day, F.col("k"))),
            "z": pinned(d.normal("everyday/amount", a, day, F.col("k"))),
        }
    )


def _private(bank: Bank, frame: DataFrame) -> DataFrame:
    d, ids, u, z = bank.draws, (F.col("id"), F.col("k")), F.col("u"), F.col("z")
    # Shopping, cash from the machine, friends at this bank, money from people, small deposits, card loads, abroad.
    kind = sum(((u >= edge).cast("int") for edge in (0.58, 0.70, 0.76, 0.82, 0.87, 0.93)), F.lit(0))
    frame = frame.withColumn("kind", kind)
    kind = F.col("kind")
    favourite = d.below("favourite", 6, *ids)
    block, which = d.below("shop/block", bank.blocks, F.col("a"), favourite), d.below("shop", 8, F.col("a"), favourite)
    shop = bank.outside("merchant", block, which)
    person, family = bank.some("person", "person", *ids), bank.some("foreign_person", "family", F.col("c"))
    friend = bank.near("friend", F.col("a"), *ids)
    usual = lookup(kind, [3.7, 4.5, 4.1, 4.6, 5.6, 4.2, 4.9]) + lookup(kind, [0.8, 0.7, 0.9, 1.0, 1.0, 0.6, 0.8]) * z
    rich = F.greatest(F.log(F.col("income") / 2300), F.lit(-0.5)) * 0.7
    amount = F.exp(usual + rich)
    whole = F.when(kind.isin(1, 4), F.floor(amount / 10 + 1) * 10).otherwise(amount)
    rounder = F.when(kind.isin(2, 3, 5) & d.chance("round", 0.4, *ids), F.floor(amount / 50 + 1) * 50).otherwise(whole)
    t = F.col("day") * DAY + HOUR * (7 + 15 * d.uniform("private/hour", *ids))
    return plan(
        frame,
        "private",
        account=F.col("a"),
        partner=F.when(kind == 0, shop).when(kind == 2, friend).when(kind == 3, person).when(kind == 6, family),
        internal=kind == 2,
        out=~kind.isin(3, 4),
        t=F.when(kind == 4, office_hours(d, "private/office", t, *ids)).otherwise(t),
        amount=rounder,
        channel=lookup(kind, [SEPA, CASH_OUT, SEPA, SEPA, CASH_IN, CARD_LOAD, SEPA]),
        purpose=lookup(kind, ["GDDS", "CASH", "OTHR", "OTHR", "CASH", "OTHR", "FAMI"]),
        branch=F.when(kind.isin(1, 4), _branch(bank, ids)),
        ids=ids,
    )


def _branch(bank: Bank, ids: tuple[Column, ...]) -> Column:
    """Mostly one's own, sometimes another."""
    d = bank.draws
    return F.when(d.chance("branch/own", 0.85, *ids), F.col("branch")).otherwise(d.below("branch", bank.branches, *ids))


def _firm(bank: Bank, frame: DataFrame) -> DataFrame:
    """Shops bring their takings, often thousands at once; others invoice and pay, some abroad or inside the bank."""
    d, ids, u, z = bank.draws, (F.col("id"), F.col("k")), F.col("u"), F.col("z")
    abroad, inside = d.chance("firm/abroad", F.col("foreign"), *ids), d.chance("firm/inside", 0.1, *ids)
    regular = d.below("firm/regular", 5, *ids)
    block, which = (
        d.below("firm/block", bank.blocks, F.col("a"), regular),
        d.below("firm/which", 3, F.col("a"), regular),
    )
    home = bank.outside("company", block, which)
    foreign = bank.outside("foreign_company", d.below("firm/foreign", bank.blocks, F.col("a"), regular % 3))
    cash = u < F.col("cash")
    turnover = F.log(bank.usual_invoice(F.col("income")))
    amount = F.exp(turnover + F.when(cash, 0.1 + 0.35 * z).otherwise(0.75 * z - 0.28))
    shop = F.when(cash, F.floor(amount / 5 + 1) * 5.0).otherwise(amount)
    other = bank.near("firm/other", F.col("a"), *ids, stride=COMPANY_EVERY)
    t = F.col("day") * DAY
    return plan(
        frame,
        "firm",
        account=F.col("a"),
        partner=F.when(~cash, F.when(inside, other).when(abroad, foreign).otherwise(home)),
        internal=~cash & inside,
        out=~cash & (u > (1 + F.col("cash")) / 2),
        t=office_hours(d, "firm/hour", t, *ids),
        amount=shop,
        channel=F.when(cash, CASH_IN).otherwise(SEPA),
        purpose=F.when(cash, "CASH").otherwise("SUPP"),
        branch=F.when(cash, _branch(bank, ids)),
        ids=ids,
    )
