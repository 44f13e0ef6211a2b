"""Statistics of every feature in every period, in one pass over a feature table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.models.frames import business_day
from finlake.monitoring.edges import FEW, MOST_BINS, QUANTILES, edges

PERIODS = ("day", "week", "month")
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_ROWS = 2_000
MOST_PERIODS = 104  # looked back, two years of weeks
_UNKNOWN = -1
_NEAR_FEW = 2 * FEW  # an approximate count below this is looked at exactly


def period_of(period: str, zone: str) -> Column:
    """First day of the period that a decision falls in, on the calendar of `zone`; weeks begin on Monday."""
    return F.to_date(F.date_trunc(period, business_day("decision_ts", zone)))


def current(now: datetime, period: str, zone: str) -> date:
    """First day of the period that `now` falls in: all earlier ones are complete."""
    today = now.astimezone(ZoneInfo(zone)).date()
    if period == "week":
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if period == "month" else today


def following(start: date, period: str) -> date:
    """First day of the next period."""
    if period == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if period == "week" else 1)


def contents(features: DataFrame, names: Sequence[str], period: str, zone: str = "UTC") -> DataFrame:
    """period_start, rows, and a number that changes when any value of the period does."""
    hashed = F.xxhash64("decision_key", *(_known(name) for name in names))
    start = period_of(period, zone).alias("period_start")
    return features.groupBy(start).agg(F.count(F.lit(1)).alias("rows"), F.bit_xor(hashed).alias("content"))


def sampled(features: DataFrame, rows: DataFrame, period: str, zone: str = "UTC", most: int = MOST_ROWS) -> DataFrame:
    """At most about `most` rows of each period, drawn by hash of their keys, so that a second call draws the same.

    Args:
        features: a feature table.
        rows: period_start and rows of the periods wanted, of `contents`; a few numbers.
        period: day, week or month.
        zone: whose calendar the periods follow.
        most: rows of a period; effects that matter show in far fewer.
    """
    share = rows.select(F.col("period_start").alias("_period"), (F.lit(float(most)) / F.col("rows")).alias("_share"))
    drawn = F.pmod(F.xxhash64("decision_key"), F.lit(1_000_000)) < F.col("_share") * 1_000_000
    of_period = period_of(period, zone) == F.col("_period")
    return features.join(F.broadcast(share), of_period).where(drawn).drop("_period", "_share")


def fixed_edges(reference: DataFrame, names: Sequence[str]) -> dict[str, list[float]]:
    """Ends of the histogram's bins for each feature; none where the reference knows no value.

    Features with few different values get one bin a value, others bins of equal weight. What is collected is a few
    numbers for each feature.
    """
    long = _long(reference, {name: _known(name) for name in names}, []).where(F.col("value").isNotNull())
    summary = long.groupBy("feature").agg(
        F.min("value").alias("low"),
        F.max("value").alias("high"),
        F.percentile_approx("value", list(QUANTILES)).alias("inner"),
        F.approx_count_distinct("value").alias("different"),
    )
    found = {row["feature"]: row for row in summary.collect()}
    near = [name for name, row in found.items() if row["different"] <= _NEAR_FEW]
    listed: dict[str, list[float]] = {}
    if near:
        few = _long(reference, {name: _known(name) for name in near}, []).where(F.col("value").isNotNull())
        listed = {
            row["feature"]: row["listed"]
            for row in few.groupBy("feature").agg(F.collect_set("value").alias("listed")).collect()
        }
    made: dict[str, list[float]] = {}
    for name in names:
        row, values = found.get(name), listed.get(name, [])
        if row is None:
            made[name] = []
        elif 0 < len(values) <= FEW:
            made[name] = edges(row["low"], values)
        else:
            made[name] = edges(row["low"], [*row["inner"], row["high"]])
    return made


def profiles(
    features: DataFrame, names: Sequence[str], period: str, ends: Mapping[str, Sequence[float]], zone: str = "UTC"
) -> DataFrame:
    """One row for each feature and period.

    Args:
        features: a feature table: decision_ts and a number for each feature, null or NaN where it is unknown.
        names: the features.
        period: day, week or month.
        ends: of `fixed_edges`.
        zone: whose calendar the periods follow.

    Returns:
        feature, period_start, rows, unknown (share of rows), mean, std, min, max and zeros (share) of known values,
        quantiles at `SHARES`, edges, and counts: rows in each bin, the last number those that are unknown.
    """
    known = F.col("value").isNotNull()
    bins = F.array(*(F.count_if(F.col("bin") == number) for number in range(MOST_BINS)))
    unknown = F.count_if(~known)
    placed = {name: _bin(name, ends.get(name, ())) for name in names}
    long = _long(
        features, {name: _known(name) for name in names}, [period_of(period, zone).alias("period_start")], placed
    )
    made = long.groupBy("feature", "period_start").agg(
        F.count(F.lit(1)).alias("rows"),
        (unknown / F.count(F.lit(1))).alias("unknown"),
        F.avg("value").alias("mean"),
        F.stddev_samp("value").alias("std"),
        F.min("value").alias("min"),
        F.max("value").alias("max"),
        F.avg(F.when(known, (F.col("value") == 0).cast("double"))).alias("zeros"),
        F.percentile_approx("value", list(SHARES)).alias("quantiles"),
        bins.alias("_bins"),
        unknown.alias("_unknown"),
    )
    listed = F.create_map(*(part for name in names for part in (F.lit(name), _doubles(ends.get(name, ())))))
    counts = F.concat(F.slice("_bins", 1, F.size("edges") + 1), F.array("_unknown"))
    return made.withColumn("edges", listed[F.col("feature")]).withColumn("counts", counts).drop("_bins", "_unknown")


def _known(name: str) -> Column:
    value = F.col(f"`{name}`").cast("double")
    return F.when(~F.isnan(value), value)


def _long(
    frame: DataFrame, values: Mapping[str, Column], keep: Sequence[Column], bins: Mapping[str, Column] | None = None
) -> DataFrame:
    """One row for each row and feature: the kept columns, feature, value and, if given, bin."""
    parts = [
        F.struct(
            F.lit(name).alias("feature"), value.alias("value"), *([bins[name].alias("bin")] if bins is not None else [])
        )
        for name, value in values.items()
    ]
    return frame.select(*keep, F.inline(F.array(*parts)))


def _bin(name: str, ends: Sequence[float]) -> Column:
    """How many ends lie below the value, as `edges.place`."""
    value = _known(name)
    below = F.size(F.filter(_doubles(ends), lambda end: end < value))
    return F.when(value.isNull(), F.lit(_UNKNOWN)).otherwise(below)


def _doubles(numbers: Sequence[float]) -> Column:
    return F.array(*(F.lit(float(number)) for number in numbers)).cast("array<double>")
