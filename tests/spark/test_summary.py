"""The demo's page shows figures of one run, not what is left of earlier ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from finlake.cli.summary import Figures
from finlake.lakehouse import Lake
from finlake.lakehouse.ops import FIGURES

NOW = datetime(2025, 10, 15, tzinfo=UTC)


def figure(run: str, name: str, value: float, day: int) -> tuple[Any, ...]:
    return (run, "", name, value, None, None, "", "", {}, NOW + timedelta(days=day), NOW)


def test_a_list_of_figures_is_that_of_the_newest_run(lake: Lake) -> None:
    rows = [
        figure("old", "demo.warning.1", 1.0, 0),
        figure("old", "demo.warning.2", 2.0, 0),
        figure("old", "demo.seed", 7.0, 0),
        figure("new", "demo.warning.1", 3.0, 1),
    ]
    lake.append("ops.figures", lake.spark.createDataFrame(rows, FIGURES))
    newest = "row_number() OVER (PARTITION BY use_case, figure ORDER BY recorded_at DESC)"
    lake.view("bi.figures", f"SELECT * EXCEPT (n) FROM (SELECT *, {newest} AS n FROM ops.figures) WHERE n = 1")
    figures = Figures(lake)
    assert [(name, found.value) for name, found in figures.starting("demo.warning.")] == [("demo.warning.1", 3)]
    assert figures.value("demo.seed") == 7
