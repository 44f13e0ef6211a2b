"""A page for each feature and an index for each use case, beside the report; they need no network either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from finlake.config import Config
from finlake.lakehouse import Lake
from finlake.monitoring.drift import FEWEST_PERIODS
from finlake.reporting import feature_charts as charts
from finlake.reporting.feature_data import FeatureFacts, Row, UseCaseFacts, days_of, feature_facts

_TEMPLATES = Path(__file__).parent / "templates"
FOLDER = "features"


@dataclass(frozen=True)
class Link:
    """What the report's first page says of a use case's features."""

    use_case: str
    address: str
    features: int
    wrong: int


def feature_pages(lake: Lake, config: Config, out: Path) -> list[Link]:
    """Writes `out`/features/<use case>/index.html and <feature>.html for every profiled use case.

    Returns:
        Links from `out`; none where nothing was profiled.
    """
    made_at = datetime.now(UTC)
    found = [feature_facts(lake, config, use_case) for use_case in config.use_cases.values()]
    links = []
    for facts in (facts for facts in found if facts is not None and facts.features):
        folder = out / FOLDER / facts.use_case
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in render(facts, lake.root.name if lake.root else lake.names.catalog, made_at).items():
            (folder / name).write_text(page, "utf-8")
        wrong = sum(1 for feature in facts.features if feature.present)
        address = f"{FOLDER}/{facts.use_case}/index.html"
        links.append(Link(facts.use_case, address, len(facts.features), wrong))
    return links


def render(facts: UseCaseFacts, lake: str, made_at: datetime) -> dict[str, str]:
    """File name -> page. Every value from data or configuration is escaped."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"number": charts.number, "day": _day, "share": _share}
    shared = {
        "facts": facts,
        "lake": lake,
        "made_at": made_at,
        "style": Markup((_TEMPLATES / "style.css").read_text("utf-8")),
        "kind": days_of(facts.base)[0],
    }
    of_concern = sorted(facts.features, key=lambda feature: _state(feature)[2])
    rows = [{"feature": f, "state": _state(f), "chart": _spark(f)} for f in of_concern]
    pages = {"index.html": environment.get_template("features.html.j2").render(**shared, rows=rows)}
    template = environment.get_template("feature.html.j2")
    for place, feature in enumerate(facts.features):
        before = facts.features[place - 1].name if place else ""
        after = facts.features[place + 1].name if place + 1 < len(facts.features) else ""
        pages[f"{feature.name}.html"] = template.render(
            **shared, feature=feature, state=_state(feature), before=before, after=after,
            **_pictures(facts, feature),
        )  # fmt: skip
    return pages


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


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
