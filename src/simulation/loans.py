"""Consumer loans: applicants, an economy that moves, a policy that rejects some, and how the other loans end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation.draws import Draws, choose, lookup, pinned
from finlake.simulation.world import HORIZON_DAYS
from finlake.simulation.world import START as CARDS_START

START = date(2017, 1, 1)
DAYS = (CARDS_START - START).days + HORIZON_DAYS
LONGEST = 60
_APPROVED_AND_TAKEN = 0.56
PURPOSES = {"car": 24, "furniture": 18, "debt_consolidation": 26, "renovation": 16, "travel": 8, "business": 8}
HOMES = {"rent": 48, "mortgage": 26, "own": 16, "family": 10}


@dataclass(frozen=True)
class LoanWorld:
    draws: Draws
    applications: int

    @classmethod
    def sized(cls, loans: int, seed: int) -> LoanWorld:
        """Enough applications for about `loans` loans up to the clock.

        Raises:
            ConfigError: fewer than a hundred, or more than ten million.
        """
        if not 100 <= loans <= 10_000_000:
            raise ConfigError(f"loans must be between 100 and 10,000,000, got {loans:,}")
        return cls(Draws(seed), round(loans / _APPROVED_AND_TAKEN))

    def underwrite(self, spark: SparkSession) -> DataFrame:
        """One row for each application; loan columns are null where none was paid out."""
        return _outcome(self.draws, spark, _decision(self.draws, _applicants(self.draws, spark, self.applications)))


def unemployment(month: int) -> float:
    """Rate in % in a month counted from January 2017: a slow fall, the shock of 2020, a recovery, a rise since 2022."""
    rate = 6.1 - 0.03 * min(month, 38)
    if month >= 39:
        rate += 1.5 * math.exp(-(month - 39) / 14)
    if month >= 66:
        rate += 1.6 * (1 - math.exp(-(month - 66) / 22))
    return round(rate, 2)


def policy_rate(month: int) -> float:
    """Central bank's rate in %: nothing until mid 2022, four in 2023, two in 2025."""
    return round(4.0 * max(0.0, min(1.0, (month - 66) / 14)) - 2.0 * max(0.0, min(1.0, (month - 89) / 14)), 2)


def hazard(age: int, month: int) -> float:
    """Chance-like weight of a first missed instalment at this month on book, in this calendar month."""
    shape = (age / 7) * math.exp(1 - age / 7) * 0.8 + 0.2
    prices = 0.25 if 66 <= month < 82 else 0.0
    return 0.0024 * shape * math.exp(0.42 * (unemployment(month) - 5.6) + prices)


def _cumulative(spark: SparkSession) -> DataFrame:
    """Cumulated hazard of each vintage month by month on book."""
    rows = []
    for vintage in range(DAYS // 28 + 2):
        total, path = 0.0, []
        for age in range(1, LONGEST + 1):
            total += hazard(age, vintage + age)
            path.append(total)
        rows.append((vintage, path))
    return spark.createDataFrame(rows, "vintage int, path array<double>")


def _applicants(d: Draws, spark: SparkSession, count: int) -> DataFrame:
    """What people state, and what the bureau knows of them; `q` is what nobody sees."""
    i, who = F.col("i"), F.col("who")
    frame = spark.range(count).select(F.col("id").alias("i"))
    frame = frame.select(
        "i",
        pinned(d.below("loan/who", int(count * 0.85), i)).alias("who"),
        F.floor(F.pow(d.uniform("loan/day", i), F.lit(0.8)) * DAYS).cast("int").alias("day"),
    )
    frame = frame.withColumn("q", pinned(d.normal("loan/q", who))).withColumn(
        "on", F.date_add(F.lit(START), F.col("day"))
    )
    q = F.col("q")
    score = F.round(690 + 58 * (-0.62 * q + 0.78 * d.normal("loan/score", i))).cast("int")
    hour = F.lit(8 * 3600) + d.below("loan/second", 13 * 3600, i)
    return frame.select(
        "i",
        "who",
        "q",
        "day",
        "on",
        ((F.year("on") - 2017) * 12 + F.month("on") - 1).alias("month"),
        F.timestamp_seconds(F.unix_date("on").cast("bigint") * 86_400 + hour).alias("applied_local"),
        (1950 + d.below("loan/born", 54, who)).cast("int").alias("birth_year"),
        (F.round(F.exp(F.lit(10.36) + 0.38 * d.normal("loan/income", who) - 0.07 * q) / 100) * 100).alias("income"),
        F.when(~d.chance("loan/jobless", 0.06, i), F.round(12 * F.pow(d.uniform("loan/job", i), F.lit(1.7)), 1)).alias(
            "employment_years"
        ),
        d.pick("loan/home", HOMES, who).alias("home"),
        d.pick("loan/purpose", PURPOSES, i).alias("purpose"),
        d.pick("loan/channel", {"W": 55, "B": 25, "P": 20}, i).alias("channel"),
        F.when(~d.chance("loan/unknown", 0.05, who), F.greatest(F.least(score, F.lit(850)), F.lit(300))).alias(
            "bureau_score"
        ),
        F.round(F.least(F.exp(F.lit(-1.35) + 0.5 * d.normal("loan/dti", i) + 0.12 * q), F.lit(0.95)), 3).alias(
            "debt_to_income"
        ),
        F.round(1 / (1 + F.exp(F.lit(0.4) - 1.1 * d.normal("loan/util", i) - 0.3 * q)), 3).alias("utilisation"),
        pinned(d.poisson("loan/delinquent", 0.22 * F.exp(0.5 * q), i, most=5)).alias("delinquencies_2y"),
        pinned(d.poisson("loan/inquiries", 0.8 * F.exp(0.2 * q), i, most=6)).alias("inquiries_6m"),
        (
            F.round(
                F.greatest(
                    F.least(F.exp(F.lit(8.95) + 0.62 * d.normal("loan/amount", i)), F.lit(75_000.0)), F.lit(1000.0)
                )
                / 100
            )
            * 100
        ).alias("amount"),
        choose(d.uniform("loan/term", i), [12, 24, 36, 48, 60], [12, 22, 32, 18, 16]).alias("term_months"),
    )


def _decision(d: Draws, frame: DataFrame) -> DataFrame:
    """The policy of the day: stricter in 2020, looser for partners in 2021 and 2022."""
    i, month = F.col("i"), F.col("month")
    points = (
        (F.coalesce(F.col("bureau_score"), F.lit(640)) - 640) / 50
        - 1.1 * (F.col("debt_to_income") - 0.3) / 0.15
        - 0.55 * F.col("delinquencies_2y")
        - 0.15 * F.col("inquiries_6m")
        - F.when(F.col("employment_years").isNull(), 0.7).otherwise(0.0)
        + 0.6 * F.log(F.col("income") / 32_000)
        + 0.6 * d.normal("loan/judgement", i)
    )
    boom = (F.col("channel") == "P") & month.between(48, 71)
    cutoff = F.when(month.between(39, 47), 0.55).otherwise(0.1) - F.when(boom, 0.8).otherwise(0.0)
    risk = F.exp((690 - F.coalesce(F.col("bureau_score"), F.lit(640))) / 75) * 2.1 + F.when(
        F.col("term_months") > 36, 0.9
    ).otherwise(0.0)
    base = lookup(month, [policy_rate(m) for m in range(DAYS // 28 + 2)])
    approved = points > cutoff
    return frame.select(
        "*",
        pinned(approved.cast("int")).alias("approved"),
        (approved & d.chance("loan/taken", 0.88, i)).alias("taken"),
        F.round(F.least(2.6 + 0.8 * base + risk, F.lit(24.0)), 2).alias("interest_rate"),
        (120 + d.below("loan/decided", 5 * 3600, i)).alias("decided_after"),
        (1 + d.below("loan/paid_out", 6, i)).cast("int").alias("paid_out_after"),
    )


def _outcome(d: Draws, spark: SparkSession, frame: DataFrame) -> DataFrame:
    """When the first instalment is missed for good, when it is paid back early, and which comes first."""
    i = F.col("i")
    frame = frame.withColumn("originated_on", F.when(F.col("taken"), F.date_add("on", F.col("paid_out_after"))))
    frame = frame.withColumn(
        "vintage", F.coalesce((F.year("originated_on") - 2017) * 12 + F.month("originated_on") - 1, F.lit(0))
    )
    frame = frame.join(F.broadcast(_cumulative(spark)), "vintage", "left").withColumn("risk", _risk(d))
    patience = -F.log(d.uniform("loan/patience", i))
    survived = F.lit(0)
    for age in range(LONGEST):
        survived = survived + (F.get("path", F.lit(age)) <= F.col("patience")).cast("int")
    frame = frame.withColumn("patience", pinned(patience / F.col("risk"))).withColumn("missed", pinned(survived + 1))
    early = 3 + F.floor(-F.log(d.uniform("loan/early", i)) / (0.011 - 0.0012 * F.col("policy")))
    frame = frame.withColumn("policy", lookup(F.col("vintage"), [policy_rate(m) for m in range(DAYS // 28 + 2)]))
    frame = frame.withColumn("early", early)
    bad = (F.col("missed") <= F.col("term_months")) & (F.col("missed") <= F.col("early"))
    status = F.when(bad, "charged_off").when(F.col("early") < F.col("term_months"), "prepaid").otherwise("repaid")
    frame = frame.withColumn("status", F.when(F.col("taken"), status))
    months = (
        F.when(F.col("status") == "charged_off", F.col("missed") + 4)
        .when(F.col("status") == "prepaid", F.col("early"))
        .otherwise(F.col("term_months"))
    ).cast("int")
    monthly = F.col("interest_rate") / 1200
    instalment = F.col("amount") * monthly / (1 - F.pow(1 + monthly, -F.col("term_months")))
    frame = frame.withColumn("months", F.when(F.col("taken"), months)).withColumn("instalment", F.round(instalment, 2))
    return frame.drop("path", "policy", "patience", "early", "vintage", "taken")


def _risk(d: Draws) -> Column:
    """Relative risk of default. Some of it shows in the application, bent and crossed; `q` and luck do not."""
    dti, use, term = F.col("debt_to_income"), F.col("utilisation"), F.col("term_months")
    age = F.year("on") - F.col("birth_year")
    stretched = F.greatest(dti - 0.32, F.lit(0.0)) * 6.5
    return F.exp(
        0.72 * F.col("q")
        + stretched * (1 + F.when(term > 36, 0.6).otherwise(0.0))
        + F.greatest(use - 0.6, F.lit(0.0)) * 3.2
        + 0.32 * F.least(F.col("delinquencies_2y"), F.lit(3))
        + 0.16 * F.col("inquiries_6m")
        - 0.32 * F.log(F.col("income") / 33_000)
        + 0.011 * (term - 36)
        + F.when(F.col("purpose") == "business", 0.55)
        .when(F.col("purpose") == "debt_consolidation", 0.12)
        .otherwise(0.0)
        + F.when(F.col("employment_years").isNull(), 0.55).when(F.col("employment_years") < 1, 0.3).otherwise(0.0)
        + F.when(age < 25, 0.35).when(age > 62, -0.15).otherwise(0.0)
        + F.when((F.col("channel") == "P") & F.col("month").between(48, 71), 0.4).otherwise(0.0)
        + F.when((F.col("home") == "rent") & (F.col("income") < 26_000), 0.3).otherwise(0.0)
        + F.log(F.col("amount") / 8000) * 0.12
        + 0.25 * d.normal("loan/luck", F.col("i"))
    )
