"""A page for each feature and an index for each use case."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from finlake.monitoring.drift import FEWEST_PERIODS
from finlake.reporting import feature_charts as charts
from finlake.reporting.feature_data import FeatureFacts, Row, UseCaseFacts, days_of
from finlake.reporting.site import Kind, Page, Site

FOLDER, KIND = "features", "Features"
MADE_FROM = ("ops.feature_profiles", "ops.feature_findings")


def kind_of(found: list[UseCaseFacts]) -> Kind:
    """Their place in the navigation."""
    return Kind(KIND, FOLDER + "/{}/index.html", [facts.use_case for facts in found])


def write_features(site: Site, facts: UseCaseFacts, tables: Mapping[str, int]) -> None:
    """Writes features/<use case>/index.html and <feature>.html."""

    def page(name: str) -> Page:
        return Page(f"{FOLDER}/{facts.use_case}/{name}.html", KIND, facts.use_case, tables)

    shared = {"facts": facts, "of_base": days_of(facts.base)[0]}
    of_concern = sorted(facts.features, key=lambda feature: _state(feature)[2])
    rows = [{"feature": f, "state": _state(f), "chart": _spark(f)} for f in of_concern]
    site.write("features.html.j2", page("index"), {**shared, "rows": rows})
    for place, feature in enumerate(facts.features):
        before = facts.features[place - 1].name if place else ""
        after = facts.features[place + 1].name if place + 1 < len(facts.features) else ""
        own = {"feature": feature, "state": _state(feature), "before": before, "after": after}
        site.write("feature.html.j2", page(feature.name), {**shared, **own, **_pictures(facts, feature)})


def _state(feature: FeatureFacts) -> tuple[str, str, int]:
    """Words, colour, and place in the order of concern."""
    kinds = {row["kind"] for row in feature.present}
    words = {"drift": "drifted", "expectation": "not as expected"}
    if any(row["blocking"] for row in feature.present):
        return " and ".join(words[kind] for kind in sorted(kinds)), "bad", 0
    if kinds:
        return "drifted", "warn", 1
    if len(feature.periods) <= FEWEST_PERIODS:
        return "too new to compare", "warn", 2
    return "as before", "good", 3


def _spark(feature: FeatureFacts) -> Markup:
    return charts.spark_band(
        feature.periods, f"{feature.name} over time: median and 90% of values", bool(feature.present)
    )


def _pictures(facts: UseCaseFacts, feature: FeatureFacts) -> dict[str, Any]:
    of_unknown = [row for row in feature.findings if row["effect"].startswith("unknown")]
    of_values = [row for row in feature.findings if row not in of_unknown]
    kind, first, last = days_of(facts.base)
    reference = [
        row for row in feature.periods if first <= row["period_start"] <= last and row is not feature.newest
    ] or feature.periods[:1]
    counts = np.array([row["counts"] for row in reference], dtype="float64").sum(axis=0)
    now = np.array(feature.newest["counts"], dtype="float64")
    before, after = counts / max(counts.sum(), 1), now / max(now.sum(), 1)
    names = charts.bin_names(feature.newest["edges"])
    shown = [place for place in range(len(names)) if before[place] > 0 or after[place] > 0]
    word = "training" if kind == "training" else "before"
    spanned = f"{_day(reference[0]['period_start'])} to {_day(reference[-1]['period_start'])}"
    return {
        "course": charts.course(feature.periods, _marked(of_values), f"{feature.name}: median, mean and 90% of values by {facts.period}"),
        "unknown": charts.unknown_share(feature.periods, _marked(of_unknown), f"{feature.name}: share of unknown values by {facts.period}"),
        "distribution": charts.distribution(
            [names[place] for place in shown], before[shown].tolist(), after[shown].tolist(),
            f"{feature.name}: share of rows in each bin, before and now",
        ),
        "reference": f"{word}: {facts.period}s of {spanned}",
    }  # fmt: skip


def _marked(findings: list[Row]) -> dict[date, str]:
    """Period -> what was found in it."""
    made: dict[date, str] = {}
    for row in findings:
        made[row["period_start"]] = "; ".join(filter(None, [made.get(row["period_start"]), row["text"]]))
    return made


def _day(value: date | datetime) -> str:
    return f"{value.day} {value:%b %Y}"
