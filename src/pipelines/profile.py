"""Step: statistics of the features, and whether the newest period is as it was and as it is expected to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.errors import ConfigError, TableError, suggestion
from finlake.features.definitions import definition_digest, select
from finlake.models.registry import CHAMPION
from finlake.monitoring.drift import FEWEST_PERIODS
from finlake.monitoring.expectations import by_meaning, unmet
from finlake.monitoring.findings import Finding, drifted
from finlake.monitoring.profiles import (
    MOST_PERIODS,
    PERIODS,
    contents,
    current,
    fixed_edges,
    following,
    profiles,
    sampled,
)
from finlake.monitoring.records import (
    FINDINGS,
    FINDINGS_ABOUT,
    FINDINGS_COLUMNS,
    PROFILES,
    PROFILES_ABOUT,
    PROFILES_NOTES,
)
from finlake.pipelines.step import Step, Values

_KEY = ("use_case", "definition", "feature", "period", "period_start")
_COUNTED = "period_start date, rows bigint, content bigint"
_SHOWN = 4
Rows = Sequence[Mapping[str, Any]]


def profile(step: Step, use_case: str = "all", period: str = "week") -> Values:
    """Profiles complete periods that are new or changed, and judges the newest one.

    It is compared with the periods of the champion's training, or with all earlier ones where there is no champion or
    it learnt from too few. Findings are written and said; nothing stops here: `blocking` tells publication.
    Running it again on the same data writes nothing.

    Raises:
        TableError: a feature table is missing, or was built from other definitions.
    """
    if period not in PERIODS:
        raise ConfigError(f"period {period!r} is not one of them{suggestion(period, PERIODS)}")
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    found = [finding for name in names for finding in _profile(step, step.config.use_case(name), period)]
    return {"findings": len(found), "blocking": any(finding.blocking for finding in found)}


def blocking(step: Step, use_case: str) -> list[str]:
    """Why an online publication must stop, by the newest period that was judged; empty where nothing is against it."""
    lake = step.lake
    if not lake.exists(FINDINGS):
        return []
    definition = definition_digest(step.config.use_case(use_case), step.config)
    mine = (F.col("use_case") == use_case) & (F.col("definition") == definition)
    newest = lake.read(PROFILES).where(mine).groupBy("period").agg(F.max("period_start").alias("period_start"))
    found = lake.read(FINDINGS).where(mine & F.col("blocking")).join(newest, ["period", "period_start"])
    rows = found.orderBy("feature", "kind", "effect").collect()
    return [f"{row['feature']}, {_spoken(row['period'], row['period_start'])}: {row['text']}" for row in rows]


def _profile(step: Step, use_case: UseCase, period: str) -> list[Finding]:
    lake, name = step.lake, use_case.use_case
    frame, definition = _features(step, use_case)
    names = select(use_case, step.config).outputs
    complete = F.col("period_start") < F.lit(current(step.now, period, use_case.zone))
    found = contents(frame, names, period, use_case.zone).where(complete).orderBy("period_start").collect()
    found = found[-MOST_PERIODS:]
    if not found:
        step.say(f"features.{name}: no {period} is complete yet, so there is nothing to compare")
        return []
    starts = [row["period_start"] for row in found]
    trained = periods_inside(starts, _training_days(step, name), period)
    base = trained or first_periods(starts)
    laid = "training" if trained else "first"
    mine = {"use_case": name, "definition": definition, "period": period, "base": f"{laid} {base[0]} to {base[-1]}"}
    stored = _stored(step, mine)
    fresh = [row["period_start"] for row in found if stored.get(row["period_start"]) != row["content"]]
    if fresh:
        counted = lake.spark.createDataFrame(
            [(row["period_start"], row["rows"], row["content"]) for row in found], _COUNTED
        )

        def drawn(starts: Sequence[date]) -> DataFrame:
            return sampled(frame, counted.where(F.col("period_start").isin(starts)), period, use_case.zone)

        ends = _edges(step, mine) if stored else fixed_edges(drawn(base), names)
        content = F.broadcast(counted.select("period_start", "content"))
        made = profiles(drawn(fresh), names, period, ends, use_case.zone).join(content, "period_start")
        made = made.withColumns({key: F.lit(value) for key, value in mine.items()})
        made = made.withColumn("feature_version", F.lit(lake.reads[f"features.{name}"]).cast("bigint"))
        values = [column for column in made.columns if column not in _KEY]
        lake.merge(PROFILES, made, on=_KEY, update=values, about=PROFILES_ABOUT, comments=PROFILES_NOTES)
    step.say(f"features.{name}: {len(fresh)} of {len(starts)} {period}s profiled, {len(names)} features")
    newest = starts[-1]
    earlier = [start for start in starts if start < newest]
    reference = [start for start in trained if start < newest]
    reference = reference if len(reference) >= FEWEST_PERIODS else earlier
    if len(reference) < FEWEST_PERIODS:
        step.say(f"features.{name}: drift needs {FEWEST_PERIODS} earlier {period}s, there are {len(reference)}")
    findings = _judged(step, use_case, mine, reference, newest)
    _write(step, mine, newest, findings)
    _tell(step, name, findings, _spoken(period, newest))
    return findings


def _features(step: Step, use_case: UseCase) -> tuple[DataFrame, str]:
    """The feature table, which must be of the present definitions, and their digest."""
    table, wanted = f"features.{use_case.use_case}", definition_digest(use_case, step.config)
    frame = step.lake.read(table)
    found = frame.select("_definition").first()
    if found is not None and found["_definition"] != wanted:
        raise TableError(
            f"{table} was built from definitions {found['_definition']}, they now are {wanted}; "
            f"run: finlake features --use-case {use_case.use_case}"
        )
    return frame, wanted


def _training_days(step: Step, use_case: str) -> tuple[str, str] | None:
    """First and last day that the champion learnt from, as its training recorded them."""
    lake = step.lake
    if not (lake.exists("ops.models") and lake.exists("ops.figures")):
        return None
    champion = lake.read("ops.models").where((F.col("use_case") == use_case) & (F.col("alias") == CHAMPION)).first()
    if champion is None:
        return None
    of_run = (F.col("run_id") == champion["run_id"]) & (F.col("use_case") == use_case)
    said = lake.read("ops.figures").where(of_run & (F.col("figure") == "split.train")).first()
    if said is None:
        return None
    first, _, last = said["text"].partition(" to ")
    return first, last


def periods_inside(starts: Sequence[date], days: tuple[str, str] | None, period: str) -> list[date]:
    """Periods that lie wholly between two days, both included; a first day that is no date leaves the start open."""
    if days is None:
        return []
    first, last = (date.fromisoformat(day) if day[:1].isdigit() else None for day in days)
    return [
        start
        for start in starts
        if (first is None or start >= first) and (last is None or following(start, period) - timedelta(days=1) <= last)
    ]


def first_periods(starts: Sequence[date]) -> list[date]:
    """The first 1, 2, 4, 8 … of them: edges are laid anew whenever there is twice as much, and not more often."""
    return list(starts[: 2 ** (len(starts).bit_length() - 1)])


def _stored(step: Step, mine: Mapping[str, str]) -> dict[date, int]:
    """Period -> its content as profiled with the same edges."""
    if not step.lake.exists(PROFILES):
        return {}
    kept = _of(step.lake.read(PROFILES), mine)
    grouped = kept.groupBy("period_start").agg(F.max("content").alias("content"))
    return {row["period_start"]: row["content"] for row in grouped.collect()}


def _of(frame: DataFrame, mine: Mapping[str, str]) -> DataFrame:
    for column, value in mine.items():
        frame = frame.where(F.col(column) == value)
    return frame


def _edges(step: Step, mine: Mapping[str, str]) -> dict[str, list[float]]:
    rows = _of(step.lake.read(PROFILES), mine).select("feature", "edges").distinct().collect()
    return {row["feature"]: row["edges"] for row in rows}


def _judged(
    step: Step, use_case: UseCase, mine: Mapping[str, str], reference: Sequence[date], newest: date
) -> list[Finding]:
    wanted = F.col("period_start").isin([*reference, newest])
    by_feature: dict[str, list[dict[str, Any]]] = {}
    for row in _of(step.lake.read(PROFILES), mine).where(wanted).orderBy("period_start").collect():
        by_feature.setdefault(row["feature"], []).append(row.asDict())
    selection = select(use_case, step.config)
    columns = step.config.source(use_case.score.each).silver_columns
    findings: list[Finding] = []
    for name in selection.outputs:
        *before, now = by_feature[name]
        feature = selection.definitions[name].feature if name in selection.definitions else None
        own = selection.own.get(name)
        meaning = by_meaning(feature, yes_or_no=bool(own and columns[own].type == "boolean"))
        findings += unmet(name, feature.expect if feature else None, meaning, now)
        findings += drifted(name, before, now) if before else []
    return findings


def _write(step: Step, mine: Mapping[str, str], newest: date, findings: list[Finding]) -> None:
    """Replaces the findings of the period where they differ from those that are stored."""
    lake = step.lake
    key = (mine["use_case"], mine["definition"], mine["period"])
    rows = [
        (key[0], key[1], f.feature, key[2], newest, f.kind, f.effect, f.value, f.limit, f.text, f.blocking)
        for f in findings
    ]
    frame = lake.spark.createDataFrame([(*row, step.now) for row in rows], FINDINGS_COLUMNS)
    lake.create(FINDINGS, frame, about=FINDINGS_ABOUT)
    same = (
        f"use_case = '{key[0]}' AND definition = '{key[1]}' AND period = '{key[2]}' AND period_start = DATE'{newest}'"
    )
    stored = {tuple(row)[:-1] for row in lake.read(FINDINGS).where(same).collect()}
    if stored != set(rows):
        lake.append(FINDINGS, frame, instead_of=same)


def _tell(step: Step, use_case: str, findings: list[Finding], when: str) -> None:
    for finding in findings:
        step.say(f"{use_case}.{finding.feature}, {when}: {finding.text}")
    for kind, words in (("drift", "drifted"), ("expectation", "not as expected")):
        named = list(dict.fromkeys(finding.feature for finding in findings if finding.kind == kind))
        step.figure(f"feature_{kind}", len(named), unit="features", use_case=use_case, tables=[PROFILES])
        if named:
            shown = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
            count = "1 feature" if len(named) == 1 else f"{len(named)} features"
            step.warn(f"{use_case}: {count} {words} in {when}: {shown}")


def _spoken(period: str, start: date) -> str:
    day = f"{start.day} {start:%b %Y}"
    return {"week": f"the week of {day}", "month": f"{start:%B %Y}"}.get(period, day)
