"""The auditor on a training set in Spark: draws bounded samples, and counts over all rows what needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.features.definitions import select
from finlake.features.leakage.detectors import HISTORIES, ROWS, detect
from finlake.features.leakage.encodings import FEWEST_LEVELS, target_encodings
from finlake.features.leakage.findings import Finding, Shown
from finlake.features.leakage.frames import MOST_LEVELS, sample_from_frame
from finlake.features.leakage.recomputed import vanishing_power
from finlake.features.leakage.sample import LIMIT, SHOWN, Copies, Levels, Profile, Sample
from finlake.features.leakage.twins import telling
from finlake.features.trace import trace

HISTORY_ROWS, LONGEST_HISTORY = 20_000, 2_000
AGAIN = 20_000  # decisions that are computed again: half of them positives, which settles an AUC to some thousandths
_WITH_POSITIVES = 0.75  # of the history rows belong to entities that have a positive
_HASHES = 1_000_000
_ROW = ("decision_key", "event_ts", "decision_ts", "label", "part")


@dataclass(frozen=True)
class Reading:
    """How a training set is read.

    Attributes:
        features: columns to audit.
        entities: columns that say whose rows they are.
        as_of: moment at which the labels were read.
        matures_after: how long after the event a label may still come; None where that is not known.
        masked: features whose values are not shown.
        hide_keys: decision keys are not shown.
        own_row: features that include the decision's own row because their definition says so.
    """

    features: Sequence[str]
    entities: Sequence[str] = ()
    as_of: datetime | None = None
    matures_after: timedelta | None = None
    masked: Sequence[str] = ()
    hide_keys: bool = False
    own_row: frozenset[str] = frozenset()


def reading_of(use_case: UseCase, config: Config, columns: Sequence[str], as_of: datetime) -> Reading:
    """How the training set of a use case is read.

    Args:
        use_case: names features, entities and the maturity of its label.
        config: says which columns are personal.
        columns: of the training set.
        as_of: aware moment it stands at.
    """
    selection, uses = select(use_case, config), trace(use_case, config)
    entities = dict.fromkeys(d.entity for d in selection.definitions.values() if d.entity in columns)
    scored, matures = config.source(use_case.score.each), use_case.label.matures_after
    personal = {
        (source.source, name) for source in config.silver.values() for name, c in source.silver_columns.items() if c.pii
    }
    return Reading(
        selection.outputs,
        tuple(entities),
        as_of,
        None if matures.months else timedelta(microseconds=matures.micros),
        [name for name in selection.outputs if any((use.source, use.column) in personal for use in uses[name])],
        any((scored.source, name) in personal for name in scored.key),
        frozenset(n for n, of in uses.items() if any(u.definition and u.definition.feature.including_this for u in of)),
    )


def audit_rows(training: DataFrame, reading: Reading, again: DataFrame | None = None) -> list[Finding]:
    """What the rows of a training set show; see docs/leakage.md for the kinds.

    At most 40,000 rows, 20,000 rows of whole histories for each entity column, and the rows computed again come to the
    driver. Over all rows run aggregations only, and one grouping by the hash of the features.

    Args:
        training: decision_key, event_ts, decision_ts, label, part, the features (DOUBLE) and the entity columns.
        reading: how to read it.
        again: decision_key and the features computed again as of the decision, for those of `to_compute_again`.
    """
    totals = _totals(training, reading)
    sample = _with_totals(_drawn(training, reading, totals), training, totals)
    sample = replace(sample, copies=_copies(training, sample, reading))
    first = [] if again is None else detect(_side_by_side(training, again, reading), (vanishing_power,))
    found = {finding.feature: finding for finding in first}
    for finding in detect(sample, ROWS):
        if finding.feature not in found or (finding.sure and not found[finding.feature].sure):
            found[finding.feature] = finding
    for entity in reading.entities:
        for finding in detect(_histories(training, entity, reading), (*HISTORIES, target_encodings)):
            if finding.feature not in found or (finding.sure and not found[finding.feature].sure):
                found[finding.feature] = finding
    declared = reading.own_row
    return [finding for name, finding in found.items() if finding.kind != "own row" or name not in declared]


def _totals(training: DataFrame, reading: Reading) -> list[Row]:
    """For train and the rest, and for each label: rows, and known values, mean, variance and ends of each feature."""
    made = [F.count(F.lit(1)).alias("rows")]
    for place, name in enumerate(reading.features):
        column = F.nanvl(F.col(f"`{name}`").cast("double"), F.lit(None).cast("double"))
        parts = (F.count(column), F.avg(column), F.var_pop(column), F.min(column), F.max(column))
        made += [part.alias(f"{what}{place}") for what, part in zip("nmvlh", parts, strict=True)]
    return training.groupBy((F.col("part") == "train").alias("train"), "label").agg(*made).collect()


def _drawn(training: DataFrame, reading: Reading, totals: list[Row]) -> Sample:
    """Rows by the hash of their key; all positives up to half of the limit."""
    rows = training.select(*_ROW, *(f"`{name}`" for name in reading.features))
    counted = [sum(row["rows"] for row in totals if row["label"] == one) for one in (0, 1)]
    frame = _by_hash(rows, counted, LIMIT).toPandas().sort_values(["event_ts", "decision_key"], ignore_index=True)
    sample = sample_from_frame(
        frame, label="label", features=list(reading.features), time="event_ts", decided="decision_ts", part="part",
        key="decision_key", as_of=reading.as_of, matures_after=reading.matures_after, masked=reading.masked,
        about="training set",
    )  # fmt: skip
    shares = np.array([counted[one] / max(int((sample.label == one).sum()), 1) for one in (0, 1)])
    keys = np.full(len(sample.keys), "***") if reading.hide_keys else sample.keys
    return replace(sample, weight=shares[sample.label], keys=keys, order=None)


def to_compute_again(training: DataFrame) -> DataFrame:
    """decision_key of at most 20,000 rows, by its hash; all positives up to half of them.

    Args:
        training: decision_key and label (1 or 0); it is read twice.
    """
    totals = {row["label"]: row["rows"] for row in training.groupBy("label").agg(F.count("*").alias("rows")).collect()}
    return _by_hash(training.select("decision_key", "label"), [totals.get(0, 0), totals.get(1, 0)], AGAIN).drop("label")


def _by_hash(rows: DataFrame, counted: Sequence[int], limit: int) -> DataFrame:
    """At most `limit` rows; `counted` are the negative and the positive ones there are."""
    positives = min(counted[1], max(limit // 2, limit - counted[0]))
    ordered = rows.orderBy(F.xxhash64("decision_key"), "decision_key")
    negative = ordered.filter("label = 0").limit(limit - positives)
    return ordered.filter("label = 1").limit(positives).unionByName(negative)


def _side_by_side(training: DataFrame, again: DataFrame, reading: Reading) -> Sample:
    """The rows that were computed again, with both values."""
    names = list(reading.features)
    fresh = again.select(
        "decision_key", *(F.col(f"`{name}`").alias(f"_again_{place}") for place, name in enumerate(names))
    )
    stored = training.select(*_ROW, *(f"`{name}`" for name in names))
    frame = stored.join(fresh, "decision_key").toPandas().sort_values(["event_ts", "decision_key"], ignore_index=True)
    sample = sample_from_frame(
        frame, label="label", features=names, time="event_ts", decided="decision_ts", part="part", key="decision_key",
        as_of=reading.as_of, masked=reading.masked, about="training set",
        recomputed=frame[[f"_again_{place}" for place in range(len(names))]].set_axis(names, axis="columns"),
    )  # fmt: skip
    return replace(sample, keys=np.full(len(sample.keys), "***")) if reading.hide_keys else sample


def _with_totals(sample: Sample, training: DataFrame, totals: list[Row]) -> Sample:
    """The sample with profiles and levels of all rows, as far as detectors need them exactly."""
    rows = training.withColumn("_train", F.col("part") == "train")
    whole, train = {}, {}
    for place, name in enumerate(sample.names):
        parts = {(row["train"], row["label"]): [row[f"{what}{place}"] for what in "nmvlh"] for row in totals}
        train[name] = _profile([part for (inside, _), part in parts.items() if inside], sample, name)
        whole[name] = _profile(list(parts.values()), sample, name)
    whole |= _ends(whole, sample, rows)
    hits = sum(row["rows"] for row in totals if row["label"] == 1)
    rate = hits / max(sum(row["rows"] for row in totals), 1)
    levels, train_levels = {}, {}
    for name, profile in whole.items():
        near = abs(profile.mean - rate) <= 0.25 * rate  # the mean of a mean of labels is about the rate
        several = FEWEST_LEVELS <= len(np.unique(sample.column(name))) <= MOST_LEVELS
        if near and several and 0 <= profile.low < profile.high <= 1:
            levels[name], train_levels[name] = _levels(rows, name)
    return replace(sample, profiles=whole, train_profiles=train, levels=levels, train_levels=train_levels)


def _profile(parts: list[list[float]], sample: Sample, name: str) -> Profile:
    """Of groups joined; the most frequent value is the sample's, and how often it occurs is estimated."""
    parts = [part for part in parts if part[0]]
    if not parts:
        return sample.profiles[name]
    rows, means, variances, lows, highs = (np.array(numbers, dtype=float) for numbers in zip(*parts, strict=True))
    mean = float(np.average(means, weights=rows))
    variance = float(np.average(variances + (means - mean) ** 2, weights=rows))
    mode = sample.profiles[name].mode
    often = int(sample.weight[sample.column(name) == mode].sum())
    values, low, high = sample.column(name), float(lows.min()), float(highs.max())
    at_low, at_high = (
        int((values == low).sum()),
        int((values == high).sum()),
    )  # at least; `_ends` counts where it matters
    return Profile(int(rows.sum()), mean, variance**0.5, low, high, at_low, at_high, mode, min(often, int(rows.sum())))


def _ends(profiles: dict[str, Profile], sample: Sample, rows: DataFrame) -> dict[str, Profile]:
    """Profiles that may be min-maxed, with the rows counted that lie at their ends; few do in the sample then."""
    scaled = {
        name: one
        for name, one in profiles.items()
        if (one.low, one.high) in ((0.0, 1.0), (-1.0, 1.0))
        and np.isin(sample.column(name), (one.low, one.high)).sum() <= 6
    }
    if not scaled:
        return {}
    counts: list[Column] = []
    for place, (name, one) in enumerate(scaled.items()):
        counts += [
            F.sum((F.col(f"`{name}`") == F.lit(one.low)).cast("bigint")).alias(f"l{place}"),
            F.sum((F.col(f"`{name}`") == F.lit(one.high)).cast("bigint")).alias(f"h{place}"),
        ]
    row = rows.agg(*counts).first()
    assert row is not None
    return {
        name: replace(one, at_low=int(row[f"l{place}"]), at_high=int(row[f"h{place}"]))
        for place, (name, one) in enumerate(scaled.items())
    }


def _levels(rows: DataFrame, name: str) -> tuple[Levels, Levels]:
    grouped = rows.filter(F.col(f"`{name}`").isNotNull()).groupBy(F.col(f"`{name}`").alias("value"))
    in_train = F.col("_train").cast("bigint")
    counted = grouped.agg(
        F.count(F.lit(1)).alias("rows"), F.sum("label").alias("hits"),
        F.sum(in_train).alias("train_rows"), F.sum(in_train * F.col("label")).alias("train_hits"),
    ).orderBy("value").limit(MOST_LEVELS + 1).toPandas()  # fmt: skip
    if len(counted) > MOST_LEVELS:
        counted = counted[:0]
    train = counted[counted["train_rows"] > 0]
    return (
        Levels(counted["value"].to_numpy(), counted["rows"].to_numpy(), counted["hits"].to_numpy()),
        Levels(train["value"].to_numpy(), train["train_rows"].to_numpy(), train["train_hits"].to_numpy()),
    )


def _copies(training: DataFrame, sample: Sample, reading: Reading) -> Copies:
    """Later rows whose features, rounded to float, are also in train, and agree in a column of mostly own values."""
    told = F.lit(False)
    for name in sample.names:
        known = sample.column(name)[~np.isnan(sample.column(name))]
        if len(known) and telling(len(np.unique(known)), len(sample.label)):
            value = F.col(f"`{name}`")
            told = told | (value.isNotNull() & (value != F.lit(sample.profiles[name].mode)))
    unknown = F.lit(float(np.finfo(np.float32).min))
    digest = F.xxhash64(*(F.coalesce(F.col(f"`{name}`").cast("float"), unknown) for name in sample.names))
    later = F.col("part") != "train"
    grouped = training.groupBy(digest.alias("_digest")).agg(
        F.sum(later.cast("bigint")).alias("later"),
        F.sum((later & told).cast("bigint")).alias("copies"),
        F.min(F.when(later & told, F.col("decision_key"))).alias("key"),
        F.min(F.when(~later, F.col("decision_key"))).alias("twin"),
    )
    twins = F.col("twin").isNotNull() & F.col("key").isNotNull()
    counted = grouped.agg(F.sum("later").alias("later"), F.sum(F.when(twins, F.col("copies"))).alias("copies")).first()
    assert counted is not None
    copies = int(counted["copies"] or 0)
    shown = []
    if copies and not reading.hide_keys:
        shown = grouped.filter(twins).orderBy("_digest").limit(SHOWN).collect()
    rows = tuple(Shown(row["key"], f"in train as {row['twin']}") for row in shown)
    return Copies(int(counted["later"] or 0), copies, rows)


def _histories(training: DataFrame, entity: str, reading: Reading) -> Sample:
    """All rows of some entities, chosen by hash, three quarters of the rows from entities that have a positive."""
    name = F.col(f"`{entity}`")
    known = training.filter(name.isNotNull())
    sizes = known.groupBy(name.alias("_entity")).agg(
        F.count(F.lit(1)).alias("_rows"), F.max(F.col("label") == 1).alias("_hit")
    )
    sizes = sizes.filter(F.col("_rows") <= LONGEST_HISTORY)
    totals = {row["_hit"]: row["rows"] for row in sizes.groupBy("_hit").agg(F.sum("_rows").alias("rows")).collect()}
    wanted = {True: _WITH_POSITIVES * HISTORY_ROWS, False: (1 - _WITH_POSITIVES) * HISTORY_ROWS}
    share = {hit: min(1.0, wanted[hit] / totals[hit]) if totals.get(hit) else 0.0 for hit in (True, False)}
    place = F.pmod(F.xxhash64(F.col("_entity").cast("string")), F.lit(_HASHES))
    chosen = sizes.filter(place < F.when(F.col("_hit"), F.lit(share[True] * _HASHES)).otherwise(share[False] * _HASHES))
    rows = known.join(chosen, name == F.col("_entity"), "left_semi")
    columns = dict.fromkeys(["decision_key", "event_ts", "label", "part", entity, *reading.features])
    frame = rows.select(*(f"`{column}`" for column in columns)).limit(2 * LIMIT).toPandas()
    if reading.hide_keys:
        frame["decision_key"] = "***"
    return sample_from_frame(
        frame, label="label", features=list(reading.features), time="event_ts", part="part", entity=entity,
        key="decision_key", as_of=reading.as_of, masked=reading.masked, limit=2 * LIMIT, about="training set",
    )  # fmt: skip
