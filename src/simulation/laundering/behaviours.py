"""How money is laundered on one account. Flows through several accounts are in `flows`.

Accounts are ordinary ones with honest bookings of their own, and four in ten incidents are careful: they keep away
from the textbook rule.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.draws import lookup
from finlake.simulation.laundering.flows import FLOWS
from finlake.simulation.laundering.incidents import any_account, incidents, size
from finlake.simulation.laundering.transfers import (
    CARD_LOAD,
    CASH_IN,
    CASH_OUT,
    DAY,
    HOUR,
    SEPA,
    SWIFT,
    office_hours,
    plan,
    steps,
    union,
)
from finlake.simulation.laundering.world import DORMANT, DORMANT_EVERY, Bank, expected_turnover, owner


def laundering(spark: SparkSession, bank: Bank) -> DataFrame:
    """Plans of every behaviour."""
    alone = (_structuring, _dormant, _round_amounts, _above_expected)
    return union([make(spark, bank) for make in (*alone, *FLOWS)])


def _ids() -> tuple[Column, Column]:
    return F.col("i"), F.col("k")


def _structuring(spark: SparkSession, bank: Bank) -> DataFrame:
    """Cash in parts that each stay below the threshold, over days and branches; then it leaves at once or in two."""
    d, ids, i, k = bank.draws, _ids(), F.col("i"), F.col("k")
    frame = incidents(spark, bank, "structuring").withColumn("parts", 3 + d.poisson("structuring/n", 3, i, most=8))
    frame = steps(frame, F.col("parts") + 1 + d.chance("structuring/two", 0.5, i).cast("int"))
    cash, careful = k <= F.col("parts"), F.col("careful") == 1
    days = 2 + 6 * d.uniform("structuring/days", i)
    when = F.when(cash, (k - 1) / F.col("parts") * days).otherwise(days + 1 + 2 * d.uniform("structuring/wait", *ids))
    below = d.uniform("structuring/below", *ids)
    just = F.floor((9_950 - 1_300 * below * below) / 10) * 10
    loose = F.floor((2_400 + 5_600 * below) / 10) * 10
    part = F.when(careful, loose).otherwise(just)
    sum_out = F.col("parts") * F.when(careful, 5_000).otherwise(9_300) * 0.92
    home = d.below("structuring/home", bank.branches, i)
    branch = F.when(d.chance("structuring/elsewhere", 0.6, *ids), d.below("structuring/branch", bank.branches, *ids))
    return plan(
        frame,
        "structuring",
        account=any_account(bank, "structuring"),
        partner=F.when(~cash, bank.shell("structuring/to", i)),
        out=~cash,
        t=office_hours(d, "structuring/hour", F.col("start") + DAY * when, *ids),
        amount=F.when(cash, part).otherwise(sum_out / (F.col("n") - F.col("parts"))),
        channel=F.when(cash, CASH_IN).otherwise(SWIFT),
        purpose=F.when(cash, "CASH").otherwise("SUPP"),
        branch=F.when(cash, F.coalesce(branch, home)),
        behaviour="structuring",
        ids=ids,
    )


def _dormant(spark: SparkSession, bank: Bank) -> DataFrame:
    """An account that slept for years takes money in and lets it go within days, part of it as cash."""
    d, ids, i, k = bank.draws, _ids(), F.col("i"), F.col("k")
    frame = steps(incidents(spark, bank, "dormant"), 2 * (2 + d.poisson("dormant/n", 1.2, i, most=4)))
    out = k % 2 == 0
    cashed = out & d.chance("dormant/cash", 0.4, *ids)
    pair = F.ceil(k / 2)
    sleepers = (bank.accounts - DORMANT - 1) // DORMANT_EVERY + 1
    wait = F.when(out, 0.15 + (1 + 2 * F.col("careful")) * d.uniform("dormant/wait", *ids)).otherwise(0)
    amount = size(bank, "dormant", 7.9, 0.6) * F.exp(0.4 * d.normal("dormant/amount", i, pair))
    return plan(
        frame,
        "dormant",
        account=d.below("dormant/which", sleepers, i) * DORMANT_EVERY + DORMANT,
        partner=F.when(
            ~cashed, F.when(out, bank.some("foreign_person", "dormant/to", *ids)).otherwise(_payer(bank, "dormant"))
        ),
        out=out,
        t=F.col("start") + DAY * ((pair - 1) * 1.7 + wait),
        amount=amount * F.when(out, 0.9 + 0.08 * d.uniform("dormant/keep", *ids)).otherwise(1.0),
        channel=F.when(cashed, CASH_OUT).otherwise(SEPA),
        purpose=F.when(cashed, "CASH").otherwise("OTHR"),
        branch=F.when(cashed, d.below("dormant/branch", bank.branches, *ids)),
        behaviour="dormant",
        ids=ids,
    )


def _payer(bank: Bank, behaviour: str) -> Column:
    """Somebody outside, seldom the same twice."""
    return bank.some("person", f"{behaviour}/from", *_ids())


def _round_amounts(spark: SparkSession, bank: Bank) -> DataFrame:
    """Whole thousands come and go between people who have no business together, partly over loaded cards."""
    d, ids, i, k = bank.draws, _ids(), F.col("i"), F.col("k")
    frame = steps(incidents(spark, bank, "round_amounts"), 5 + d.poisson("round/n", 3, i, most=8))
    out = k % 2 == 0
    card = out & d.chance("round/card", 0.35, *ids)
    unit = F.when(F.col("careful") == 1, 100).otherwise(500)
    amount = (F.floor(F.exp(7.4 + 0.6 * d.normal("round/amount", *ids)) / unit) + 1) * unit
    return plan(
        frame,
        "round_amounts",
        account=any_account(bank, "round_amounts"),
        partner=F.when(out, bank.some("person", "round/to", *ids)).otherwise(_payer(bank, "round_amounts")),
        out=out,
        t=F.col("start") + DAY * 10 * (k - 1 + d.uniform("round/t", *ids)) / F.col("n"),
        amount=amount,
        channel=F.when(card, CARD_LOAD).otherwise(SEPA),
        behaviour="round_amounts",
        ids=ids,
    )


def _above_expected(spark: SparkSession, bank: Bank) -> DataFrame:
    """A private account takes in far more in a fortnight than its owner said for a month, and spends it."""
    d, ids, i, k = bank.draws, _ids(), F.col("i"), F.col("k")
    a = any_account(bank, "above_expected")
    frame = incidents(spark, bank, "above_expected").withColumn("a", a)
    expected = expected_turnover(bank, owner(bank, F.col("a")))
    total = expected * (1.6 + 1.2 * (1 - F.col("careful")) + 1.2 * d.uniform("above/times", i))
    frame = steps(frame.withColumn("total", total), 7 + d.poisson("above/n", 4, i, most=10))
    out = k % 3 == 0
    parts = F.col("n") - F.floor(F.col("n") / 3)
    kind = d.below("above/kind", 3, *ids)
    partner = F.when(kind == 0, bank.some("merchant", "above/shop", *ids)).otherwise(
        bank.some("company", "above/seller", *ids)
    )
    amount = F.col("total") / parts * F.exp(0.35 * d.normal("above/amount", *ids))
    return plan(
        frame,
        "above_expected",
        account=F.col("a"),
        partner=F.when(out, partner).otherwise(_payer(bank, "above_expected")),
        out=out,
        t=F.col("start") + DAY * 13 * (k - 1 + d.uniform("above/t", *ids)) / F.col("n") + HOUR,
        amount=amount * F.when(out, 1.5).otherwise(1.0),
        purpose=F.when(out, lookup(kind, ["GDDS", "OTHR", "SUPP"])).otherwise("OTHR"),
        behaviour="above_expected",
        ids=ids,
    )
