"""The three loan sources as they are delivered: old years in one file each, October 2025 by the day, with dirt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.card_files import iso
from finlake.simulation.deliver import Delivery, Slot, morning_after, slots
from finlake.simulation.dirt import KIND, SENT, Spoil, soil
from finlake.simulation.draws import lookup
from finlake.simulation.loans import DAYS, START, LoanWorld, unemployment
from finlake.simulation.world import CITIES, CLOCK, ZONE, person

__all__ = ["DELIVERIES", "LoanWorld", "defaults", "frames", "spoils"]

_LAST = CLOCK.date() - timedelta(days=1)
_HORIZON = START + timedelta(days=DAYS)
SERVICED_FROM = date(2025, 1, 1)


def _daily(first: date) -> tuple[Slot, ...]:
    return slots(first, [1] * (_HORIZON - first).days)


def _span(name: str, first: date, last: date, delivered: date | None = None) -> Slot:
    return Slot(name, first, last, morning_after(delivered or last))


_YEARS = [(str(year), date(year, 1, 1), date(year, 12, 31)) for year in range(2017, 2025)]
_MONTHS = [(f"2025-{m:02d}", date(2025, m, 1), date(2025, m + 1, 1) - timedelta(days=1)) for m in range(2, 10)]
DELIVERIES = {
    "loan_applications": Delivery(
        "loan_applications",
        "applications",
        "csv",
        (
            *[_span(*year) for year in _YEARS],
            _span("2025-09", date(2025, 1, 1), date(2025, 9, 30)),
            _span("2025-10-01_2025-10-07", date(2025, 10, 1), date(2025, 10, 7)),
            *_daily(date(2025, 10, 8)),
        ),
        {"header": "true", "sep": ";", "encoding": "ISO-8859-1"},
        order=("received_at", "application_id"),
    ),
    # One extract of the whole book on the eve of the clock; from then on what was paid out or closed that day.
    "loans": Delivery(
        "loans",
        "loans",
        "parquet",
        (*[_span(*year, _LAST) for year in _YEARS], _span("2025", date(2025, 1, 1), _LAST), *_daily(CLOCK.date())),
        order=("updated_at", "loan_id"),
    ),
    "instalments": Delivery(
        "instalments",
        "instalments",
        "csv",
        (
            *[_span(*month) for month in _MONTHS],
            _span("2025-10-01_2025-10-07", date(2025, 10, 1), date(2025, 10, 7)),
            *_daily(date(2025, 10, 8)),
        ),
        {"header": "true"},
        order=("reported_at", "loan_id", "number"),
    ),
}


def spoils(world: LoanWorld) -> dict[str, dict[str, Spoil]]:
    d = world.draws
    lag = F.lit(86_400) * (4 + d.below("dirt/loan_lag", 50, F.col("_key")))
    in_2027 = F.concat(F.substring("applied_at", 1, 6), F.lit("2027"), F.substring("applied_at", 11, 9))
    return {
        "loan_applications": {
            "duplicate": Spoil(0.0040, fate="duplicate", again=True, later=F.lit(0)),
            "correction": Spoil(
                0.0040,
                {"income": _text(F.col("income").try_cast("decimal(18,2)") * F.lit(0.8))},
                "superseded",
                again=True,
                later=lag,
            ),
            "amount is not a number": Spoil(0.0008, {"amount": F.lit("k.A.")}),
            "amount out of range": Spoil(0.0005, {"amount": F.lit("5000000.00")}),
            "applicant missing": Spoil(0.0005, {"applicant_id": F.lit(None).cast("string")}),
            "time in the future": Spoil(0.0003, {"applied_at": in_2027}),
        },
        "loans": {
            "duplicate": Spoil(0.0037, fate="duplicate", again=True, later=F.lit(0)),
            "correction": Spoil(
                0.0050,
                {"income": (F.col("income") * F.lit(0.8)).cast("decimal(18,2)")},
                "superseded",
                again=True,
                later=lag,
            ),
            "interest rate out of range": Spoil(0.0008, {"interest_rate": F.lit(99.9)}),
            "application missing": Spoil(0.0008, {"application_id": F.lit(None).cast("string")}),
        },
        "instalments": {
            "duplicate": Spoil(0.0020, fate="duplicate", again=True, later=F.lit(0)),
            "due is not a number": Spoil(0.0006, {"due": F.lit("n/a")}),
            "paid is negative": Spoil(0.0004, {"paid": F.lit("-1.00")}),
        },
    }


def frames(lent: DataFrame, world: LoanWorld, dirt: float) -> Mapping[str, Callable[[], DataFrame]]:
    """What each source sends, from the underwritten applications."""
    return {
        "loan_applications": lambda: application_rows(lent, world, dirt),
        "loans": lambda: loan_rows(lent, world, dirt),
        "instalments": lambda: instalment_rows(lent, world, dirt),
    }


def defaults(lent: DataFrame) -> dict[str, int]:
    """How many loans had ended in which way at the clock."""
    booked = lent.where(F.col("originated_on") < F.lit(CLOCK.date()))
    ended = F.when(_closed_at() < F.lit(CLOCK), F.col("status")).otherwise("running")
    found = booked.groupBy(ended.alias("status")).agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row["status"]: row["rows"] for row in sorted(found, key=lambda r: r["status"])}


def _name(prefix: str, number: Column) -> Column:
    return F.concat(F.lit(prefix), F.lpad(number.cast("string"), 7, "0"))


def _text(value: Column) -> Column:
    return value.cast("decimal(18,2)").cast("string")


def _soiled(rows: DataFrame, world: LoanWorld, source: str, dirt: float, resend: str) -> DataFrame:
    """Second versions that are not dirt are counted as `revision`."""
    first = F.col("_version") == 1
    stamp = iso(F.col(SENT)) if source != "loans" else F.col(SENT)
    soiled = soil(rows, world.draws, source, F.col("_key"), spoils(world)[source], dirt, first, {resend: stamp})
    return soiled.withColumn(KIND, F.when(~first, F.lit("revision")).otherwise(F.col(KIND))).drop("_key", "_version")


def application_rows(lent: DataFrame, world: LoanWorld, dirt: float) -> DataFrame:
    """A row is sent when it has been decided; `received_at` says when the application came in."""
    d, i, who = world.draws, F.col("i"), F.col("who")
    utc = F.to_utc_timestamp("applied_local", ZONE)
    decided = F.timestamp_seconds(F.unix_seconds(utc) + F.col("decided_after"))
    received = F.timestamp_seconds(F.unix_seconds(utc) + 1 + d.below("loan/received", 90, i))
    rows = lent.select(
        _name("a_", i).alias("application_id"),
        _name("k_", who).alias("applicant_id"),
        person(d, "applicant/name", who, latin=True).alias("name"),
        d.pick("applicant/city", {city[0]: city[4] for city in CITIES}, who).alias("city"),
        F.col("birth_year").cast("string").alias("birth_year"),
        _local(utc).alias("applied_at"),
        _text(F.col("amount")).alias("amount"),
        F.col("term_months").cast("string").alias("term_months"),
        "purpose",
        "channel",
        _text(F.col("income")).alias("income"),
        F.col("employment_years").cast("string").alias("employment_years"),
        "home",
        *[F.col(c).cast("string").alias(c) for c in ("bureau_score", "debt_to_income", "utilisation")],
        *[F.col(c).cast("string").alias(c) for c in ("delinquencies_2y", "inquiries_6m")],
        F.when(F.col("approved") == 1, "A").otherwise("R").alias("decision"),
        _local(decided).alias("decided_at"),
        iso(received).alias("received_at"),
        decided.alias(SENT),
        i.alias("_key"),
        F.lit(1).alias("_version"),
    )
    return _soiled(rows, world, "loan_applications", dirt, "received_at")


def _local(utc: Column) -> Column:
    return F.date_format(F.from_utc_timestamp(utc, ZONE), "dd.MM.yyyy HH:mm:ss")


def _originated() -> Column:
    return F.timestamp_seconds(F.unix_date("originated_on").cast("bigint") * 86_400 + 28_800 + F.col("i") % 28_800)


def _closed_at() -> Column:
    closed = F.add_months("originated_on", F.col("months"))
    return F.timestamp_seconds(F.unix_date(closed).cast("bigint") * 86_400 + 36_000 + F.col("i") % 20_000)


def _owed(after: Column) -> Column:
    """What is still owed after so many instalments."""
    monthly, term = F.col("interest_rate") / 1200, F.col("term_months")
    grown = F.pow(1 + monthly, term)
    return F.col("amount") * (grown - F.pow(1 + monthly, F.least(after, term))) / (grown - 1)


def loan_rows(lent: DataFrame, world: LoanWorld, dirt: float) -> DataFrame:
    """The book: what was known at origination, and how it ended if it had ended by the extract.

    A loan that ends after the extract is sent again on that day.
    """
    d, i = world.draws, F.col("i")
    bad = F.col("status") == "charged_off"
    frame = lent.where("originated_on is not null").withColumns({"closed": _closed_at(), "originated": _originated()})
    in_extract = F.col("originated") < F.lit(CLOCK)
    later = F.col("closed") >= F.lit(CLOCK)
    frame = frame.withColumn(
        "version", F.explode(F.when(in_extract & ~later, F.array(F.lit(1))).otherwise(F.array(F.lit(1), F.lit(2))))
    )
    known = F.when(later, F.col("version") == 2).otherwise(True)
    recovered = _owed(F.col("missed") - 1) * 0.55 * F.pow(d.uniform("loan/recovered", i), F.lit(1.5))
    late = d.uniform("loan/late", i)
    longest = (
        F.when(bad, 120 + d.below("loan/late_days", 30, i))
        .when(late < 0.1, 31 + d.below("loan/late_days", 55, i))
        .when(late < 0.35, 1 + d.below("loan/late_days", 29, i))
        .otherwise(0)
    )
    paid_last = F.add_months("originated_on", F.when(bad, F.col("missed") - 1).otherwise(F.col("months")))
    booked = F.timestamp_seconds(F.unix_seconds("originated") + 3600 + i % 7200)
    updated = F.when(F.col("version") == 2, F.col("closed")).otherwise(booked)
    rows = frame.select(
        _name("l_", i).alias("loan_id"),
        _name("a_", i).alias("application_id"),
        _name("k_", F.col("who")).alias("applicant_id"),
        F.col("originated").alias("originated_at"),
        F.col("amount").cast("decimal(18,2)").alias("amount"),
        "term_months",
        "interest_rate",
        F.col("instalment").cast("decimal(18,2)").alias("instalment"),
        "purpose",
        "channel",
        (F.year("originated_on") - F.col("birth_year")).alias("age"),
        F.col("income").cast("decimal(18,2)").alias("income"),
        "employment_years",
        "home",
        "bureau_score",
        "debt_to_income",
        "utilisation",
        "delinquencies_2y",
        "inquiries_6m",
        lookup(F.greatest(F.col("month") - 2, F.lit(0)), [unemployment(m) for m in range(DAYS // 28 + 2)]).alias(
            "unemployment"
        ),
        updated.alias("updated_at"),
        F.when(known, F.col("status")).alias("status"),
        F.when(known, F.col("closed")).alias("closed_at"),
        F.when(known, F.col("months")).alias("months_on_book"),
        F.when(known & bad, recovered).cast("decimal(18,2)").alias("recovered"),
        F.when(known, paid_last).alias("last_payment_on"),
        F.when(known, longest).cast("int").alias("days_past_due_max"),
        updated.alias(SENT),
        (i * 2 + F.col("version")).alias("_key"),
        F.col("version").alias("_version"),
    )
    return _soiled(rows, world, "loans", dirt, "updated_at")


def instalment_rows(lent: DataFrame, world: LoanWorld, dirt: float) -> DataFrame:
    """Instalments due since the servicing system began, each as it stood 35 days after it was due."""
    d, i, k = world.draws, F.col("i"), F.col("k")
    opened = (F.year("originated_on") * 12 + F.month("originated_on") - 1).cast("int")
    first = F.greatest(F.lit(SERVICED_FROM.year * 12 + SERVICED_FROM.month - 1) - opened, F.lit(1))
    last = F.least(F.col("months"), F.lit(_HORIZON.year * 12 + _HORIZON.month - 2) - opened)
    frame = lent.where("originated_on is not null").withColumns({"first": first, "last": last}).where("first <= last")
    frame = frame.withColumn("k", F.explode(F.sequence("first", "last")))
    due_on = F.add_months("originated_on", k)
    unpaid = (F.col("status") == "charged_off") & (k >= F.col("missed"))
    luck = d.uniform("instalment/luck", i, k)
    days = F.when(luck < 0.05, 1 + d.below("instalment/days", 30, i, k)).otherwise(F.floor(luck * 3)).cast("int")
    slow = ~unpaid & (luck > 0.988)
    nothing = unpaid | slow
    reported = F.timestamp_seconds(F.unix_date(F.date_add(due_on, 35)).cast("bigint") * 86_400 + 14_400 + i % 3600)
    kept_up = F.when(unpaid, F.col("missed") - 1).otherwise(k)
    rows = frame.select(
        _name("l_", i).alias("loan_id"),
        k.cast("string").alias("number"),
        due_on.cast("string").alias("due_on"),
        _text(F.col("instalment")).alias("due"),
        _text(F.when(nothing, 0.0).otherwise(F.col("instalment"))).alias("paid"),
        F.when(~nothing, F.date_add(due_on, days)).cast("string").alias("paid_on"),
        F.when(unpaid, 35 + 30 * (k - F.col("missed")))
        .when(slow, 35)
        .otherwise(0)
        .cast("string")
        .alias("days_past_due"),
        _text(F.greatest(_owed(kept_up), F.lit(0.0))).alias("balance"),
        iso(reported).alias("reported_at"),
        reported.alias(SENT),
        (i * 64 + k).alias("_key"),
        F.lit(1).alias("_version"),
    )
    return _soiled(rows, world, "instalments", dirt, "reported_at")
