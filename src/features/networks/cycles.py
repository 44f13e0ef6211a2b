"""Money that comes back: payments in increasing time that lead from an account over others to itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.features.networks.answers import windows_at
from finlake.features.networks.edges import Stage, micros, transfers
from finlake.features.windows.answers import Part

LENGTHS = range(2, 6)
_PATH = ("start", "end", "opened", "closed", "paid", "got", "ids", "accounts", "since", "until")


@dataclass(frozen=True)
class CycleLimits:
    """What counts as a cycle, and how much of a very busy account is looked at.

    Attributes:
        within: longest time from the first payment to the last.
        growth: no payment exceeds the one before it by more than this factor.
        longest: most payments of a cycle, 2 to 5.
        per_account: most payments of an account on each side in a period of length `within`; see `Cycles.left_out`.
    """

    within: timedelta = timedelta(days=3)
    growth: float = 1.0
    longest: int = 5
    per_account: int = 100

    def __post_init__(self) -> None:
        if self.longest not in LENGTHS:
            raise ConfigError(f"cycles of up to {self.longest} payments are asked for; possible are 2 to 5")
        if self.within <= timedelta() or self.per_account < 1:
            raise ConfigError(
                f"cycles need a positive time and number, not within={self.within}, per_account={self.per_account}"
            )


@dataclass(frozen=True)
class Cycles:
    """Cycles, and what was not looked at for them.

    Attributes:
        found: cycle (its edge_ids from the lowest one on), length, accounts (in the order of the money), opened, closed
            (microseconds), and since, until: the time in which all its payments were known as they are here.
        left_out: account, incoming, edge_id, at, since, until: payments of an account beyond `per_account`. Cycles over
            them are not found.
    """

    found: DataFrame
    left_out: DataFrame


def cycles(edges: DataFrame, limits: CycleLimits, stage: Stage) -> Cycles:
    """All simple temporal cycles (Kumar and Calders, "2SCENT", 2018) of two to five payments.

    Times increase strictly, so a cycle has one first payment and is found once. Paths of one to three payments are joined
    with each other on account and period, cycles of four and five from two paths that meet at both ends. So the largest
    intermediate result are paths of three payments, and `per_account` bounds by how much a join multiplies.

    Which payments of a busy account count is decided in the order in which they became known, hence never by later ones.
    Payments of unknown amount are in no cycle.
    """
    span = micros(limits.within)
    ranked = stage("cycle_edges", _ranked(transfers(edges).filter("amount IS NOT NULL"), span))
    most = limits.per_account
    kept = ranked.filter((F.col("paid_place") <= most) & (F.col("got_place") <= most))
    one = stage("cycle_paths_1", _paths(_with_neighbours(kept, span)))
    joined = {1: one}
    for length in range(2, (limits.longest + 1) // 2 + 1):
        joined[length] = stage(f"cycle_paths_{length}", _joined(joined[length - 1], one, limits, closing=False))
    found = [
        _joined(joined[(length + 1) // 2], joined[length // 2], limits, closing=True)
        for length in range(2, limits.longest + 1)
    ]
    lowest = F.array_position("ids", F.array_min("ids")).cast("int")
    turned = F.concat(F.slice("ids", lowest, F.size("ids")), F.slice("ids", F.lit(1), lowest - 1))
    rows = reduce(DataFrame.unionByName, found).select(
        F.concat_ws("|", turned).alias("cycle"), F.size("ids").alias("length"),
        "accounts", "opened", "closed", "since", "until",
    )  # fmt: skip
    return Cycles(stage("cycles", rows), _left_out(ranked, most))


def cycle_counts(made: Cycles, asked: DataFrame, windows: Mapping[str, timedelta], longest: int) -> DataFrame:
    """Cycles that an account was part of and that closed in [t - length, t), as known at t.

    Args:
        made: of `cycles`.
        asked: account (text), as_of (microseconds since 1970), distinct.
        windows: lengths by the name that ends the columns' names.
        longest: the limit they were looked for with.

    Returns:
        as_of, account, and for each window `cycles_<n>_<w>` for each number of payments n, and
        `cycles_unseen_<w>`: how many of the account's payments in the window were left out of the search. None is null.
    """
    counted = [f"cycles_{n}" for n in range(2, longest + 1)]
    closing = made.found.select(
        F.explode("accounts").alias("account"), F.col("closed").alias("at"), "since", "until",
        *(F.when(F.col("length") == n, F.lit(1)).cast("bigint").alias(f"cycles_{n}") for n in range(2, longest + 1)),
    )  # fmt: skip
    unseen = made.left_out.select("account", "at", "since", "until", F.lit(1).cast("bigint").alias("cycles_unseen"))
    parts = [
        Part(f"{name}_{window}", "count", name, -micros(length), -1)
        for window, length in windows.items()
        for name in (*counted, "cycles_unseen")
    ]
    return windows_at(closing.unionByName(unseen, allowMissingColumns=True), asked, parts)


def _ranked(payments: DataFrame, span: int) -> DataFrame:
    """Adds the period of a payment and its place among those of its payer and of its payee in it."""

    def place(side: str) -> Column:
        return F.row_number().over(Window.partitionBy(side, "period").orderBy("since", "edge_id"))

    dated = payments.withColumn("period", F.floor(F.col("at") / span).cast("bigint"))
    return dated.withColumns({"paid_place": place("source"), "got_place": place("target")})


def _left_out(ranked: DataFrame, most: int) -> DataFrame:
    def beyond(side: str, place: str, incoming: bool) -> DataFrame:
        columns = (F.col(side).alias("account"), F.lit(incoming).alias("incoming"), "edge_id", "at", "since", "until")
        return ranked.filter(F.col(place) > most).select(*columns)

    return beyond("source", "paid_place", False).unionByName(beyond("target", "got_place", True))


def _with_neighbours(payments: DataFrame, span: int) -> DataFrame:
    """Payments whose payer received and whose payee paid something in the same period or one beside it."""
    around = F.explode(F.array(*(F.col("period") + step for step in (-1, 0, 1)))).alias("period")
    paying = payments.select(F.col("source").alias("target"), "period").distinct().select("target", around).distinct()
    receiving = (
        payments.select(F.col("target").alias("source"), "period").distinct().select("source", around).distinct()
    )
    kept = payments.join(paying, ["target", "period"], "left_semi")
    return kept.join(receiving, ["source", "period"], "left_semi")


def _paths(payments: DataFrame) -> DataFrame:
    return payments.select(
        F.col("source").alias("start"), F.col("target").alias("end"), F.col("at").alias("opened"),
        F.col("at").alias("closed"), F.col("amount").alias("paid"), F.col("amount").alias("got"),
        F.array("edge_id").alias("ids"), F.array("source").alias("accounts"), "since", "until",
    )  # fmt: skip


def _joined(first: DataFrame, second: DataFrame, limits: CycleLimits, closing: bool) -> DataFrame:
    """Paths that go on with another one; closing: those that come back to where they began.

    Both sides carry the periods in which the second may begin, so the join compares few times of a busy account.
    """
    span = micros(limits.within)

    def period(column: str) -> Column:
        return F.floor(F.col(column) / span).cast("bigint")

    periods = F.explode(F.sequence(period("closed"), period("opened") + 1))
    left = first.select(*(F.col(name).alias(f"a_{name}") for name in _PATH), periods.alias("period"))
    right = second.select(*(F.col(name).alias(f"b_{name}") for name in _PATH), period("opened").alias("period"))
    a, b = ({name: F.col(f"{side}_{name}") for name in _PATH} for side in "ab")
    since, until = F.greatest(a["since"], b["since"]), F.least(a["until"], b["until"])
    goes_on = (left["period"] == right["period"]) & (a["end"] == b["start"])
    if closing:
        goes_on &= b["end"] == a["start"]
    else:
        goes_on &= ~F.array_contains(a["accounts"], b["end"])
    goes_on &= (b["opened"] > a["closed"]) & (b["closed"] <= a["opened"] + span) & (since < until)
    goes_on &= (b["paid"] <= a["got"] * F.lit(limits.growth)) & ~F.arrays_overlap(a["accounts"], b["accounts"])
    return left.join(right, goes_on).select(
        a["start"].alias("start"), b["end"].alias("end"), a["opened"].alias("opened"), b["closed"].alias("closed"),
        a["paid"].alias("paid"), b["got"].alias("got"), F.concat(a["ids"], b["ids"]).alias("ids"),
        F.concat(a["accounts"], b["accounts"]).alias("accounts"), since.alias("since"), until.alias("until"),
    )  # fmt: skip
