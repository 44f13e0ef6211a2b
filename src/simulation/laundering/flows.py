"""How money is laundered through several accounts, or by trade."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.draws import rounded
from finlake.simulation.laundering.incidents import any_account, incidents, size
from finlake.simulation.laundering.transfers import DAY, HOUR, SWIFT, office_hours, plan, steps
from finlake.simulation.laundering.world import COMPANY_EVERY, Bank, income
from finlake.simulation.world import HORIZON_DAYS

SHORTEST, LONGEST = 3, 5  # accounts in a cycle
CYCLE_DAYS, PASS_HOURS = 9, 48


def _member(bank: Bank, behaviour: str, position: Column) -> Column:
    """Account at a position of an incident's ring or chain; positions below 7 are different accounts."""
    d, i = bank.draws, F.col("i")
    stride = 1 + d.below(f"{behaviour}/stride", bank.accounts // 8, i)
    return (any_account(bank, behaviour) + position * stride) % bank.accounts


def _fan(spark: SparkSession, bank: Bank) -> DataFrame:
    """A mule collects from many within three days and pays a few within the next two."""
    d, i, k = bank.draws, F.col("i"), F.col("k")
    frame = incidents(spark, bank, "fan").withColumn("sources", 5 + d.poisson("fan/in", 3, i, most=8))
    frame = frame.withColumn("sinks", 2 + d.poisson("fan/out", 1.2, i, most=4))
    frame = steps(frame, F.col("sources") + F.col("sinks"))
    out = k > F.col("sources")
    inside = ~out & d.chance("fan/inside", 0.4, i, k)
    slow = 1 + F.col("careful")
    wait = F.when(out, 3.1 * slow + 1.9 * d.uniform("fan/wait", i, k)).otherwise(
        3 * slow * d.uniform("fan/early", i, k)
    )
    each = size(bank, "fan", 6.8, 0.5)
    amount = F.when(out, 0.92 * F.col("sources") / F.col("sinks")).otherwise(1.0) * each
    abroad = d.chance("fan/abroad", 0.4, i, k)
    outside = F.when(
        out,
        F.when(abroad, bank.some("foreign_person", "fan/to", i, k)).otherwise(bank.some("person", "fan/to", i, k)),
    ).otherwise(bank.some("person", "fan/from", i, k))
    return plan(
        frame,
        "fan",
        account=any_account(bank, "fan"),
        partner=F.when(inside, _member(bank, "fan", k % 6 + 1)).otherwise(outside),
        internal=inside,
        out=out,
        t=F.col("start") + DAY * wait,
        amount=amount * F.exp(0.3 * d.normal("fan/amount", i, k)),
        behaviour="fan",
        ids=(i, k),
    )


def _pass_through(spark: SparkSession, bank: Bank) -> DataFrame:
    """What comes in is gone within 48 hours, less a fee; one to four times."""
    d, i, k = bank.draws, F.col("i"), F.col("k")
    frame = steps(incidents(spark, bank, "pass_through"), 2 * (1 + d.poisson("pass/n", 1.1, i, most=3)))
    out, pair = k % 2 == 0, F.ceil(k / 2)
    hours = F.when(F.col("careful") == 1, 20 + 27 * d.uniform("pass/wait", i, pair)).otherwise(
        1 + 20 * d.uniform("pass/wait", i, pair)
    )
    fee = 0.005 + 0.05 * d.uniform("pass/fee", i, pair)
    amount = size(bank, "pass_through", 8.2, 0.7) * F.exp(0.3 * d.normal("pass/amount", i, pair))
    start = office_hours(d, "pass/hour", F.col("start") + DAY * 3 * (pair - 1), i, pair)
    to = F.when(d.chance("pass/abroad", 0.5, i), bank.shell("pass/to", i)).otherwise(bank.some("company", "pass/to", i))
    return plan(
        frame,
        "pass_through",
        account=any_account(bank, "pass_through"),
        partner=F.when(out, to).otherwise(bank.some("person", "pass/from", i, pair)),
        out=out,
        t=start + F.when(out, HOUR * hours).otherwise(0),
        amount=amount * F.when(out, 1 - fee).otherwise(1.0),
        purpose="SUPP",
        behaviour="pass_through",
        ids=(i, k),
    )


def _cycle(spark: SparkSession, bank: Bank) -> DataFrame:
    """Three to five accounts of this bank pass a sum on until it is back where it began, within nine days."""
    d, i, k = bank.draws, F.col("i"), F.col("k")
    frame = incidents(spark, bank, "cycle").where(F.col("start") < (HORIZON_DAYS - CYCLE_DAYS) * DAY)
    frame = steps(frame, SHORTEST + d.below("cycle/n", LONGEST - SHORTEST + 1, i))
    last = F.col("k") == F.col("n")
    hop = HOUR * (12 + 18 * F.col("careful"))
    shrink = 1 - (0.01 + 0.03 * F.col("careful")) * (k - 1)
    return plan(
        frame,
        "cycle",
        account=_member(bank, "cycle", k - 1),
        partner=_member(bank, "cycle", F.when(last, 0).otherwise(k)),
        internal=True,
        out=True,
        t=F.col("start") + hop * (k - 1 + 0.8 * d.uniform("cycle/wait", i, k)),
        amount=rounded(size(bank, "cycle", 8.4, 0.6) * shrink),
        purpose="LOAN",
        behaviour="cycle",
        ids=(i, k),
    )


def _layering(spark: SparkSession, bank: Bank) -> DataFrame:
    """Money from abroad goes through two to four accounts, some hops by way of a shell, and leaves for elsewhere.

    `part` 1 is the shell's payment to the next account; a hop inside the bank has none.
    """
    d, i, k = bank.draws, F.col("i"), F.col("k")
    frame = steps(incidents(spark, bank, "layering"), 3 + d.below("layer/n", 3, i))
    inside = (k > 1) & (k < F.col("n")) & d.chance("layer/inside", 0.5, i, k)
    frame = frame.withColumn("inside", inside).withColumn("part", F.explode(F.array(F.lit(0), F.lit(1))))
    first, last, second = k == 1, k == F.col("n"), F.col("part") == 1
    frame = frame.where(~second | ~(first | last | F.col("inside")))
    hop = HOUR * (20 + 16 * F.col("careful"))
    shell = bank.shell("layer/shell", i, F.when(first, 1).when(last, 2).otherwise(2 + k))
    shrink = 1 - 0.02 * (k - 1) - 0.005 * F.col("part")
    return plan(
        frame,
        "layering",
        account=_member(bank, "layering", F.when(first, 1).when(second, k).otherwise(k - 1)),
        partner=F.when(F.col("inside"), _member(bank, "layering", k)).otherwise(shell),
        internal=F.col("inside"),
        out=~first & ~second,
        t=F.col("start") + hop * (k - 1 + 0.5 * d.uniform("layer/wait", i, k) + 0.3 * F.col("part")),
        amount=size(bank, "layering", 8.9, 0.6) * shrink,
        channel=F.when(F.col("inside"), "sepa").otherwise(SWIFT),
        purpose="SUPP",
        behaviour="layering",
        ids=(i, k * 2 + F.col("part")),
    )


def _over_invoicing(spark: SparkSession, bank: Bank) -> DataFrame:
    """A company pays a supplier abroad several times what goods are worth; a part comes back from a third country."""
    d, i, k = bank.draws, F.col("i"), F.col("k")
    a: Column = d.below("invoice/account", bank.companies, i) * COMPANY_EVERY + COMPANY_EVERY - 1
    frame = incidents(spark, bank, "over_invoicing").withColumn("a", a)
    frame = steps(frame, 4 + d.poisson("invoice/n", 1.5, i, most=5))
    back = k % 4 == 0
    usual = bank.usual_invoice(income(bank, F.col("a")))
    times = 2.2 + 1.6 * d.uniform("invoice/times", i, k) - 0.8 * F.col("careful")
    return plan(
        frame,
        "over_invoicing",
        account=F.col("a"),
        partner=bank.shell("invoice/shell", i, back.cast("int")),
        out=~back,
        t=office_hours(d, "invoice/hour", F.col("start") + DAY * 13 * (k - 1) / F.col("n"), i, k),
        amount=usual * F.when(back, 1.5).otherwise(times),
        channel=SWIFT,
        purpose="SUPP",
        behaviour="over_invoicing",
        ids=(i, k),
    )


FLOWS = (_fan, _pass_through, _cycle, _layering, _over_invoicing)
