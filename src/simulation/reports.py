"""Fraud reports: late, sometimes wrong, sometimes never."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.draws import Draws

DAY = 86_400
NEVER = 0.06  # share of frauds nobody reports
FALSE = 0.00055  # share of honest payments reported by mistake
DISMISSED = 0.85  # of those, share whose report is withdrawn
SUSPECTED = 0.10  # share of reports that are only suspicions at first


def reports(payments: DataFrame, draws: Draws) -> DataFrame:
    """Every version of every report: `updated_at` says when it was known, `version` 1 or 2, `versions` how many.

    A fraud is confirmed after 2.5 days in the middle, after 14 for one in fifty; a mistaken report is dismissed
    days or weeks later.
    """
    d, p = draws, F.xxhash64("payment_id")
    fraud = F.col("fraud").isNotNull()
    told = F.when(fraud, ~d.chance("report/never", NEVER, p)).otherwise(d.chance("report/false", FALSE, p))
    frame = payments.where(told).select("payment_id", "paid_at", "fraud", p.alias("p"))
    p = F.col("p")
    delay = DAY * F.greatest(
        F.least(F.exp(F.lit(0.9163) + 0.84 * d.normal("report/delay", p)), F.lit(60.0)), F.lit(0.04)
    )
    suspected = fraud & d.chance("report/suspected", SUSPECTED, p)
    withdrawn = ~fraud & d.chance("report/withdrawn", DISMISSED, p)
    first = F.when(suspected, delay * 0.5).otherwise(delay)
    second = F.when(suspected, delay).when(
        withdrawn, delay + DAY * F.exp(F.lit(2.0) + 0.6 * d.normal("report/revised", p))
    )
    frame = frame.select(
        "*",
        first.alias("first"),
        second.alias("second"),
        suspected.alias("suspected"),
        F.explode(F.when(suspected | withdrawn, F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(1)))).alias(
            "version"
        ),
        F.when(suspected | withdrawn, 2).otherwise(1).alias("versions"),
    )
    verdict = (
        F.when((F.col("version") == 1) & F.col("suspected"), "suspected")
        .when((F.col("version") == 2) & F.col("fraud").isNull(), "dismissed")
        .otherwise("confirmed")
    )
    reported = _after(F.col("paid_at"), F.col("first"))
    known = F.when(F.col("version") == 1, reported).otherwise(_after(F.col("paid_at"), F.col("second")))
    return frame.select(
        F.concat(F.lit("r_"), F.lpad(F.lower(F.hex(d.hash("report", p))), 16, "0")).alias("report_id"),
        "payment_id",
        reported.alias("reported_at"),
        d.pick("report/channel", {"TEL": 40, "APP": 35, "MON": 20, "BRA": 5}, p).alias("report_channel"),
        verdict.alias("verdict"),
        known.alias("updated_at"),
        "version",
        "versions",
    )


def _after(time: Column, seconds: Column) -> Column:
    return F.timestamp_seconds(F.unix_seconds(time) + F.floor(seconds).cast("bigint"))
