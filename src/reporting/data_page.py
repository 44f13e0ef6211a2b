"""The page of data: what arrived, what became of it, what is broken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from finlake.reporting import charts
from finlake.reporting.formats import day, moment
from finlake.reporting.reading import Row
from finlake.reporting.source_data import COUNTS, DataFacts, SourcePart

_FEWEST_RULES = 6


def data_page(facts: DataFacts) -> dict[str, Any]:
    """What the template shows beside the facts."""
    return {
        "facts": facts,
        "counts": COUNTS,
        "sources": [_source(source) for source in facts.sources],
        "arrivals": _arrivals(facts.files),
    }


def _source(source: SourcePart) -> dict[str, Any]:
    labels = [day(batch["arrived_at"] or batch["refined_at"]) for batch in source.batches]
    numbers = [{count: float(batch[count] or 0) for count in COUNTS[1:]} for batch in source.batches]
    about = f"{source.name}: rows of {len(numbers)} batches, by what became of them"
    rules = [
        {**rule, "chart": charts.spark_line(rule["trend"], f"{rule['rule']}: share of rows that break it, by batch")}
        for rule in source.rules
    ]
    chart = charts.stacked_bars(numbers, COUNTS[1:], labels, about) if numbers else ""
    broken = sum(1 for rule in rules if rule["failed"])
    return {
        "part": source,
        "chart": chart,
        "rules": rules[: max(broken, _FEWEST_RULES)],
        "known": len(rules),
        "broken": broken,
    }


def _arrivals(files: list[Row]) -> Markup:
    by_source: dict[str, list[tuple[datetime, str, str]]] = {}
    for row in sorted(files, key=lambda row: row["source"]):
        when = row["arrived_at"].replace(tzinfo=UTC)
        told = f"{row['rows']:,} rows" if row["rows"] is not None else row["status"]
        by_source.setdefault(row["source"], []).append((when, row["status"], f"{row['file']}, {moment(when)}, {told}"))
    return charts.timeline(list(by_source.items()), "when files arrived, by source")
