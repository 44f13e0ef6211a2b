"""Decisions: each row of the scored source at the moment it is decided on, as it was known then."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config import Source, UseCase


def key_text(columns: Sequence[str]) -> Column:
    """The columns of a key as one text, joined by |."""
    return F.concat_ws("|", *(F.col(f"`{name}`").cast("string") for name in columns))


def lasting(versions: DataFrame) -> DataFrame:
    """Versions that were known for any time at all; of one key, at most one of them is visible at a moment."""
    return versions.filter(F.col("known_to").isNull() | (F.col("known_to") > F.col("known_from")))


def decisions(versions: DataFrame, use_case: UseCase, source: Source) -> DataFrame:
    """One row for each key of the scored source, with the values known when it was decided on.

    A later correction never changes an old decision. Columns with a later clock are left out.

    Args:
        versions: silver versions of the scored source.
        use_case: says whether decisions fall when rows happen or when they are first known.
        source: the contract of the scored source.

    Returns:
        decision_key, event_ts (of the first known version), decision_ts, known_from (of that version) and the
        source's columns that have no later clock.
    """
    key = F.col("decision_key")
    columns = [f"`{name}`" for name in source.silver_columns if name not in source.later_columns]
    first = Window.partitionBy(key).orderBy("known_from", F.col("known_to").asc_nulls_last())
    known = lasting(versions).filter(F.col("event_ts").isNotNull()).withColumn("decision_key", key_text(source.key))
    known = known.withColumn("_place", F.row_number().over(first)).filter("_place = 1")
    happened = use_case.score.as_of == "happened_at"
    moment = F.col("event_ts") if happened else F.col("known_from")
    return known.select(key, "event_ts", moment.alias("decision_ts"), "known_from", *columns)


def without_columns(versions: DataFrame, source: Source, keep: Sequence[str]) -> DataFrame:
    """Versions told apart by the `keep` columns only: replaced ones that say the same are joined into one.

    Without it every row whose outcome became known later would count as corrected, for features that never look at
    the outcome.
    """
    names = list(dict.fromkeys([*source.key, *keep, "event_ts"]))
    of_key = Window.partitionBy(*(f"`{name}`" for name in source.key)).orderBy("known_from")
    said = F.struct(*(f"`{name}`" for name in names))
    marked = versions.withColumn("_before", F.lag(said).over(of_key)).filter(~F.col("_before").eqNullSafe(said))
    return marked.select(*(f"`{n}`" for n in names), "known_from", F.lead("known_from").over(of_key).alias("known_to"))
