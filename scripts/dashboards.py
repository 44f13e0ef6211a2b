"""Writes resources/<name>.lvdash.json from scripts/dashboards/<name>.yml, which says the same in a tenth of the lines.

.venv/bin/python scripts/dashboards.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
SOURCES, RESOURCES = ROOT / "scripts" / "dashboards", ROOT / "resources"
WIDTH = 6  # columns of a page's grid
KINDS = ("table", "counter", "bar", "line")
VERSIONS = {"table": 2, "counter": 2, "bar": 3, "line": 3}
Part = dict[str, Any]


def made(source: Path) -> str:
    """The dashboard as JSON, as Databricks keeps it."""
    said = YAML(typ="safe").load(source.read_text("utf-8"))
    datasets = [
        {"name": name, "displayName": item["title"], "queryLines": item["sql"].strip().splitlines(keepends=True)}
        for name, item in said["datasets"].items()
    ]
    pages = [_page(page, said["datasets"]) for page in said["pages"]]
    return json.dumps({"datasets": datasets, "pages": pages}, indent=2, ensure_ascii=False) + "\n"


def _page(page: Part, datasets: Part) -> Part:
    layout, y = [], 0
    shown = [widget[_kind(widget)] for row in page["rows"] for widget in row["widgets"]]
    for field, title in page.get("filters", {}).items():
        having = [name for name in dict.fromkeys(shown) if field in datasets[name].get("filters", [])]
        layout.append(_cell(_filter(page["name"], field, title, having), 0, y, 2, 1))
    y += 1 if layout else 0
    for row in page["rows"]:
        x = 0
        share = WIDTH // len(row["widgets"])
        for widget in row["widgets"]:
            wide = widget.get("width", share)
            layout.append(_cell(_widget(widget), x, y, wide, row["height"]))
            x += wide
        if x != WIDTH:
            raise SystemExit(f"page {page['name']}: a row is {x} wide instead of {WIDTH}")
        y += row["height"]
    return {"name": page["name"], "displayName": page["title"], "layout": layout, "pageType": "PAGE_TYPE_CANVAS"}


def _cell(widget: Part, x: int, y: int, width: int, height: int) -> Part:
    return {"widget": widget, "position": {"x": x, "y": y, "width": width, "height": height}}


def _kind(widget: Part) -> str:
    return next(kind for kind in KINDS if kind in widget)


def _filter(page: str, field: str, title: str, datasets: list[str]) -> Part:
    """A choice that narrows every data set of the page that has the field."""
    return {
        "name": f"{page}_{field}",
        "queries": [
            {
                "name": f"{name}_{field}",
                "query": {"datasetName": name, "fields": [_field(field)], "disaggregated": False},
            }
            for name in datasets
        ],
        "spec": {
            "version": 2,
            "widgetType": "filter-multi-select",
            "encodings": {
                "fields": [
                    {"fieldName": field, "displayName": title, "queryName": f"{name}_{field}"} for name in datasets
                ]
            },
            "frame": {"showTitle": True, "title": title},
        },
    }


def _widget(widget: Part) -> Part:
    kind = _kind(widget)
    if kind == "table":
        names = list(widget["columns"])
        encodings: Part = {"columns": [_shown(name, title) for name, title in widget["columns"].items()]}
    elif kind == "counter":
        names = [widget["value"]]
        encodings = {"value": _shown(widget["value"], widget["title"])}
    else:
        encodings = {
            "x": _scaled(widget["x"], widget.get("scale", "temporal")),
            "y": _scaled(widget["y"], "quantitative"),
        }
        if "color" in widget:
            encodings["color"] = _scaled(widget["color"], "categorical")
        names = [part["fieldName"] for part in encodings.values()]
    frame = {"showTitle": True, "title": widget["title"]}
    if "about" in widget:
        frame |= {"showDescription": True, "description": widget["about"]}
    query = {
        "datasetName": widget[kind],
        "fields": [_field(name) for name in names],
        "disaggregated": kind != "counter",
    }
    if kind == "counter":  # added up over what the filters leave
        query["fields"] = [{"name": f"sum({names[0]})", "expression": f"SUM(`{names[0]}`)"}]
        encodings["value"]["fieldName"] = f"sum({names[0]})"
    return {
        "name": widget.get("name", f"{widget[kind]}_{kind}"),
        "queries": [{"name": "main_query", "query": query}],
        "spec": {"version": VERSIONS[kind], "widgetType": kind, "encodings": encodings, "frame": frame},
    }


def _field(name: str) -> Part:
    return {"name": name, "expression": f"`{name}`"}


def _shown(name: str, title: str) -> Part:
    return {"fieldName": name, "displayName": title}


def _scaled(name: str, scale: str) -> Part:
    return {"fieldName": name, "scale": {"type": scale}, "displayName": name.replace("_", " ").capitalize()}


def main() -> None:
    for source in sorted(SOURCES.glob("*.yml")):
        (RESOURCES / f"{source.stem}.lvdash.json").write_text(made(source), "utf-8")


if __name__ == "__main__":
    main()
