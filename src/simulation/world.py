"""Where payments happen: cities, districts, terminals, customers and their cards.

Districts hold twelve terminals each, so a customer's near terminals are a matter of arithmetic and the world grows to
ten million payments without a join of everyone with everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation.draws import Draws, choose, lookup

CLOCK = datetime(2025, 10, 15, tzinfo=UTC)  # the moment the demo pretends it is
START = date(2025, 3, 15)
DAYS_TO_CLOCK = (CLOCK.date() - START).days
HORIZON_DAYS = DAYS_TO_CLOCK + 21  # so that the files of later days can be asked for
ZONE = "Europe/Berlin"

# name, country, km east and north of Berlin, weight as a home
CITIES = (
    ("Berlin", "DE", 0, 0, 18),
    ("Hamburg", "DE", -232, 114, 11),
    ("München", "DE", -124, -486, 11),
    ("Köln", "DE", -438, -175, 9),
    ("Frankfurt", "DE", -321, -267, 8),
    ("Düsseldorf", "DE", -451, -143, 7),
    ("Leipzig", "DE", -70, -131, 6),
    ("Nürnberg", "DE", -158, -341, 5),
    ("Wien", "AT", 202, -478, 7),
    ("Zürich", "CH", -330, -572, 3),
    ("Amsterdam", "NL", -578, -17, 5),
    ("Straßburg", "FR", -384, -438, 3),
    ("Posen", "PL", 240, -12, 4),
    ("Prag", "CZ", 69, -270, 3),
)
# Category code of each of a district's twelve terminals, usual amount and its spread on a log scale.
SLOTS = (
    ("5411", 3.1, 0.7),
    ("5411", 3.2, 0.7),
    ("5411", 2.6, 0.7),
    ("5812", 3.1, 0.6),
    ("5812", 2.4, 0.6),
    ("5541", 3.9, 0.4),
    ("5912", 2.8, 0.6),
    ("5651", 3.9, 0.7),
    ("5732", 4.4, 0.9),
    ("6011", 4.4, 0.6),
    ("7011", 4.7, 0.6),
    ("5944", 4.6, 0.9),
)
ONLINE = (("5999", 3.6, 0.8), ("5816", 2.0, 0.7), ("4722", 4.7, 0.8), ("5732", 4.3, 0.9))
PER_DISTRICT = len(SLOTS)
_FIRST = (
    "Anna",
    "Jürgen",
    "Mia",
    "Björn",
    "Lena",
    "Özgür",
    "Clara",
    "Jörg",
    "Sofia",
    "Günther",
    "Emma",
    "René",
    "Paula",
    "Søren",
    "Käthe",
    "Tomáš",
    "Ida",
    "Łukasz",
    "Maja",
    "Uwe",
)
_LAST = (
    "Müller",
    "Schmidt",
    "Weiß",
    "Krüger",
    "Yılmaz",
    "Schäfer",
    "Koch",
    "Groß",
    "Nowak",
    "Vogel",
    "Böhm",
    "Lang",
    "Fröhlich",
    "de Vries",
    "Novák",
    "Huber",
    "Jäger",
    "Peters",
    "Brandt",
    "Öztürk",
)
_LATIN_FIRST = tuple(n for n in _FIRST if n not in ("Łukasz", "Tomáš"))
_LATIN_LAST = tuple(n for n in _LAST if n not in ("Yılmaz", "Novák"))


@dataclass(frozen=True)
class World:
    """Sizes, all from the number of payments asked for."""

    draws: Draws
    customers: int
    districts: int
    online: int

    @classmethod
    def sized(cls, payments: int, seed: int) -> World:
        """A world whose customers make about `payments` payments up to the clock.

        Raises:
            ConfigError: fewer than a thousand, or more than a hundred million.
        """
        if not 1_000 <= payments <= 100_000_000:
            raise ConfigError(f"payments must be between 1,000 and 100,000,000, got {payments:,}")
        customers = max(20, round(payments / (DAYS_TO_CLOCK * 1.135)))
        districts = max(2 * len(CITIES), round(customers * 0.45 / PER_DISTRICT))
        return cls(Draws(seed), customers, districts, max(24, districts))

    @property
    def physical(self) -> int:
        return self.districts * PER_DISTRICT

    @property
    def terminals(self) -> int:
        return self.physical + self.online

    @property
    def bounds(self) -> list[int]:
        """First district of each city, and the number of districts; every city has at least one."""
        total, upto, firsts = sum(c[4] for c in CITIES), 0, [0]
        spare = self.districts - len(CITIES)
        for position, city in enumerate(CITIES, 1):
            upto += city[4]
            firsts.append(position + round(spare * upto / total))
        return firsts

    def city_of(self, district: Column) -> Column:
        """Index of the city a district lies in."""
        city = F.lit(0)
        for first in self.bounds[1:-1]:
            city = city + (district >= first).cast("int")
        return city

    def place(self, district: Column, city: Column) -> tuple[Column, Column]:
        """Centre of a district in km."""
        x = lookup(city, [float(c[2]) for c in CITIES]) + self.draws.normal("district/x", district) * 7
        y = lookup(city, [float(c[3]) for c in CITIES]) + self.draws.normal("district/y", district) * 7
        return x, y


@dataclass(frozen=True)
class Cast:
    """Who and where: the frames that everything else is drawn from."""

    customers: DataFrame
    cards: DataFrame
    terminals: DataFrame

    @classmethod
    def of(cls, spark: SparkSession, world: World) -> Cast:
        people = customers(spark, world)
        return cls(people, cards(people, world), terminals(spark, world))


def terminal_name(index: Column) -> Column:
    return F.concat(F.lit("t_"), F.lpad(index.cast("string"), 5, "0"))


def customer_name(index: Column) -> Column:
    return F.concat(F.lit("c_"), F.lpad(index.cast("string"), 6, "0"))


def person(draws: Draws, stream: str, who: Column, latin: bool = False) -> Column:
    """A made-up name; `latin` keeps to letters that ISO-8859-1 has."""
    first, last = (_LATIN_FIRST, _LATIN_LAST) if latin else (_FIRST, _LAST)
    return F.concat_ws(
        " ",
        choose(draws.uniform(stream + "/first", who), first, [1] * len(first)),
        choose(draws.uniform(stream + "/last", who), last, [1] * len(last)),
    )


def terminals(spark: SparkSession, world: World) -> DataFrame:
    """One row for each terminal, with when and how strongly criminals have a device on it."""
    d, t = world.draws, F.col("t")
    district = F.floor(t / PER_DISTRICT).cast("bigint")
    online = t >= world.physical
    slot = F.when(online, (t - world.physical) % len(ONLINE)).otherwise(t % PER_DISTRICT)
    frame = (
        spark.range(world.terminals)
        .select(F.col("id").alias("t"))
        .select(
            t,
            online.alias("online"),
            slot.alias("slot"),
            F.when(online, d.below("terminal/seat", world.districts, t)).otherwise(district).alias("district"),
        )
    )
    city = world.city_of(F.col("district"))
    frame = frame.withColumn("city", city)
    x, y = world.place(F.col("district"), F.col("city"))
    for name, position in (("category", 0), ("level", 1), ("spread", 2)):
        online_value = lookup(F.col("slot"), [row[position] for row in ONLINE])
        value = F.when(F.col("online"), online_value).otherwise(lookup(F.col("slot"), [row[position] for row in SLOTS]))
        frame = frame.withColumn(name, value)
    # Two chances to be skimmed, one in each half of the period; later devices are found a little sooner.
    half = HORIZON_DAYS // 2
    for part in (0, 1):
        hit = d.chance(f"skim/{part}", 0.014, t)
        first = d.below(f"skim/day/{part}", half - 5, t) + part * half
        last = first + 30 - 4 * part + d.below(f"skim/length/{part}", 34, t)
        frame = frame.withColumn(f"skim{part}_from", F.when(hit, first)).withColumn(f"skim{part}_to", F.when(hit, last))
    return frame.select(
        "*",
        F.when(~F.col("online"), F.round(x + d.normal("terminal/x", t) * 1.2, 2)).alias("x"),
        F.when(~F.col("online"), F.round(y + d.normal("terminal/y", t) * 1.2, 2)).alias("y"),
        lookup(F.col("city"), [c[1] for c in CITIES]).alias("country"),
        lookup(F.col("city"), [c[0] for c in CITIES]).alias("city_name"),
        (d.uniform("skim/strength", t) * 0.4 + 0.3).alias("skim_strength"),
        F.when(d.chance("terminal/new", 0.06, t), d.below("terminal/told", 195, t)).alias("told_day"),
    )


def customers(spark: SparkSession, world: World) -> DataFrame:
    """One row for each customer with the habits that shape payments."""
    d, c = world.draws, F.col("c")
    frame = spark.range(world.customers).select(F.col("id").alias("c"))
    frame = frame.withColumn("district", d.below("customer/district", world.districts, c))
    frame = frame.withColumn("city", world.city_of(F.col("district")))
    x, y = world.place(F.col("district"), F.col("city"))
    bounds = world.bounds
    night_owl = d.chance("customer/owl", 0.1, c)
    return frame.select(
        "*",
        lookup(F.col("city"), bounds[:-1]).cast("bigint").alias("city_from"),
        lookup(F.col("city"), [b - a for a, b in pairwise(bounds)]).cast("bigint").alias("city_size"),
        F.round(x + d.normal("customer/x", c) * 1.5, 2).alias("home_x"),
        F.round(y + d.normal("customer/y", c) * 1.5, 2).alias("home_y"),
        F.exp(d.normal("customer/rate", c) * 0.55 - 0.15).alias("rate"),
        (d.normal("customer/level", c) * 0.4).alias("level"),
        (0.55 + d.uniform("customer/spread", c) * 0.5).alias("spread"),
        (F.pow(d.uniform("customer/online", c), F.lit(1.6)) * 0.55).alias("online_share"),
        F.when(night_owl, 0.32).otherwise(d.uniform("customer/night", c) * 0.07).alias("night_share"),
        (d.uniform("customer/weekend", c) * 0.9 + 0.6).alias("weekend"),
        (1 + d.chance("customer/second", 0.34, c).cast("int") + d.chance("customer/third", 0.05, c).cast("int")).alias(
            "cards"
        ),
    )


def card_number(draws: Draws, card: Column) -> Column:
    """A made-up number that passes the Luhn check, from a range kept for tests; one to one with `card` below 1e9."""
    serial = (card * 387420489 + draws.seed * 7919 + 271828182) % 1_000_000_000
    body = F.concat(F.lit("400000"), F.lpad(serial.cast("string"), 9, "0"))
    total = F.lit(0)
    for position in range(15):
        digit = F.substring(body, position + 1, 1).cast("int")
        doubled = digit * 2
        total = total + (F.when(doubled > 9, doubled - 9).otherwise(doubled) if position % 2 == 0 else digit)
    return F.concat(body, ((10 - total % 10) % 10).cast("string"))


def cards(people: DataFrame, world: World) -> DataFrame:
    """One row for each card; `card` = customer * 4 + position."""
    d, card = world.draws, F.col("card")
    frame = people.select("c", F.explode(F.sequence(F.lit(0), F.col("cards") - 1)).alias("j"))
    frame = frame.select("c", "j", (F.col("c") * 4 + F.col("j")).alias("card"))
    kind = F.when((F.col("j") > 0) | d.chance("card/credit", 0.3, card), "C").otherwise("D")
    return frame.select("*", kind.alias("kind"), card_number(d, card).alias("card_number"))


def day_text(day: Column) -> Column:
    """Day of the simulation as yyyy-MM-dd."""
    return F.date_format(F.date_add(F.lit(START), day.cast("int")), "yyyy-MM-dd")


def local_to_utc(seconds: Column) -> Column:
    """Seconds since START on Berlin's clock -> UTC timestamp. Times that the clocks skip move to the next hour."""
    start = int(
        (datetime(START.year, START.month, START.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    )
    return F.to_utc_timestamp(F.timestamp_seconds(seconds + start), ZONE)
