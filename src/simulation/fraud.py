"""What criminals do with cards. Each behaviour is a plan of extra payments; skimming turns honest payments into frauds.

The mix and the strength change by month: stolen cards become rarer, online testing and take-overs more common and more
careful, so a model that is not retrained grows stale.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.simulation.draws import choose
from finlake.simulation.world import HORIZON_DAYS, ONLINE, PER_DISTRICT, Cast, World

HOUR, DAY, MONTH = 3600, 86_400, 30
BEHAVIOURS = ("stolen_card", "card_testing", "account_takeover", "bust_out", "skimmed_terminal")
# Incidents for each card and month at the start and at the end of the period.
HAZARD = {
    "stolen_card": (0.0115, 0.0080),
    "card_testing": (0.0050, 0.0080),
    "account_takeover": (0.0036, 0.0050),
    "bust_out": (0.0010, 0.0013),
}
_RESALE = ((0, 5, 7, 8, 9, 10, 11), (14, 14, 18, 22, 14, 6, 12))  # slots whose goods are easily sold on, and weights


def all_frauds(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """Plans of every behaviour but skimming."""
    made = [
        _stolen(spark, world, cast),
        _testing(spark, world, cast),
        _takeover(spark, world, cast),
        _bust_out(spark, world, cast),
    ]
    frame = made[0]
    for more in made[1:]:
        frame = frame.unionByName(more)
    return frame.where(F.col("t") < HORIZON_DAYS * DAY)


def _incidents(spark: SparkSession, world: World, cast: Cast, behaviour: str) -> DataFrame:
    """One row for each incident: card, its owner's surroundings, `i` (id), `start` in seconds, `late` from 0 to 1."""
    d = world.draws
    months = spark.range(HORIZON_DAYS // MONTH + 1).select(F.col("id").alias("month"))
    people = cast.customers.select("c", "district", "city_from", "city_size", "night_share")
    frame = cast.cards.select("c", "card").crossJoin(F.broadcast(months))
    first, last = HAZARD[behaviour]
    late = F.least(F.col("month") * MONTH / HORIZON_DAYS, F.lit(1.0))
    frame = frame.withColumn("late", late).where(
        d.chance(f"{behaviour}/happens", first + (last - first) * F.col("late"), F.col("card"), F.col("month"))
    )
    begin = (F.col("month") + d.uniform(f"{behaviour}/start", F.col("card"), F.col("month"))) * (MONTH * DAY)
    frame = frame.withColumn("start", F.floor(begin).cast("bigint"))
    frame = frame.withColumn("i", F.col("card") * 64 + F.col("month"))
    return frame.join(F.broadcast(people), "c")


def _steps(frame: DataFrame, count: Column) -> DataFrame:
    """One row for each payment of an incident: `k` from 1 to `n`."""
    return frame.withColumn("n", count).withColumn("k", F.explode(F.sequence(F.lit(1), F.col("n"))))


def _plan(
    frame: DataFrame,
    behaviour: str,
    t: Column,
    terminal: Column,
    boost: Column,
    fixed: Column | None = None,
    entry: Column | None = None,
) -> DataFrame:
    nothing = F.lit(None)
    return frame.select(
        "c",
        "card",
        F.floor(t).cast("bigint").alias("t"),
        terminal.cast("bigint").alias("terminal"),
        (nothing if fixed is None else fixed).cast("double").alias("fixed"),
        boost.cast("double").alias("boost"),
        (nothing if entry is None else entry).cast("string").alias("entry"),
        F.lit(behaviour).alias("fraud"),
        F.col("i").alias("a"),
        F.col("k").cast("bigint").alias("b"),
    )


def _online(world: World, kinds: tuple[int, ...], stream: str, *ids: Column) -> Column:
    """An online terminal of one of these kinds."""
    d, per_kind = world.draws, world.online // len(ONLINE)
    kind = choose(d.uniform(stream + "/kind", *ids), list(kinds), [1] * len(kinds))
    return world.physical + d.below(stream, per_kind, *ids) * len(ONLINE) + kind


def _stolen(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """A stolen card is used until it is blocked: a burst over hours, near where it was lost, goods easily sold on."""
    d, ids = world.draws, (F.col("i"), F.col("k"))
    frame = _steps(_incidents(spark, world, cast, "stolen_card"), 3 + d.poisson("stolen/n", 3.6, F.col("i"), most=10))
    span = HOUR * (0.4 + 13 * F.pow(d.uniform("stolen/span", F.col("i")), F.lit(3.0)))
    t = F.col("start") + span * (F.col("k") - 1 + d.uniform("stolen/t", *ids)) / F.col("n")
    place = d.uniform("stolen/place", *ids)
    city = F.col("city_from") + d.below("stolen/city", F.col("city_size"), *ids)
    district = F.when(place < 0.35, F.col("district")).otherwise(city)
    slot = choose(d.uniform("stolen/slot", *ids), list(_RESALE[0]), list(_RESALE[1]))
    shop = district * PER_DISTRICT + slot
    terminal = F.when(place > 0.85, _online(world, (0, 3), "stolen/online", *ids)).otherwise(shop)
    boost = 1.05 - 0.25 * F.col("late") + 0.45 * d.normal("stolen/boost", *ids)
    return _plan(frame, "stolen_card", t, terminal, boost)


def _testing(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """A leaked number is tried with small online payments; if they pass, large ones follow within a day."""
    d, ids = world.draws, (F.col("i"), F.col("k"))
    frame = _incidents(spark, world, cast, "card_testing").withColumn(
        "tests", 1 + d.poisson("test/n", 1.6, F.col("i"), most=6)
    )
    frame = _steps(frame, F.col("tests") + 1 + d.poisson("test/large", 1.9, F.col("i"), most=7))
    small = F.col("k") <= F.col("tests")
    wait = HOUR * (0.5 + (16 + 20 * F.col("late")) * d.uniform("test/wait", F.col("i")))
    early = (F.col("k") - 1 + d.uniform("test/t", *ids)) * (300 + 1500 * F.col("late"))
    later = wait + (F.col("k") - F.col("tests")) * 2 * HOUR * d.uniform("test/gap", *ids)
    t = F.col("start") + F.when(small, early).otherwise(F.col("tests") * 1800 + later)
    fixed = F.when(small, F.round(0.6 + 7 * F.pow(d.uniform("test/amount", *ids), F.lit(1.3)), 2))
    terminal = F.when(small, _online(world, (1, 0), "test/small", *ids)).otherwise(
        _online(world, (0, 2, 3), "test/big", *ids)
    )
    boost = 0.95 - 0.25 * F.col("late") + 0.45 * d.normal("test/boost", *ids)
    return _plan(frame, "card_testing", t, terminal, boost, fixed)


def _takeover(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """Somebody else uses the account for days: other places, other hours, amounts only a little higher."""
    d, ids = world.draws, (F.col("i"), F.col("k"))
    frame = _steps(
        _incidents(spark, world, cast, "account_takeover"), 5 + d.poisson("take/n", 5.5, F.col("i"), most=12)
    )
    days = 1 + 4 * d.uniform("take/days", F.col("i"))
    day = F.floor(F.col("start") / DAY + days * d.uniform("take/day", *ids))
    shifted = 1 + 4.5 * d.uniform("take/shift", F.col("i")) + 1.6 * d.normal("take/hour", *ids)
    t = day * DAY + F.pmod(F.floor(shifted * HOUR), F.lit(DAY))
    far = d.below("take/district", world.districts, F.col("i"))
    district = F.when(d.chance("take/same", 0.85, *ids), far).otherwise(d.below("take/any", world.districts, *ids))
    slot = choose(d.uniform("take/slot", *ids), list(range(PER_DISTRICT)), [10, 6, 4, 8, 6, 8, 3, 9, 9, 9, 5, 4])
    online = d.chance("take/online", 0.4 + 0.2 * F.col("late"), *ids)
    terminal = F.when(online, _online(world, (0, 1, 2, 3), "take/web", *ids)).otherwise(district * PER_DISTRICT + slot)
    boost = 0.6 - 0.15 * F.col("late") + 0.5 * d.normal("take/boost", *ids)
    return _plan(frame, "account_takeover", t, terminal, boost)


def _bust_out(spark: SparkSession, world: World, cast: Cast) -> DataFrame:
    """The holder means to vanish: spending quickens and grows for a week, at shops he never used."""
    d, ids = world.draws, (F.col("i"), F.col("k"))
    frame = _steps(_incidents(spark, world, cast, "bust_out"), 12 + d.poisson("bust/n", 8, F.col("i"), most=16))
    progress = (F.col("k") - 1 + d.uniform("bust/t", *ids)) / F.col("n")
    t = F.col("start") + F.floor(8 * F.sqrt(progress)) * DAY + HOUR * (8 + 13 * d.uniform("bust/hour", *ids))
    city = F.col("city_from") + d.below("bust/city", F.col("city_size"), *ids)
    slot = choose(d.uniform("bust/slot", *ids), list(_RESALE[0]), list(_RESALE[1]))
    boost = 0.4 + 0.9 * progress + 0.4 * d.normal("bust/boost", *ids)
    return _plan(frame, "bust_out", t, city * PER_DISTRICT + slot, boost)
