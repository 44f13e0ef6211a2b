"""What honest customers do about once a month, and rare occasions that look like laundering."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.laundering.transfers import CASH_IN, CASH_OUT, DAY, HOUR, SEPA, SWIFT, office_hours, plan, steps
from finlake.simulation.laundering.world import COMPANY_EVERY, Bank

MONTH = 30


def _monthly(frame: DataFrame, bank: Bank, stream: str, day: Column | int, spread: float = 2.0) -> DataFrame:
    """`id` and `t` of what happens once a month."""
    a, month = F.col("a"), F.col("month")
    own = day + spread * bank.draws.uniform(f"{stream}/day", a, month)
    return frame.withColumns({"id": a * 64 + month, "t": F.floor(month * MONTH + own) * DAY + HOUR * 6})


def paid(bank: Bank, frame: DataFrame) -> DataFrame:
    """Salary or pension; students live on what comes from home, for a third of them from abroad."""
    d, a = bank.draws, F.col("a")
    student = F.col("segment") == "student"
    abroad = student & d.chance("student/abroad", 0.35, a)
    home = F.when(student, bank.some("person", "parents", a)).otherwise(bank.some("employer", "employer", a))
    family = bank.some("foreign_person", "family", F.col("c"))
    frame = _monthly(frame, bank, "paid", 12 + d.below("paid/on", 5, a) * 3, 1.5)
    bonus = F.when((F.col("month") == 3) & d.chance("bonus", 0.3, a), 1.8).otherwise(1.0)
    return plan(
        frame,
        "paid",
        account=a,
        partner=F.when(abroad, family).otherwise(home),
        out=False,
        t=F.col("t"),
        amount=F.col("income") * bonus * F.exp(0.03 * d.normal("paid", F.col("id"))),
        channel=F.when(abroad, SWIFT).otherwise(SEPA),
        purpose=F.when(student, "FAMI").when(F.col("segment") == "retired", "PENS").otherwise("SALA"),
        ids=(F.col("id"), F.lit(0)),
    )


def rent(bank: Bank, frame: DataFrame) -> DataFrame:
    share = 0.22 + 0.16 * bank.draws.uniform("rent", F.col("a"))
    return plan(
        _monthly(frame, bank, "rent", 17),
        "rent",
        account=F.col("a"),
        partner=bank.some("landlord", "landlord", F.col("a")),
        out=True,
        t=F.col("t"),
        amount=F.floor(F.col("income") * share / 10 + 1) * 10,
        purpose="RENT",
        ids=(F.col("month") + F.col("a") * 64, F.lit(0)),
    )


def saved(bank: Bank, frame: DataFrame) -> DataFrame:
    """Standing orders of round sums to an account elsewhere."""
    d, a = bank.draws, F.col("a")
    frame = _monthly(frame.where(d.chance("saves", 0.35, a)), bank, "saved", 18)
    return plan(
        frame,
        "saved",
        account=a,
        partner=bank.some("person", "saving", a),
        out=True,
        t=F.col("t"),
        amount=F.floor(F.col("income") * 0.12 / 50 + 1) * 50,
        purpose="SAVG",
        ids=(F.col("id"), F.lit(0)),
    )


def payroll(bank: Bank, frame: DataFrame) -> DataFrame:
    """A few salaries and the taxes, on two days of the month."""
    d, a, ids = bank.draws, F.col("a"), (F.col("id"), F.col("k"))
    frame = steps(_monthly(frame, bank, "payroll", 11), 2 + d.poisson("staff", 1.5, a, most=6))
    tax = F.col("k") == 1
    return plan(
        frame,
        "payroll",
        account=a,
        partner=F.when(tax, bank.some("employer", "tax", a)).otherwise(bank.some("person", "staff", a, F.col("k"))),
        out=True,
        t=F.col("t") + 600 * F.col("k"),
        amount=F.col("income") * F.when(tax, 0.11).otherwise(0.07 + 0.05 * d.uniform("wage", a, F.col("k"))),
        purpose=F.when(tax, "TAXS").otherwise("SALA"),
        ids=ids,
    )


def windfall(bank: Bank, frame: DataFrame) -> DataFrame:
    """A house, a car, an inheritance: rare and large, more often among the wealthy, now and then in cash.

    Some of it wakes an account that was dormant for years.
    """
    d, a = bank.draws, F.col("a")
    often = F.when(F.col("dormant"), 0.03).when(F.col("segment") == "wealthy", 0.10).otherwise(0.014)
    frame = _monthly(frame, bank, "windfall", 0, 29.0).where(d.chance("windfall", often, a, F.col("month")))
    frame = frame.withColumns(
        {"cashed": d.chance("windfall/cash", 0.22, F.col("id")), "out": d.chance("windfall/out", 0.55, F.col("id"))}
    )
    size = F.when(F.col("cashed"), 8.3).otherwise(9.6) + F.when(F.col("segment") == "wealthy", 0.8).otherwise(0.0)
    amount = F.exp(size + 0.7 * d.normal("windfall/amount", F.col("id")))
    kind = F.when(d.chance("windfall/abroad", 0.15, F.col("id")), bank.some("foreign_person", "estate", F.col("id")))
    return plan(
        frame,
        "windfall",
        account=a,
        partner=F.when(~F.col("cashed"), F.coalesce(kind, bank.some("person", "seller", F.col("id")))),
        out=F.col("out"),
        t=office_hours(d, "windfall/hour", F.col("t"), F.col("id")),
        amount=F.when(d.chance("windfall/round", 0.5, F.col("id")), F.floor(amount / 500 + 1) * 500).otherwise(amount),
        channel=F.when(F.col("cashed"), F.when(F.col("out"), CASH_OUT).otherwise(CASH_IN)).otherwise(SEPA),
        purpose=F.when(F.col("cashed"), "CASH").otherwise("OTHR"),
        branch=F.when(F.col("cashed"), F.col("branch")),
        ids=(F.col("id"), F.lit(0)),
    )


def treasurer(bank: Bank, frame: DataFrame) -> DataFrame:
    """Somebody collects for a trip or a present and pays: an honest fan-in followed by one payment."""
    d, a, ids = bank.draws, F.col("a"), (F.col("id"), F.col("k"))
    frame = _monthly(frame, bank, "treasurer", 0, 26.0).where(d.chance("treasurer", 0.012, a, F.col("month")))
    frame = frame.withColumn("each", F.floor(F.exp(4.3 + 0.9 * d.normal("treasurer/each", F.col("id"))) / 5 + 1) * 5)
    frame = steps(frame, 6 + d.poisson("treasurer/n", 3, F.col("id"), most=8))
    last = F.col("k") == F.col("n")
    wait = F.when(last, 3.2).otherwise(3 * d.uniform("treasurer/wait", *ids))
    return plan(
        frame,
        "treasurer",
        account=a,
        partner=F.when(last, bank.some("merchant", "trip", F.col("id"))).otherwise(bank.some("person", "pays", *ids)),
        out=last,
        t=F.col("t") + DAY * wait + HOUR * 2,
        amount=F.when(last, F.col("each") * (F.col("n") - 1) * 0.97).otherwise(F.col("each")),
        ids=ids,
    )


def escrow(bank: Bank, frame: DataFrame) -> DataFrame:
    """Notaries, agents and traders pass large sums on within days."""
    d, a, ids = bank.draws, F.col("a"), (F.col("id"), F.col("k"))
    frame = _monthly(frame, bank, "escrow", 0, 26.0).where(d.chance("escrow", 0.09, a, F.col("month")))
    frame = frame.withColumn("sum", F.col("income") * F.exp(0.6 * d.normal("escrow/sum", F.col("id")) - 1.2))
    frame = steps(frame, F.lit(2))
    passed = F.col("k") == 2
    keep = F.when(passed, 0.94 + 0.05 * d.uniform("escrow/fee", F.col("id"))).otherwise(1.0)
    wait = F.when(passed, HOUR * (4 + 80 * d.uniform("escrow/wait", F.col("id")))).otherwise(0)
    return plan(
        frame,
        "escrow",
        account=a,
        partner=bank.some("company", "escrow", *ids),
        out=passed,
        t=office_hours(d, "escrow/hour", F.col("t"), F.col("id")) + wait,
        amount=F.col("sum") * keep,
        purpose="SUPP",
        ids=ids,
    )


def lent_and_repaid(bank: Bank, frame: DataFrame) -> DataFrame:
    """Friends and sister companies lend and repay: the money comes back within days, without anything behind it."""
    d, a, ids = bank.draws, F.col("a"), (F.col("id"), F.col("k"))
    frame = _monthly(frame, bank, "lent", 0, 24.0).where(d.chance("lent", 0.012, a, F.col("month")))
    frame = steps(frame.withColumn("sum", F.col("income") * (0.1 + 0.9 * d.uniform("lent/sum", F.col("id")))), F.lit(2))
    back = F.col("k") == 2
    return plan(
        frame,
        "lent",
        account=a,
        partner=bank.near("lent/to", a, F.col("id"), stride=COMPANY_EVERY),
        internal=True,
        out=~back,
        t=F.col("t") + F.when(back, DAY * (1 + 5 * d.uniform("lent/wait", F.col("id")))).otherwise(0),
        amount=F.floor(F.col("sum") / 50 + 1) * 50,
        purpose="LOAN",
        ids=ids,
    )
