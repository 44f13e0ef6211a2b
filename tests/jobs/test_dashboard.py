"""The dashboards' queries run on the demo's lake, and give every field their widgets name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finlake.lakehouse.names import tables_in
from tests.jobs.conftest import Demo

pytestmark = pytest.mark.long

RESOURCES = Path(__file__).parents[2] / "resources"
DASHBOARDS = {
    path.name.partition(".")[0]: json.loads(path.read_text("utf-8")) for path in RESOURCES.glob("*.lvdash.json")
}


def fields_of(name: str, dataset: str) -> set[str]:
    widgets = [cell["widget"] for page in DASHBOARDS[name]["pages"] for cell in page["layout"]]
    queries = [query["query"] for widget in widgets for query in widget.get("queries", [])]
    asked = {field["expression"] for query in queries if query["datasetName"] == dataset for field in query["fields"]}
    return {expression.removeprefix("SUM(").strip("`)") for expression in asked}


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_every_query_of_a_dashboard_runs_and_gives_what_its_widgets_show(name: str, demo: Demo):
    views, ran = demo.bench.lake.views(), 0
    for item in DASHBOARDS[name]["datasets"]:
        text = "".join(item["queryLines"])
        if set(tables_in(text)) <= set(views):
            found = demo.bench.sql(text)
            assert fields_of(name, item["name"]) <= set(found.columns), item["name"]
            assert name != "morning" or not found.isEmpty(), item["name"]
            ran += 1
    assert ran >= 2
    assert name != "morning" or ran == len(DASHBOARDS[name]["datasets"])
