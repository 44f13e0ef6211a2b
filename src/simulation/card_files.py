"""The five card sources as they are delivered: text columns in each sender's own spelling, with dirt."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.simulation.deliver import Delivery, Slot, morning_after, slots
from finlake.simulation.dirt import KIND, SENT, Spoil, soil
from finlake.simulation.draws import Draws, lookup
from finlake.simulation.reports import reports
from finlake.simulation.world import (
    CITIES,
    HORIZON_DAYS,
    START,
    ZONE,
    World,
    customer_name,
    day_text,
    person,
    terminal_name,
)

DAILY_FROM = 207  # Wed 8 Oct 2025; older files hold a fortnight or a month
_DAYS = [1] * (HORIZON_DAYS - DAILY_FROM)
_REGISTER = (
    Slot("2025-03", date(2000, 1, 1), date(2025, 3, 14), morning_after(date(2025, 3, 14))),
    Slot("2025-06", date(2025, 3, 15), date(2025, 6, 30), morning_after(date(2025, 6, 30))),
    Slot("2025-09", date(2025, 7, 1), date(2025, 9, 30), morning_after(date(2025, 9, 30))),
)
_CSV = {"header": "true"}
_JSON = {"ignoreNullFields": "false"}  # a column is there even if a whole file has no value of it
DELIVERIES = {
    "customers": Delivery("customers", "customers", "csv", _REGISTER, _CSV, order=("updated_at", "customer_id")),
    "cards": Delivery("cards", "cards", "json", _REGISTER, _JSON, order=("updated_at", "customer_id", "card_number")),
    "terminals": Delivery(
        "terminals",
        "terminals",
        "xml",
        _REGISTER,
        {"rowTag": "terminal", "rootTag": "terminals"},
        order=("terminal_id", "updated_at"),
    ),
    "card_transactions": Delivery(
        "card_transactions",
        "payments",
        "csv",
        slots(START, [14] * 14 + [11, *_DAYS]),
        {**_CSV, "sep": ";"},
        gzip=True,
        order=("sent_at", "payment_id", "amount"),
    ),
    "fraud_reports": Delivery(
        "fraud_reports",
        "reports",
        "json",
        slots(START, [30] * 6 + [27, *_DAYS]),
        _JSON,
        order=("updated_at", "report_id"),
    ),
}


def iso(time: Column) -> Column:
    return F.date_format(time, "yyyy-MM-dd'T'HH:mm:ss'Z'")


def comma(amount: Column) -> Column:
    """Money as people write it in Germany."""
    return F.replace(amount.cast("decimal(18,2)").cast("string"), F.lit("."), F.lit(","))


def payment_spoils(draws: Draws) -> dict[str, Spoil]:
    key = F.xxhash64("payment_id")
    lag = F.lit(86_400) * (1 + draws.below("dirt/lag", 3, key))
    lower = comma(
        F.greatest(F.replace("amount", F.lit(","), F.lit(".")).cast("decimal(18,2)") * F.lit(0.9), F.lit(0.5))
    )
    year_later = F.concat(F.substring("paid_at", 1, 6), F.lit("2027"), F.substring("paid_at", 11, 9))
    nobody = F.concat(F.lit("t_9"), F.lpad(draws.below("dirt/terminal", 10_000, key).cast("string"), 4, "0"))
    return {
        "duplicate": Spoil(0.0100, fate="duplicate", again=True, later=F.lit(86_400)),
        "correction": Spoil(0.0067, {"amount": lower}, "superseded", again=True, later=lag),
        "amount is not a number": Spoil(0.0020, {"amount": F.lit("n/a")}),
        "time in the future": Spoil(0.0013, {"paid_at": year_later}),
        "card number missing": Spoil(0.0010, {"card_number": F.lit(None).cast("string")}),
        "amount out of range": Spoil(0.0004, {"amount": F.concat(F.lit("-"), F.col("amount"))}),
        "terminal unknown": Spoil(0.00035, {"terminal_id": nobody}, "warned"),
        "late": Spoil(0.0030, fate="kept", later=lag * 3),
    }


def report_spoils(draws: Draws) -> dict[str, Spoil]:
    return {
        "duplicate": Spoil(0.012, fate="duplicate", again=True, later=F.lit(86_400)),
        "verdict is not known": Spoil(0.004, {"verdict": F.lit("maybe")}),
        "payment missing": Spoil(0.004, {"payment_id": F.lit(None).cast("string")}),
        "time is not a time": Spoil(0.003, {"reported_at": F.lit("yesterday")}),
    }


def register_spoils() -> dict[str, dict[str, Spoil]]:
    return {
        "customers": {
            "duplicate": Spoil(0.003, fate="duplicate", again=True, later=F.lit(0)),
            "birth year out of range": Spoil(0.002, {"birth_year": F.lit("1066")}),
            "birth year is not a number": Spoil(0.001, {"birth_year": F.lit("unknown")}),
        },
        "cards": {
            "duplicate": Spoil(0.003, fate="duplicate", again=True, later=F.lit(0)),
            "kind is not known": Spoil(0.001, {"kind": F.lit("X")}),
        },
        "terminals": {"duplicate": Spoil(0.004, fate="duplicate", again=True, later=F.lit(0))},
    }


def payment_rows(payments: DataFrame, cards: DataFrame, draws: Draws, dirt: float) -> DataFrame:
    utc, sent = F.col("paid_at"), F.col("sent_at")
    numbers = cards.select("card", "card_number")
    rows = payments.join(F.broadcast(numbers), "card").select(
        "payment_id",
        F.date_format(F.from_utc_timestamp(utc, ZONE), "dd.MM.yyyy HH:mm:ss").alias("paid_at"),
        "card_number",
        terminal_name(F.col("terminal")).alias("terminal_id"),
        F.col("category").alias("merchant_category"),
        "country",
        comma(F.col("amount")).alias("amount"),
        "entry_mode",
        F.replace(F.col("distance_km").cast("decimal(9,1)").cast("string"), F.lit("."), F.lit(",")).alias(
            "distance_km"
        ),
        iso(sent).alias("sent_at"),
        sent.alias(SENT),
    )
    return soil(
        rows,
        draws,
        "card_transactions",
        F.xxhash64("payment_id"),
        payment_spoils(draws),
        dirt,
        resend={"sent_at": iso(F.col(SENT))},
    )


def report_rows(payments: DataFrame, draws: Draws, dirt: float) -> DataFrame:
    """Withdrawn or confirmed suspicions are second versions by nature, counted as `revision`."""
    rows = reports(payments, draws).select(
        "report_id",
        "payment_id",
        iso(F.col("reported_at")).alias("reported_at"),
        "report_channel",
        "verdict",
        iso(F.col("updated_at")).alias("updated_at"),
        F.col("updated_at").alias(SENT),
        "version",
        "versions",
    )
    soiled = soil(
        rows,
        draws,
        "fraud_reports",
        F.xxhash64("report_id"),
        report_spoils(draws),
        dirt,
        eligible=F.col("versions") == 1,
    )
    kind = F.when(F.col("version") == 2, F.lit("revision")).otherwise(F.col(KIND))
    return soiled.withColumn(KIND, kind).drop("version", "versions")


def customer_rows(customers: DataFrame, world: World, dirt: float) -> DataFrame:
    """Everyone once before the first payment; some change their price list later and are sent again."""
    d, c = world.draws, F.col("c")
    again = d.chance("register/again", 0.05, c)
    frame = customers.withColumn(
        "version", F.explode(F.when(again, F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(1))))
    )
    changed = _change_time(d, "customer", c)
    segment = d.pick("customer/segment", {"STD": 70, "PRM": 18, "STU": 12}, c)
    name = person(d, "customer/name", c)
    rows = frame.select(
        customer_name(c).alias("customer_id"),
        name.alias("name"),
        F.concat(F.lit("kunde"), c.cast("string"), F.lit("@mail.example")).alias("email"),
        (1940 + d.below("customer/born", 66, c)).cast("string").alias("birth_year"),
        lookup(F.col("city"), [city[0] for city in CITIES]).alias("city"),
        lookup(F.col("city"), [city[1] for city in CITIES]).alias("country"),
        F.col("home_x").cast("decimal(9,2)").cast("string").alias("home_x_km"),
        F.col("home_y").cast("decimal(9,2)").cast("string").alias("home_y_km"),
        F.when(F.col("version") == 2, "PRM").otherwise(segment).alias("segment"),
        day_text(-30 - d.below("customer/since", 5000, c)).alias("customer_since"),
        iso(_version_time(d, "customer", c, changed)).alias("updated_at"),
        _version_time(d, "customer", c, changed).alias(SENT),
        (c * 2 + F.col("version")).alias("_key"),
        F.col("version").alias("_version"),
    )
    return _registered(rows, world, "customers", dirt)


def card_rows(cards: DataFrame, world: World, dirt: float) -> DataFrame:
    """Numbers in groups of four, as the card system prints them; a few limits are raised later."""
    d, card = world.draws, F.col("card")
    again = d.chance("limit/again", 0.04, card)
    frame = cards.withColumn(
        "version", F.explode(F.when(again, F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(1))))
    )
    changed = _change_time(d, "card", card)
    limit = (1 + d.below("card/limit", 10, card)) * 500 * F.col("version")
    groups = [F.substring("card_number", 1 + 4 * part, 4) for part in range(4)]
    rows = frame.select(
        F.concat_ws(" ", *groups).alias("card_number"),
        customer_name(F.col("c")).alias("customer_id"),
        "kind",
        F.when(F.col("kind") == "C", limit.cast("decimal(18,2)").cast("string")).alias("credit_limit"),
        day_text(-20 - d.below("card/issued", 1400, card)).alias("issued_on"),
        F.lit("true").alias("active"),
        iso(_version_time(d, "card", card, changed)).alias("updated_at"),
        _version_time(d, "card", card, changed).alias(SENT),
        (card * 2 + F.col("version")).alias("_key"),
        F.col("version").alias("_version"),
    )
    return _registered(rows, world, "cards", dirt)


def terminal_rows(terminals: DataFrame, world: World, dirt: float) -> DataFrame:
    """One in seventeen is described only after its first payments."""
    d, t = world.draws, F.col("t")
    told = F.when(F.col("told_day").isNull(), _before_start(d, "terminal", t)).otherwise(_moment(F.col("told_day")))
    rows = terminals.select(
        terminal_name(t).alias("terminal_id"),
        F.col("category").alias("merchant_category"),
        F.when(F.col("online"), "yes").otherwise("no").alias("online"),
        F.col("city_name").alias("city"),
        "country",
        F.col("x").cast("decimal(9,2)").cast("string").alias("x_km"),
        F.col("y").cast("decimal(9,2)").cast("string").alias("y_km"),
        day_text(-5 - d.below("terminal/opened", 3000, t)).alias("opened_on"),
        iso(told).alias("updated_at"),
        told.alias(SENT),
        t.alias("_key"),
        F.lit(1).alias("_version"),
    )
    return _registered(rows, world, "terminals", dirt)


def _registered(rows: DataFrame, world: World, source: str, dirt: float) -> DataFrame:
    first = F.col("_version") == 1
    soiled = soil(rows, world.draws, source, F.col("_key"), register_spoils()[source], dirt, eligible=first)
    return soiled.withColumn(KIND, F.when(~first, F.lit("revision")).otherwise(F.col(KIND))).drop("_key", "_version")


def _before_start(d: Draws, stream: str, key: Column) -> Column:
    return _moment(-1 - d.below(stream + "/told", 600, key))


def _change_time(d: Draws, stream: str, key: Column) -> Column:
    return _moment(10 + d.below(stream + "/changed", 180, key))


def _version_time(d: Draws, stream: str, key: Column, changed: Column) -> Column:
    return F.when(F.col("version") == 2, changed).otherwise(_before_start(d, stream, key))


def _moment(day: Column) -> Column:
    """Eleven in the morning UTC of a day of the simulation."""
    return F.to_timestamp(F.concat(day_text(day), F.lit(" 11:00:00")), "yyyy-MM-dd HH:mm:ss")
