"""The rows that windows run over: versions of a source with their entity, times and values; and as of one moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.features.columns import Resolve, compile_expr
from finlake.features.decisions import key_text, lasting, without_columns
from finlake.features.definitions import match_columns, positive_condition
from finlake.features.labels import positive_periods, split_by_label
from finlake.features.row_columns import resolver, value_column, version_rows
from finlake.features.rows import RowSet, Value

STATE = ("key", "entity", "at", "since")


def window_rows(
    versions: Mapping[str, DataFrame], row_set: RowSet, config: Config, earliest: datetime | None = None
) -> DataFrame:
    """`_entity, _at, _from, _until, _key` and the values of a row set; with labels also `_version_from, _version_until`.

    Args:
        versions: silver versions of the row set's source, and of the sources of its labels.
        row_set: what is measured.
        config: contracts, and the use cases whose labels are looked at.
        earliest: when no decision happened before it, rows that no window can reach are left out.
    """
    frame = _labelled(versions, row_set, config, earliest)
    labels = {label: F.col(f"_label_{label}") for label in row_set.labels}
    values = [
        value_column(value, resolver(frame, value.zone, labels=labels)).alias(name)
        for value, name in row_set.values().items()
    ]
    rows = frame.select(
        F.col(f"`{row_set.entity}`").cast("string").alias("_entity"), _at(row_set).alias("_at"),
        "_from", "_until", *(("_version_from", "_version_until") if row_set.labels else ()),
        key_text(row_set.source.key).alias("_key"), *values,
    )  # fmt: skip
    return rows.filter(F.col("_entity").isNotNull() & F.col("_at").isNotNull())


def state_rows(
    versions: Mapping[str, DataFrame],
    row_set: RowSet,
    config: Config,
    now: datetime,
    late: timedelta,
    *,
    whole: bool = True,
) -> DataFrame:
    """What a decision after `now` may need of each entity, as known at `now`.

    Rows are kept as far back as the longest window of a decision that is `late`; of values with no window the nearest
    row before that as well. Without `whole` the versions are those that changed, and every one of them is there: what
    takes no part any more has no entity.

    Returns:
        `STATE`; the columns of `RowSet.kept`, so that a report can be told without the row; and of each label
        `label_<use case>`, its state, and `match_<use case>`, what its reports are found by.
    """
    frame = _labelled(versions, row_set, config, None)
    moment = F.unix_micros(F.lit(now))
    frame = frame.filter((F.col("_from") <= moment) & (F.col("_until") > moment))

    def resolve(value: Value, state: tuple[int, ...]) -> Resolve:
        labels = {label: F.lit(hit) for label, hit in zip(row_set.labels, state, strict=True)}
        return resolver(frame, value.zone, labels=labels)

    columns = {
        name: value_column(value, resolve(value, state or (0,) * len(row_set.labels)))
        for name, (value, state) in row_set.kept().items()
    }
    told = {f"label_{label}": F.col(f"_label_{label}") for label in row_set.labels}
    matched = {
        f"match_{label}": key_text(match_columns(config.use_case(label), row_set.source)) for label in row_set.labels
    }
    rows = frame.select(
        key_text(row_set.source.key).alias("key"),
        F.col(f"`{row_set.entity}`").cast("string").alias("entity"),
        _at(row_set).alias("at"),
        # by since rows of one moment are told apart, and a report about one does not move it
        F.col("_version_from" if row_set.clock == "event" else "_from").alias("since"),
        *(column.alias(name) for name, column in {**columns, **told, **matched}.items()),
    )
    taking_part = reduce(or_, (F.col(name).isNotNull() for name in columns)) & F.col("at").isNotNull()
    if whole:
        return _reached(rows.filter(taking_part), row_set, now - late)
    return rows.withColumns({"entity": F.when(taking_part, F.col("entity")), "at": F.coalesce("at", F.lit(0))})


def _reached(rows: DataFrame, row_set: RowSet, earliest: datetime) -> DataFrame:
    finite = [-(c.low if c.low is not None else c.high) for c in row_set.components]
    inside = F.col("at") >= F.unix_micros(F.lit(earliest)) - max(finite) - 1
    endless = {(row_set.values()[c.value], c.function == "first") for c in row_set.components if c.low is None}
    if not endless:
        return rows.filter(inside)
    kept, ranks = inside, []
    for number, (name, first) in enumerate(sorted(endless)):
        columns = [c for c in rows.columns if c == name or c.startswith(f"{name}_")]
        there = reduce(or_, (F.col(c).isNotNull() for c in columns))
        order = [F.col(c).asc() if first else F.col(c).desc() for c in ("at", "since", "key")]
        rank = F.row_number().over(Window.partitionBy("entity", inside, there).orderBy(*order))
        ranks.append(rank.alias(f"_rank{number}"))
        kept = kept | (there & (F.col(f"_rank{number}") == 1))
    return rows.select("*", *ranks).filter(kept).drop(*(f"_rank{number}" for number in range(len(ranks))))


def _labelled(
    versions: Mapping[str, DataFrame], row_set: RowSet, config: Config, earliest: datetime | None
) -> DataFrame:
    """Lasting versions with `_from` and `_until`, cut where a label changed, which is then in `_label_<use case>`."""
    source = row_set.source
    used = row_set.columns()
    matches = {label: match_columns(config.use_case(label), source) for label in row_set.labels}
    used |= {name for names in matches.values() for name in names}
    frame = lasting(versions[source.source])
    if row_set.clock == "event" and source.later_columns - used:
        frame = without_columns(frame, source, sorted(used))
    moved = row_set.clock == "known" and row_set.labels  # a label gives an old row a new time
    if earliest is not None and row_set.reach is not None and not moved:
        clock = F.col("event_ts" if row_set.clock == "event" else "known_from")
        frame = frame.filter(clock >= F.lit(earliest - row_set.reach))
    frame = version_rows(frame)
    for label, columns in matches.items():
        other = config.use_case(label)
        label_source = config.source(other.label.from_.source)
        periods = positive_periods(versions[label_source.source], other, label_source, source)
        frame = split_by_label(frame, key_text(columns), periods, f"_label_{label}")
    return frame


def _at(row_set: RowSet) -> Column:
    return F.unix_micros("event_ts") if row_set.clock == "event" else F.col("_from")


def report_rows(versions: DataFrame, label: UseCase, config: Config, now: datetime) -> DataFrame:
    """Reports as known at `now`: `STATE` (entity: what the report is found by) and `hit`, 1 where it says positive."""
    source, scored = config.source(label.label.from_.source), config.source(label.score.each)
    positive = compile_expr(positive_condition(label, source), resolver(versions, label.zone), label.zone)
    visible = (F.col("known_from") <= F.lit(now)) & (F.col("known_to").isNull() | (F.col("known_to") > F.lit(now)))
    return lasting(versions).filter(visible & F.col("event_ts").isNotNull()).select(
        key_text(source.key).alias("key"), key_text(match_columns(label, scored)).alias("entity"),
        F.unix_micros("event_ts").alias("at"), F.unix_micros("known_from").alias("since"),
        F.coalesce(positive.cast("bigint"), F.lit(0)).alias("hit"),
    )  # fmt: skip


def changed_since(
    versions: Mapping[str, DataFrame],
    changes: Mapping[str, DataFrame],
    row_set: RowSet,
    config: Config,
    before: datetime,
) -> DataFrame:
    """Versions of the row set's source whose state at a moment after `before` may differ from that at `before`.

    Args:
        versions: silver versions by source.
        changes: by source, the rows of silver's change feed since then.
        row_set: whose rows.
        config: contracts, and the use cases whose labels are looked at.
        before: when the state was last worked out.
    """
    source = row_set.source
    own = versions[source.source]
    keys = [
        frame.select(key_text(source.key).alias("_key")) for frame in _news(own, changes.get(source.source), before)
    ]
    for label in row_set.labels:
        use_case = config.use_case(label)
        columns, told = match_columns(use_case, source), use_case.label.from_.source
        matches = [
            f.select(key_text(columns).alias("_match")) for f in _news(versions[told], changes.get(told), before)
        ]
        found = own.withColumn("_match", key_text(columns)).join(
            reduce(DataFrame.unionByName, matches), "_match", "semi"
        )
        keys.append(found.select(key_text(source.key).alias("_key")))
    named = own.withColumn("_key", key_text(source.key))
    return named.join(reduce(DataFrame.unionByName, keys), "_key", "semi").drop("_key")


def _news(versions: DataFrame, changes: DataFrame | None, before: datetime) -> list[DataFrame]:
    """What the change feed tells, and what was there and has become known since."""
    later = versions.filter((F.col("known_from") > F.lit(before)) | (F.col("known_to") > F.lit(before)))
    return [later, *([changes.select(*versions.columns)] if changes is not None else [])]
