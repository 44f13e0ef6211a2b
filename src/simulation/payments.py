"""Card payments: habits of honest customers, then the same finishing touches for honest and fraudulent ones."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.draws import Draws, choose, lookup, pinned, rounded
from finlake.simulation.fraud import all_frauds
from finlake.simulation.world import HORIZON_DAYS, PER_DISTRICT, Cast, World, local_to_utc

DAY = 86_400
# Honest visits by slot of the district: groceries most, jewellery hardly ever.
VISITS = (22, 16, 9, 11, 10, 8, 7, 5, 2.2, 5, 1.2, 0.8)


def payments(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """All payments up to the horizon: public values, plus `fraud` (null, or the behaviour) for the ground truth.

    A plan says who, which card, when and where; `fixed` is an amount set by the plan, `boost` a shift of its logarithm.
    """
    plans = honest(spark, world, cast.customers).unionByName(all_frauds(spark, world, cast))
    return finish(world, cast, plans)


def honest(spark: SparkSession, world: World, people: DataFrame) -> DataFrame:
    """Plans of honest customers: a Poisson number a day, more on sprees, elsewhere on trips."""
    d, c, day = world.draws, F.col("c"), F.col("day")
    days = spark.range(HORIZON_DAYS).select(F.col("id").alias("day"))
    frame = days.crossJoin(F.broadcast(people))
    weekday = (day + 5) % 7  # the first day is a Saturday; 0 is Monday
    week = F.when(weekday >= 5, F.col("weekend")).otherwise(F.lit(1.0))
    season = 1 + 0.08 * F.sin(day / 58.0)
    stretch = F.floor(day / 45).cast("bigint")
    trip_from = stretch * 45 + d.below("trip/from", 33, c, stretch)
    trip_to = trip_from + 3 + d.below("trip/length", 9, c, stretch)
    away = d.chance("trip", 0.28, c, stretch) & day.between(trip_from, trip_to)
    spree = d.chance("spree", 0.009, c, day)
    mood = F.when(spree, 2).when(away, 1).otherwise(0)
    frame = frame.select(
        "*", pinned(mood).alias("mood"), d.below("trip/district", world.districts, c, stretch).alias("trip")
    )
    mean = F.col("rate") * week * season * lookup(F.col("mood"), [1.0, 1.6, 3.5])
    frame = frame.withColumn("mean", pinned(F.least(mean, F.lit(8.0))))
    frame = frame.withColumn("n", pinned(d.poisson("count", F.col("mean"), c, day))).where("n > 0")
    frame = frame.withColumn("k", F.explode(F.sequence(F.lit(1), F.col("n"))))
    ids = (c, day, F.col("k"))
    return frame.select(
        "c",
        (c * 4 + F.when(d.chance("card", 0.72, *ids), 0).otherwise(d.below("card/other", F.col("cards"), *ids))).alias(
            "card"
        ),
        (day * DAY + hour_of_day(d, F.col("night_share"), ids)).cast("bigint").alias("t"),
        _where(world, ids).alias("terminal"),
        F.lit(None).cast("double").alias("fixed"),
        F.when(F.col("mood") == 2, 0.35).otherwise(0.0).cast("double").alias("boost"),
        F.lit(None).cast("string").alias("entry"),
        F.lit(None).cast("string").alias("fraud"),
        (c * HORIZON_DAYS + day).alias("a"),
        F.col("k").cast("bigint").alias("b"),
    )


def hour_of_day(d: Draws, night_share: Column, ids: tuple[Column, ...]) -> Column:
    """Seconds after midnight: morning, lunch, evening, and a night for some."""
    which = d.uniform("hour/which", *ids)
    day_part = (which - night_share) / (1 - night_share)
    centre = F.when(which < night_share, 24.6).when(day_part < 0.22, 8.7).when(day_part < 0.55, 13.0).otherwise(18.4)
    width = F.when(which < night_share, 2.1).when(day_part < 0.22, 1.2).otherwise(2.0)
    hours = centre + width * d.normal("hour", *ids)
    return F.pmod(F.floor(hours * 3600), F.lit(DAY))


def _where(world: World, ids: tuple[Column, ...]) -> Column:
    """Terminal of an honest payment: online favourites, the own district, the own city, a trip, anywhere."""
    d, c = world.draws, F.col("c")
    favourite = F.floor(F.pow(d.uniform("online/which", *ids), F.lit(1.7)) * 7).cast("bigint")
    online = world.physical + F.when(
        d.chance("online/favourite", 0.8, *ids), d.below("online/set", world.online, c, favourite)
    ).otherwise(d.below("online/any", world.online, *ids))
    roam = d.uniform("roam", *ids)
    city = F.col("city_from") + d.below("roam/city", F.col("city_size"), *ids)
    district = (
        F.when(F.col("mood") == 1, F.col("trip"))
        .when(roam < 0.74, F.col("district"))
        .when(roam < 0.93, city)
        .otherwise(d.below("roam/any", world.districts, *ids))
    )
    slot = choose(d.uniform("slot", *ids), list(range(PER_DISTRICT)), list(VISITS))
    return F.when(d.chance("online", F.col("online_share"), *ids), online).otherwise(district * PER_DISTRICT + slot)


def finish(world: World, cast: Cast, plans: DataFrame) -> DataFrame:
    """Amount, way of reading, distance, skimming and the moment the processor sends it."""
    d = world.draws
    people = cast.customers.select("c", "level", F.col("spread").alias("own_spread"), "home_x", "home_y")
    places = cast.terminals.withColumnsRenamed({"t": "terminal", "level": "trade_level"}).drop("district", "city")
    frame = plans.join(F.broadcast(people), "c").join(F.broadcast(places), "terminal")
    # Honest and fraudulent plans count differently: `side` keeps their draws apart.
    side = F.when(F.col("fraud").isNull(), 0).otherwise(F.crc32(F.col("fraud")))
    ids = (F.col("a"), F.col("b"), F.col("side"))
    frame = frame.withColumn("side", side).withColumn("day", F.floor(F.col("t") / DAY))
    open_device = F.col("day").between(F.col("skim0_from"), F.col("skim0_to")) | F.col("day").between(
        F.col("skim1_from"), F.col("skim1_to")
    )
    drift = 0.75 + 0.5 * F.col("day") / HORIZON_DAYS
    skimmed = (
        F.col("fraud").isNull()
        & F.coalesce(open_device, F.lit(False))
        & d.chance("skim/payment", F.col("skim_strength") * drift, *ids)
    )
    frame = frame.withColumn("skimmed", skimmed)
    lift = F.when(F.col("skimmed"), 0.6 + 0.35 * d.normal("skim/lift", *ids)).otherwise(0.0)
    spread = F.sqrt(F.col("own_spread") * F.col("own_spread") * 0.35 + F.col("spread") * F.col("spread") * 0.65)
    surprise = F.when(d.chance("amount/big", 0.012, *ids), 1.1).otherwise(0.0)
    usual = F.exp(F.col("level") + F.col("boost") + lift + surprise + F.col("trade_level") + F.col("z") * spread)
    frame = frame.withColumn("z", d.normal("amount", *ids))
    shown = F.when(F.col("category") == "6011", F.greatest(rounded(usual, -1), F.lit(10.0))).otherwise(usual)
    amount = rounded(F.least(F.greatest(F.coalesce(F.col("fixed"), shown), F.lit(0.5)), F.lit(9500.0)))
    frame = frame.withColumn("amount", amount)
    reading = d.uniform("entry", *ids)
    entry = (
        F.when(F.col("online"), "81")
        .when(F.col("entry").isNotNull(), F.col("entry"))
        .when(reading < F.when(F.col("skimmed"), 0.2).when(F.col("country") == "DE", 0.015).otherwise(0.05), "90")
        .when((F.col("amount") <= 50) & (reading < 0.85), "07")
        .otherwise("05")
    )
    far_x, far_y = F.col("x") - F.col("home_x"), F.col("y") - F.col("home_y")
    utc = local_to_utc(F.col("t"))
    return frame.select(
        F.concat(F.lit("p_"), F.lpad(F.lower(F.hex(d.hash("payment", *ids))), 16, "0")).alias("payment_id"),
        utc.alias("paid_at"),
        "c",
        "card",
        "terminal",
        "category",
        "country",
        "amount",
        entry.alias("entry_mode"),
        rounded(F.sqrt(far_x * far_x + far_y * far_y), 1).alias("distance_km"),
        F.timestamp_micros(F.unix_micros(utc) + F.floor(_delay(d, ids) * 1000) * 1000).alias("sent_at"),
        F.when(F.col("skimmed"), "skimmed_terminal").otherwise(F.col("fraud")).alias("fraud"),
    )


def _delay(d: Draws, ids: tuple[Column, ...]) -> Column:
    """Seconds until the processor sends a payment: about 90; hours for one in a hundred, days for three in 1000."""
    fate = d.uniform("sent/fate", *ids)
    usual = F.exp(F.lit(4.5) + 0.8 * d.normal("sent", *ids))
    long = d.uniform("sent/long", *ids)
    return (
        F.when(fate < 0.003, DAY * (1 + 3 * long))
        .when(fate < 0.013, 3600 * (1 + 11 * long))
        .otherwise(F.least(usual, F.lit(1500.0)) + 2)
    )
