"""Writes the report: a small site of HTML files that need no network and no scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from finlake.config import Config
from finlake.lakehouse import Lake
from finlake.reporting.data_page import data_page
from finlake.reporting.feature_data import UseCaseFacts, feature_facts
from finlake.reporting.feature_pages import MADE_FROM, kind_of, write_features
from finlake.reporting.model_data import model_facts
from finlake.reporting.model_page import model_page
from finlake.reporting.morning_page import FeaturesSummary, morning_page
from finlake.reporting.queue_data import queue_facts
from finlake.reporting.queue_page import queue_page
from finlake.reporting.reading import versions
from finlake.reporting.run_data import run_facts
from finlake.reporting.site import Kind, Page, Site
from finlake.reporting.source_data import data_facts

_FIRST_FROM = ("ops.runs", "ops.batches", "ops.freshness", "ops.models", "ops.alerts", "ops.outcomes")


def build_report(lake: Lake, out: Path, config: Config | None = None) -> Path:
    """Writes `out`/index.html and the pages it leads to, from what the lake holds now; parts without data say so.

    With the configuration, which says what features are, there are pages of the profiled features too.

    Returns:
        The address of the first page, which is written last.
    """
    runs, data, models, queues = run_facts(lake), data_facts(lake), model_facts(lake), queue_facts(lake)
    features = _features(lake, config)
    kinds = [
        Kind("Morning", "index.html"),
        Kind("Queue", "queue/{}.html", [queue.use_case for queue in queues]),
        Kind("Models", "models/{}.html", [model.use_case for model in models]),
        Kind("Data", "data.html"),
        kind_of(features),
        Kind("Runs", "runs.html"),
    ]
    alone = ("Morning", "Data", "Runs")
    name = lake.root.name if lake.root else lake.names.catalog
    site = Site(out, name, datetime.now(UTC), [kind for kind in kinds if kind.members or kind.title in alone])
    for queue in queues:
        page = Page(f"queue/{queue.use_case}.html", "Queue", queue.use_case, queue.tables)
        site.write("queue.html.j2", page, queue_page(queue))
    plots = lake.root / "plots" if lake.root else None
    reasons = {queue.use_case: queue.reasons for queue in queues}
    for model in models:
        page = Page(f"models/{model.use_case}.html", "Models", model.use_case, model.tables)
        site.write("model.html.j2", page, model_page(model, plots, reasons.get(model.use_case, [])))
    site.write("data.html.j2", Page("data.html", "Data", tables=data.tables), data_page(data))
    for facts in features:
        write_features(site, facts, versions(lake, MADE_FROM))
    site.write("runs.html.j2", Page("runs.html", "Runs", tables=versions(lake, ("ops.runs",))), {"facts": runs})
    summaries = [
        FeaturesSummary(facts.use_case, len(facts.features), sum(1 for feature in facts.features if feature.present))
        for facts in features
    ]
    first = Page("index.html", "Morning", tables=versions(lake, _FIRST_FROM))
    return site.write("morning.html.j2", first, morning_page(runs, data, models, queues, summaries))


def _features(lake: Lake, config: Config | None) -> list[UseCaseFacts]:
    found = [feature_facts(lake, config, use_case) for use_case in config.use_cases.values()] if config else []
    return [facts for facts in found if facts is not None and facts.features]
