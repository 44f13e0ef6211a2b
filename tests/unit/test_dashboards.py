"""Dashboards are what their short form says, and show only columns that their queries give."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from finlake.config import load

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "scripts" / "dashboards").glob("*.yml"))
FILES = sorted((ROOT / "resources").glob("*.lvdash.json"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "scripts" / "dashboards.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_dashboard_for_each_reader() -> None:
    names = {path.name.partition(".")[0] for path in FILES}
    assert names == {"morning", "operations", "credit", "data_quality", "models"}
    assert names == {path.name.partition(".")[0] for path in (ROOT / "resources").glob("*.dashboard.yml")}
    assert {path.stem for path in SOURCES} == names - {"morning"}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_file_and_generator_agree(script: ModuleType, source: Path) -> None:
    written = (ROOT / "resources" / f"{source.stem}.lvdash.json").read_text("utf-8")
    assert written == script.made(source), "run: .venv/bin/python scripts/dashboards.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_widgets_show_columns_of_their_queries(path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    columns = {item["name"]: _columns("".join(item["queryLines"])) for item in content["datasets"]}
    widgets = [cell["widget"] for page in content["pages"] for cell in page["layout"]]
    assert len({widget["name"] for widget in widgets}) == len(widgets)
    shown = set()
    for widget in widgets:
        for query in (query["query"] for query in widget["queries"]):
            asked = {re.fullmatch(r"(?:SUM\()?`(\w+)`\)?", field["expression"]) for field in query["fields"]}
            assert {found and found[1] for found in asked} <= columns[query["datasetName"]], widget["name"]
            shown.add(query["datasetName"])
    assert shown == set(columns), "a data set is never shown"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_widgets_fill_rows_without_overlap(path: Path) -> None:
    for page in json.loads(path.read_text("utf-8"))["pages"]:
        taken: set[tuple[int, int]] = set()
        for cell in (cell["position"] for cell in page["layout"]):
            own = {(cell["x"] + i, cell["y"] + j) for i in range(cell["width"]) for j in range(cell["height"])}
            assert not own & taken, page["name"]
            assert cell["x"] + cell["width"] <= 6
            taken |= own


def test_no_query_knows_a_use_case_or_source_of_the_configuration() -> None:
    config = load(ROOT / "conf")
    for path in FILES:
        queries = "".join("".join(item["queryLines"]) for item in json.loads(path.read_text("utf-8"))["datasets"])
        assert not set(re.findall(r"\w+", queries)) & {*config.use_cases, *config.sources}, path.name


def _columns(sql: str) -> set[str]:
    """What the query's outermost SELECT gives."""
    tree: Any = sqlglot.parse_one(sql, read="databricks")
    names = set()
    for part in tree.selects:
        if isinstance(part, exp.Aliases):
            names |= (
                {alias.name for alias in part.aliases} if not isinstance(part.aliases[0], str) else set(part.aliases)
            )
        else:
            names.add(part.alias_or_name)
    return names
