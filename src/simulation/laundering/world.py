"""Who banks here and with whom: customers, accounts, outside counterparties, countries and their risk lists.

Roles are arithmetic on the numbers of customers, accounts and counterparties, so that "a company", "a dormant account"
or "a landlord" is drawn without a join.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation.draws import Draws, choose, lookup, rounded
from finlake.simulation.world import DAYS_TO_CLOCK

# Codes from QM on are those that ISO 3166 leaves to users: places that exist only here, so that nothing is said about
# a real country. Level 0 is unlisted, 1 under increased monitoring, 2 high risk; the day is counted from the first of
# the simulation and says when the bank learns of the new level.
COUNTRIES = ("DE", "AT", "NL", "FR", "BE", "PL", "CZ", "CH", "IT", "ES", "LU", "SE", "GB", "US", "CA", "JP", "SG", "AU")
INVENTED = {
    "QM": (2, None, 2),
    "QN": (1, None, 1),
    "QO": (1, None, 1),
    "QP": (0, 101, 1),
    "QQ": (1, 101, 0),
    "QR": (0, 160, 1),
    "QS": (0, None, 0),
}
ALL_COUNTRIES = (*COUNTRIES, *INVENTED)
NEVER = 100_000
SECTORS = ("retail", "gastronomy", "import_export", "construction", "consulting", "property", "transport")
CASH_SHARE = (0.50, 0.60, 0.02, 0.05, 0.0, 0.0, 0.08)
FOREIGN_SHARE = (0.08, 0.03, 0.55, 0.05, 0.10, 0.03, 0.25)
COMPANY_EVERY, DORMANT_EVERY, DORMANT = 7, 29, 11
# Of each block of outside counterparties; those abroad share a country by block.
_HOME = ("merchant",) * 8 + ("landlord",) * 2 + ("employer",) * 2 + ("company",) * 3 + ("person",) * 3
KINDS: tuple[str, ...] = (*_HOME, "foreign_company", "foreign_person")
BLOCK = len(KINDS)
# Branches lie in these cities; latitude and longitude.
CITIES = ((52.52, 13.40), (53.55, 9.99), (48.14, 11.58), (50.94, 6.96), (50.11, 8.68), (51.34, 12.37), (48.78, 9.18))
PER_ACCOUNT = (25, 2_000)  # transfers of an account: at least salary, rent and some others


@dataclass(frozen=True)
class Bank:
    """Sizes; everything else follows from the seed."""

    draws: Draws
    accounts: int
    transfers: int

    @classmethod
    def sized(cls, accounts: int, transfers: int, seed: int) -> Bank:
        """A bank whose accounts have about `transfers` bookings up to the clock.

        Raises:
            ConfigError: accounts out of range, or too few or too many transfers for them.
        """
        if not 100 <= accounts <= 50_000_000:
            raise ConfigError(f"accounts must be between 100 and 50,000,000, got {accounts:,}")
        least, most = (accounts * each for each in PER_ACCOUNT)
        if not least <= transfers <= most:
            raise ConfigError(
                f"transfers must be between {least:,} and {most:,} for {accounts:,} accounts, got {transfers:,}"
            )
        return cls(Draws(seed), accounts, transfers)

    @property
    def customers(self) -> int:
        return round(self.accounts * 0.8)

    @property
    def companies(self) -> int:
        return self.customers // COMPANY_EVERY

    @property
    def blocks(self) -> int:
        """Blocks of outside counterparties; every country abroad has equally many."""
        abroad = len(ALL_COUNTRIES) - 1
        return abroad * max(4, self.accounts // (BLOCK * abroad))

    @property
    def branches(self) -> int:
        return max(3 * len(CITIES), self.accounts // 200)

    @property
    def everyday(self) -> float:
        """Bookings an account makes in a day besides what comes every month."""
        return (self.transfers / self.accounts - 18.0) / DAYS_TO_CLOCK

    def usual_invoice(self, monthly: Column) -> Column:
        """EUR of a typical booking of a firm with this income a month."""
        return monthly / (26 * self.everyday * 1.8 + 4)

    def near(self, stream: str, a: Column, *ids: Column, stride: int = 1) -> Column:
        """Another account among a few dozen; `stride` 7 leads from firm to firm."""
        most = min(40, (self.accounts - 1) // stride)
        return (a + stride * (1 + self.draws.below(stream, most, *ids))) % self.accounts

    def outside(self, kind: str, block: Column, which: Column | int = 0) -> Column:
        """Number of the counterparty of this kind in a block; `which` where there are several."""
        return block * BLOCK + KINDS.index(kind) + which

    def some(self, kind: str, stream: str, *ids: Column) -> Column:
        """Any outside counterparty of a kind."""
        return self._in_block(kind, stream, self.draws.below(f"{stream}/block", self.blocks, *ids), *ids)

    def shell(self, stream: str, *ids: Column) -> Column:
        """A foreign company, rather often in one of the invented countries, of which most are listed."""
        d, abroad = self.draws, len(ALL_COUNTRIES) - 1
        block = d.below(f"{stream}/block", self.blocks, *ids)
        listed = block - block % abroad + len(COUNTRIES) - 1 + d.below(f"{stream}/listed", len(INVENTED), *ids)
        block = F.when(d.chance(f"{stream}/lists", 0.3, *ids), listed).otherwise(block)
        return self._in_block("foreign_company", stream, block, *ids)

    def _in_block(self, kind: str, stream: str, block: Column, *ids: Column) -> Column:
        return self.outside(kind, block, self.draws.below(f"{stream}/which", KINDS.count(kind), *ids))


def company(c: Column) -> Column:
    return c % COMPANY_EVERY == COMPANY_EVERY - 1


def sector(c: Column, values: Sequence[str | float] = SECTORS) -> Column:
    """What belongs to the sector of a company."""
    return lookup(F.floor(c / COMPANY_EVERY) % len(SECTORS), values)


def dormant(a: Column) -> Column:
    return a % DORMANT_EVERY == DORMANT


def owner(bank: Bank, a: Column) -> Column:
    """Customer of an account; the first accounts are each customer's own, the others second ones."""
    return F.when(a < bank.customers, a).otherwise(bank.draws.below("account/owner", bank.customers, a))


def segment(bank: Bank, c: Column) -> Column:
    private = bank.draws.pick("segment", {"standard": 62, "student": 12, "retired": 16, "wealthy": 10}, c)
    firm = bank.draws.pick("segment/firm", {"small": 70, "medium": 25, "large": 5}, c)
    return F.when(company(c), firm).otherwise(private)


def income(bank: Bank, c: Column) -> Column:
    """EUR a month that honestly come in."""
    d = bank.draws
    size = F.create_map(*[F.lit(x) for pair in _SIZES.items() for x in pair])[segment(bank, c)]
    level = F.when(company(c), 9.7 + 0.5 * d.normal("income/firm", c)).otherwise(7.75 + 0.35 * d.normal("income", c))
    return F.exp(level) * size


_SIZES = {
    "standard": 1.0,
    "student": 0.38,
    "retired": 0.8,
    "wealthy": 3.6,
    "small": 1.0,
    "medium": 2.5,
    "large": 7.0,
}


def expected_turnover(bank: Bank, c: Column) -> Column:
    """EUR a month the customer said would come in when asked; not always near what does."""
    return F.floor(income(bank, c) * 1.2 * F.exp(0.3 * bank.draws.normal("expected", c)) / 100 + 1) * 100.0


def country_number(counterparty: Column) -> Column:
    """Index into `ALL_COUNTRIES` of an outside counterparty; those at home are in Germany."""
    abroad = counterparty % BLOCK >= KINDS.index("foreign_company")
    return F.when(abroad, 1 + F.floor(counterparty / BLOCK) % (len(ALL_COUNTRIES) - 1)).otherwise(0)


def risk_level(country: Column, day: Column) -> Column:
    """Level of a country's listing as the bank knows it on a day of the simulation."""
    rows = [(0, None, 0)] * len(COUNTRIES) + list(INVENTED.values())
    changed = day >= lookup(country, [NEVER if row[1] is None else row[1] for row in rows])
    return F.when(changed, lookup(country, [row[2] for row in rows])).otherwise(lookup(country, [r[0] for r in rows]))


def accounts(spark: SparkSession, bank: Bank) -> DataFrame:
    """One row for each account `a` with its owner `c` and the habits that shape bookings."""
    d, a, c = bank.draws, F.col("a"), F.col("c")
    frame = spark.range(bank.accounts).select(F.col("id").alias("a")).withColumn("c", owner(bank, a))
    pace = F.exp(0.5 * d.normal("pace", a) - 0.125) * F.when(company(c), 1.8).otherwise(0.9)
    return frame.select(
        "a",
        "c",
        company(c).alias("company"),
        dormant(a).alias("dormant"),
        segment(bank, c).alias("segment"),
        F.when(company(c), sector(c, CASH_SHARE)).otherwise(0.0).alias("cash"),
        F.when(company(c), sector(c, FOREIGN_SHARE)).otherwise(0.05).alias("foreign"),
        (income(bank, c) * F.when(a < bank.customers, 1.0).otherwise(0.4)).alias("income"),
        F.when(dormant(a), 0.0).otherwise(pace).alias("pace"),
        (a >= bank.customers).alias("second"),
        d.below("home/branch", bank.branches, c).alias("branch"),
    )


def branch_place(bank: Bank, branch: Column) -> tuple[Column, Column]:
    """Latitude and longitude of a branch, within a dozen kilometres of its city's centre."""
    city = branch % len(CITIES)
    near = [0.05 * bank.draws.normal(f"branch/{side}", branch) for side in ("north", "east")]
    lat, lon = (lookup(city, [place[k] for place in CITIES]) + near[k] for k in (0, 1))
    return rounded(lat, 4), rounded(lon, 4)


def account_name(a: Column) -> Column:
    return F.concat(F.lit("a_"), F.lpad(a.cast("string"), 7, "0"))


def counterparty_name(x: Column) -> Column:
    return F.concat(F.lit("x_"), F.lpad(x.cast("string"), 7, "0"))


def kind_of(x: Column) -> Column:
    return lookup(x % BLOCK, KINDS)


def bank_of(bank: Bank, x: Column) -> Column:
    """Made-up name of the counterparty's bank."""
    names = ("Handelsbank", "Volksbank", "Trust", "Credit", "Union Bank", "Merchant Bank")
    name = choose(bank.draws.uniform("bank/name", x), names, [1] * len(names))
    return F.concat_ws(" ", name, lookup(country_number(x), ALL_COUNTRIES))
