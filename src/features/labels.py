"""Labels by the report's own clock: as a feature of earlier rows, and as what a model learns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Source, UseCase
from finlake.features.columns import compile_expr
from finlake.features.decisions import key_text, lasting
from finlake.features.definitions import match_columns, positive_condition
from finlake.features.row_columns import resolver
from finlake.features.windows import NEVER

SILENCE = timedelta(days=7)


def positive_periods(versions: DataFrame, use_case: UseCase, source: Source, scored: Source) -> DataFrame:
    """When each scored row was known as positive: label_key, known_from, known_to (null: still).

    Args:
        versions: silver versions of the label source.
        use_case: whose label it is.
        source: the contract of the label source.
        scored: the contract of the scored source.
    """
    positive = compile_expr(positive_condition(use_case, source), resolver(versions, use_case.zone), use_case.zone)
    key = key_text(match_columns(use_case, scored))
    told = lasting(versions).filter(positive).select(key.alias("label_key"), "known_from", "known_to")
    return told.filter("label_key <> ''")  # a report that names no row is about none


def split_by_label(rows: DataFrame, key: Column, periods: DataFrame, name: str) -> DataFrame:
    """Row versions cut where their label changed: `_from` and `_until` (microseconds) narrow, column `name` is 1 or 0.

    A row without a visible positive report is not positive.
    """
    edges = F.struct(F.unix_micros("known_from").alias("a"), _until(F.col("known_to")).alias("b"))
    known = periods.groupBy("label_key").agg(F.collect_list(edges).alias("_periods"))
    joined = rows.withColumn("label_key", key).join(known, "label_key", "left")
    begin, end = F.col("_from"), F.col("_until")
    inside = F.filter(
        F.flatten(F.transform("_periods", lambda p: F.array(p["a"], p["b"]))), lambda at: (at > begin) & (at < end)
    )
    states = F.transform(F.array_sort(F.array_distinct(F.concat(F.array(begin), inside))), _state)
    changes = F.filter(states, lambda s, i: (i == 0) | (s["hit"] != F.coalesce(F.get(states, i - 1)["hit"], F.lit(-1))))
    never = F.array(F.struct(begin.alias("at"), F.lit(0).cast("bigint").alias("hit")))
    kept = [f"`{c}`" for c in rows.columns if c not in ("_from", "_until")]
    states_of = F.when(F.col("_periods").isNull(), never).otherwise(changes).alias("_states")
    cut = joined.select(*kept, "_until", states_of)
    pieces = F.transform(
        "_states",
        lambda s, i: F.struct(
            s["at"].alias("_from"),
            F.coalesce(F.get("_states", i + 1)["at"], F.col("_until")).alias("_until"),
            s["hit"].alias(name),
        ),
    )
    return cut.select(*kept, F.inline(pieces))


def _state(at: Column) -> Column:
    hit = F.exists("_periods", lambda p: (p["a"] <= at) & (at < p["b"]))
    return F.struct(at.alias("at"), hit.cast("bigint").alias("hit"))


def labels(decisions: DataFrame, periods: DataFrame, use_case: UseCase, scored: Source, as_of: datetime) -> DataFrame:
    """decision_key, label (1, 0, or null while unknown) and matured, as known at `as_of`.

    A decision without a visible positive report is unknown, not negative, until its label has matured.

    Args:
        decisions: rows with decision_key, event_ts and the columns the label is matched by.
        periods: of `positive_periods`.
        use_case: says when a label matures.
        scored: the contract of the scored source.
        as_of: aware moment; nothing reported later is used.
    """
    now = F.lit(as_of)
    match = use_case.label.from_.match
    key = F.col("decision_key") if match is None or [match] == scored.key else F.col(f"`{match}`").cast("string")
    visible = periods.filter((F.col("known_from") <= now) & (F.col("known_to").isNull() | (F.col("known_to") > now)))
    reported = visible.select("label_key", F.lit(1).alias("_reported")).distinct()
    joined = decisions.select("decision_key", "event_ts", key.alias("label_key")).join(reported, "label_key", "left")
    matured = F.col("event_ts") + F.expr(use_case.label.matures_after.interval) <= now
    label = F.when(F.col("_reported") == 1, 1).when(matured, 0)
    return joined.select("decision_key", label.cast("int").alias("label"), matured.alias("matured"))


def known_until(versions: DataFrame, now: datetime) -> datetime:
    """Up to when a missing report means anything: `now`, but the last word of a label source that is silent since a week.

    A file that ends there, or a feed that stopped, tells nothing of what came later. `versions`: of the label source.
    """
    heard = versions.filter(F.col("known_from") <= F.lit(now)).agg(F.max(F.unix_micros("known_from")).alias("last"))
    last = heard.collect()[0]["last"]
    if last is None:
        return now
    moment = datetime.fromtimestamp(last // 1_000_000, UTC) + timedelta(microseconds=last % 1_000_000)
    return moment if now - moment > SILENCE else now


def _until(known_to: Column) -> Column:
    return F.coalesce(F.unix_micros(known_to), F.lit(NEVER))
