"""Silver's two clocks: rows of one key become versions, each with the time from and until which it was known.

Nothing here reads the time of loading: the same rows give the same versions, however they were split into batches.
"""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config import Clock, Source
from finlake.contracts.contract import clock_column, sequence_column

VERSION, DUPLICATE, CONFLICT, SEEN = "version", "duplicate", "conflict", "seen"
_NARROW = ("_row_id", "_part", "_batch", "known_from", "known_to", "_hash")


def with_clocks(typed: DataFrame, source: Source) -> DataFrame:
    """Adds `event_ts`, `known_from` and `_hash` to typed rows."""
    return typed.withColumns(
        {
            "event_ts": F.col(source.happened_at).cast("timestamp"),
            "known_from": clock_value(source, source.known_at),
            "_hash": values_hash(list(source.silver_columns)),
        }
    )


def clock_value(source: Source, clock: Clock) -> Column:
    """The moment a clock shows; null if its column is. A date counts from its first moment in UTC."""
    if clock.column == "known_at" and clock.column not in source.silver_columns:
        moment = clock_value(source, source.known_at)
    else:
        moment = F.col(clock_column(source, clock)).cast("timestamp")
    return moment + F.expr(clock.plus.interval) if clock.plus else moment


def values_hash(columns: list[str]) -> Column:
    """Hash of the values by column; null adds nothing, so a new empty column does not change it."""
    parts = [F.when(F.col(c).isNotNull(), F.xxhash64(F.lit(c), F.col(c))).otherwise(F.lit(0)) for c in columns]
    return reduce(lambda a, b: a.bitwiseXOR(b), parts)


def timeline(new: DataFrame, source: Source, existing: DataFrame | None = None) -> DataFrame:
    """Sorts the rows of each key into versions and finds when each stopped being known. One shuffle, on the key.

    Args:
        new: typed rows with `with_clocks`; `_arrived_at`, `_file` and `_row` say which came first.
        existing: silver rows of at least all keys of `new`; they keep their place before new ones.

    Returns:
        Rows of `new` and the narrow columns of `existing` (marked by `_known`), with
        `_class`: version, duplicate (same key, sequence and values as an earlier row), conflict (same key and
        sequence, other values) or seen (already in silver); `_first`: the row that was there first; `_ends`: when the
        version is replaced, null for the latest one.
    """
    key, sequence = list(source.key), sequence_column(source)
    order = [
        F.col("_sequence").desc(),
        F.col("_known").desc(),
        F.col("_part"),
        F.col("_arrived_at"),
        F.col("_file"),
        F.col("_row"),
    ]
    rows = new.withColumns(
        {"_sequence": F.col(sequence), "_known": F.lit(False), "_part": F.lit(0), "known_to": _no_time()}
    )
    if existing is not None:
        narrow = list(dict.fromkeys([*key, "_sequence", *_NARROW]))
        held = existing.withColumn("_sequence", F.col(sequence)).select(*narrow).withColumn("_known", F.lit(True))
        rows = rows.unionByName(held, allowMissingColumns=True)
    by_key = Window.partitionBy(*key).orderBy(*order)
    before = by_key.rowsBetween(Window.unboundedPreceding, -1)
    rows = rows.withColumn("_later", F.lag("_sequence").over(by_key))
    rows = rows.withColumn("_head", F.col("_later").isNull() | (F.col("_later") != F.col("_sequence")))
    rows = rows.withColumn("_ends", F.min(F.when(F.col("_head"), F.col("known_from"))).over(before))
    head = F.when(F.col("_head"), F.struct("_row_id", "_hash", "_ends", "_known"))
    rows = rows.withColumn("_of", F.last(head, ignorenulls=True).over(by_key.rowsBetween(Window.unboundedPreceding, 0)))
    same_row = F.col("_of._known") & (F.col("_of._row_id") == F.col("_row_id"))
    kind = (
        F.when(F.col("_known") | F.col("_head"), VERSION)
        .when(same_row, SEEN)
        .when(F.col("_of._hash") == F.col("_hash"), DUPLICATE)
        .otherwise(CONFLICT)
    )
    return rows.withColumns({"_class": kind, "_first": F.col("_of._row_id"), "_ends": F.col("_of._ends")}).drop(
        "_later", "_head", "_of", "_sequence"
    )


def silver_rows(timed: DataFrame, source: Source) -> DataFrame:
    """What changes in silver: every new version in its parts, and known rows whose `known_to` is new (no values).

    The base part has the columns of later clocks empty; each group of them adds a part from its clock on. Intervals
    of one row touch and never overlap; one that would end before it begins is empty (`known_to = known_from`).
    """
    versions, later = timed.where(F.col("_class") == VERSION), source.known_later
    values = list(source.silver_columns)
    columns = [*values, "event_ts", "known_from", "known_to", "_row_id", "_part", "_batch", "_hash", "_known", "_ends"]
    known, fresh = versions.where("_known"), versions.where("NOT _known")
    if later:
        fresh = fresh.withColumn("_one", F.explode(_parts(source)))
        shown = {
            name: F.when(F.array_contains(F.col("_one.groups"), number), F.col(name))
            for number, group in enumerate(later, start=1)
            for name in group.columns
        }
        placed = {"_part": F.col("_one.part"), "known_from": F.col("_one.begins"), "known_to": F.col("_one.ends")}
        fresh = fresh.withColumns({**shown, **placed})
    end = F.least("known_to", "_ends")
    rows = fresh.select(*columns).unionByName(known.select(*columns)) if later else versions.select(*columns)
    rows = rows.withColumn("_until", F.when(end.isNotNull(), F.greatest(end, "known_from")))
    changed = ~F.col("_known") | ~F.col("_until").eqNullSafe(F.col("known_to"))
    return rows.where(changed).withColumn("known_to", F.col("_until")).drop("_until", "_known", "_ends")


def withheld(source: Source) -> Column:
    """Rows with a value of a later group but no clock for it: the value is not shown, for nobody knows since when."""
    flags = [
        clock_value(source, group.known_at).isNull()
        & reduce(lambda a, b: a | b, [F.col(c).isNotNull() for c in group.columns])
        for group in source.known_later
    ]
    return reduce(lambda a, b: a | b, flags) if flags else F.lit(False)


def read_silver_as_of(df: DataFrame, moment: datetime) -> DataFrame:
    """The versions of a silver table that were known at `moment` (aware), one for each key at most."""
    at = F.lit(moment)
    return df.where((F.col("known_from") <= at) & (F.col("known_to").isNull() | (F.col("known_to") > at)))


def _parts(source: Source) -> Column:
    """Array of (begins, part, groups shown, ends) of one row, in order of time; the last one has no end."""
    base = F.struct(F.col("known_from").alias("begins"), F.lit(0).alias("part"))
    later = [
        F.struct(
            F.greatest("known_from", clock_value(source, group.known_at)).alias("begins"), F.lit(number).alias("part")
        )
        for number, group in enumerate(source.known_later, start=1)
    ]
    clocks = [clock_value(source, group.known_at) for group in source.known_later]
    there = [F.when(clock.isNotNull(), part) for clock, part in zip(clocks, later, strict=True)]
    ordered = F.array_sort(F.array_compact(F.array(base, *there)))

    def complete(item: Column, index: Column) -> Column:
        groups = F.transform(F.slice(ordered, F.lit(1), index + 1), lambda earlier: earlier["part"])
        following = F.get(ordered, index + 1)["begins"]
        return F.struct(
            item["begins"].alias("begins"), item["part"].alias("part"), groups.alias("groups"), following.alias("ends")
        )

    return F.transform(ordered, complete)


def _no_time() -> Column:
    return F.lit(None).cast("timestamp")
