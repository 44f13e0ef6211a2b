"""The dashboard's queries run on the demo's lake, and give every field its widgets name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.jobs.conftest import Demo

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "resources" / "morning.lvdash.json").read_text("utf-8"))
RUN = """
import json, sys
import finlake
lake = finlake.open(conf=sys.argv[1], lake=sys.argv[2])
asked = json.loads(sys.stdin.read())
found = {name: lake.sql(text) for name, text in asked.items()}
print("RESULT" + json.dumps({name: {"columns": df.columns, "rows": df.count()} for name, df in found.items()}))
"""


def fields_of(dataset: str) -> set[str]:
    widgets = [cell["widget"] for page in DASHBOARD["pages"] for cell in page["layout"]]
    queries = [query["query"] for widget in widgets for query in widget.get("queries", [])]
    return {field["name"] for query in queries if query["datasetName"] == dataset for field in query["fields"]}


def test_every_query_of_the_dashboard_runs_and_gives_what_its_widgets_show(demo: Demo):
    asked = {item["name"]: "".join(item["queryLines"]) for item in DASHBOARD["datasets"]}
    command = [sys.executable, "-c", RUN, str(ROOT / "conf"), str(demo.lake)]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[1])
    for name in asked:
        assert fields_of(name) <= set(found[name]["columns"]), name
        assert found[name]["rows"] > 0, name
