"""The dashboard's queries run on the demo's lake, and give every field its widgets name."""

from __future__ import annotations

import json
from pathlib import Path

from tests.jobs.conftest import Demo

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "resources" / "morning.lvdash.json").read_text("utf-8"))


def fields_of(dataset: str) -> set[str]:
    widgets = [cell["widget"] for page in DASHBOARD["pages"] for cell in page["layout"]]
    queries = [query["query"] for widget in widgets for query in widget.get("queries", [])]
    return {field["name"] for query in queries if query["datasetName"] == dataset for field in query["fields"]}


def test_every_query_of_the_dashboard_runs_and_gives_what_its_widgets_show(demo: Demo):
    asked = {item["name"]: "".join(item["queryLines"]) for item in DASHBOARD["datasets"]}
    for name, text in asked.items():
        found = demo.bench.sql(text)
        assert fields_of(name) <= set(found.columns), name
        assert not found.isEmpty(), name
