"""What the pages of features show: definitions from the configuration, statistics and findings from the lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from finlake.config import Config, Feature, UseCase
from finlake.features.definitions import Definition, definition_digest, select
from finlake.features.trace import Use, trace
from finlake.features.words import describe, wordings
from finlake.lakehouse import Lake
from finlake.monitoring.profiles import PERIODS as LENGTHS
from finlake.monitoring.records import FINDINGS, PROFILES

PERIODS, HISTORY = 104, 40  # periods of a chart, findings of a page
_LOW, _MEDIAN, _HIGH = 1, 3, 5  # of profiles.SHARES: 5, 50 and 95 per cent
_EMPTY_IS_ZERO = ("count", "sum", "distinct")
Row = dict[str, Any]


@dataclass(frozen=True)
class FeatureFacts:
    """One feature of a use case: what it is, its periods in order, and what was found."""

    name: str
    about: str
    say: str
    unit: str
    owner: str
    group: str
    unknown_when: str
    expects: list[tuple[str, str]]
    definition: list[tuple[str, str]]
    sources: list[tuple[str, str, str]]  # column, how it is looked at, where that is written
    periods: list[Row]
    findings: list[Row]

    @property
    def newest(self) -> Row:
        return self.periods[-1]

    @property
    def present(self) -> list[Row]:
        """Findings of the newest period."""
        return [row for row in self.findings if row["period_start"] == self.newest["period_start"]]


@dataclass(frozen=True)
class UseCaseFacts:
    """The profiled features of a use case, in its order, by one length of period."""

    use_case: str
    purpose: str
    period: str
    base: str  # "training" or "first", and the first and last period that the histogram's bins were laid on
    features: list[FeatureFacts]


def feature_facts(lake: Lake, config: Config, use_case: UseCase) -> UseCaseFacts | None:
    """Everything on the pages of a use case; None where its present definitions have no profile."""
    if not lake.exists(PROFILES):
        return None
    mine = f"use_case = '{use_case.use_case}' AND definition = '{definition_digest(use_case, config)}'"
    bases = {
        row["period"]: row["base"]
        for row in lake.sql(
            f"SELECT period, max_by(base, period_start) AS base FROM {PROFILES} WHERE {mine} GROUP BY period"
        ).collect()
    }
    period = next((length for length in ("week", *LENGTHS) if length in bases), None)
    if period is None:
        return None
    profiled = f"{PROFILES} WHERE {mine} AND period = '{period}' AND base = '{bases[period]}'"
    periods = _by_feature(lake, profiled, PERIODS)
    found = (
        _by_feature(lake, f"{FINDINGS} WHERE {mine} AND period = '{period}'", HISTORY) if lake.exists(FINDINGS) else {}
    )
    selection, words, uses = select(use_case, config), wordings(use_case, config), trace(use_case, config)
    features = []
    for name in selection.outputs:
        if name in periods:
            definition = selection.definitions.get(name)
            of_config = _defined(definition, config) if definition else _own(selection.own[name], use_case, config)
            features.append(
                FeatureFacts(
                    name,
                    say=words[name].template.replace("{window}", words[name].window),
                    unit=words[name].unit,
                    sources=[_source(use) for use in uses[name]],
                    periods=[_with_band(row) for row in periods[name]],
                    findings=found.get(name, []),
                    **of_config,
                )
            )
    return UseCaseFacts(use_case.use_case, use_case.purpose, period, bases[period], features)


def _by_feature(lake: Lake, table: str, most: int) -> dict[str, list[Row]]:
    """The newest rows of each feature, oldest first."""
    numbered = f"SELECT *, dense_rank() OVER (PARTITION BY feature ORDER BY period_start DESC) AS _place FROM {table}"
    made: dict[str, list[Row]] = {}
    for row in lake.sql(f"SELECT * FROM ({numbered}) WHERE _place <= {most} ORDER BY feature, period_start").collect():
        made.setdefault(row["feature"], []).append(row.asDict())
    return made


def _with_band(row: Row) -> Row:
    shown = row["quantiles"] or [None] * (_HIGH + 1)
    return {**row, "low": shown[_LOW], "median": shown[_MEDIAN], "high": shown[_HIGH]}


def _defined(definition: Definition, config: Config) -> dict[str, Any]:
    group, feature = config.group(definition.group), definition.feature
    source = config.source(definition.source)
    said = feature.model_dump(
        mode="json", exclude_none=True, exclude_defaults=True, exclude={"say", "unit", "owner", "expect"}
    )
    return {
        "about": describe(definition),
        "owner": feature.owner or group.owner or source.owner,
        "group": f"{group.group} (conf/features/{group.group}.yml)",
        "unknown_when": _unknown_when(feature),
        "expects": _expects(feature),
        "definition": [(key, _plain(value)) for key, value in said.items()],
    }


def _own(column: str, use_case: UseCase, config: Config) -> dict[str, Any]:
    source = config.source(use_case.score.each)
    return {
        "about": source.silver_columns[column].about or f"{column} of the scored row",
        "owner": source.owner,
        "group": f"the scored row, {source.source} (conf/sources/{source.source}.yml)",
        "unknown_when": "unknown where the row had no value when it was decided on",
        "expects": [],
        "definition": [],
    }


def _unknown_when(feature: Feature) -> str:
    if feature.ratio:
        return "unknown where a part is, or where it would be divided by zero"
    if feature.row:
        return "unknown where the expression is"
    if feature.python:
        return "unknown where the function gives no number"
    empty = feature.when_empty or ("0" if feature.kind in _EMPTY_IS_ZERO else "unknown")
    return f"{empty} where there is no row to look at; unknown where the entity is"


def _expects(feature: Feature) -> list[tuple[str, str]]:
    expect = feature.expect
    return [(key, _plain(value)) for key, value in expect.model_dump(exclude_none=True).items()] if expect else []


def _source(use: Use) -> tuple[str, str, str]:
    how = {"this": "the decision's own row", "window": "earlier rows", "label": "labels reported by then"}[use.how]
    return (f"label({use.column})" if use.how == "label" else f"{use.source}.{use.column}", how, use.place)


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value))
    if isinstance(value, Mapping):
        return str(value["text"]) if "text" in value else "; ".join(f"{key}: {_plain(v)}" for key, v in value.items())
    return "any" if value is None else str(value)


def days_of(base: str) -> tuple[str, date, date]:
    """`training 2025-06-02 to 2025-07-21` in its parts."""
    kind, first, _, last = base.split(" ")
    return kind, date.fromisoformat(first), date.fromisoformat(last)
