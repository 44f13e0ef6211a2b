"""Renders the report as one HTML file that needs no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from finlake.config import Config
from finlake.lakehouse import Lake
from finlake.reporting import charts
from finlake.reporting.data import COUNTS, Facts, Row, SourcePart, gather
from finlake.reporting.feature_pages import Link, feature_pages

_FEWEST_RULES = 6
_TEMPLATES = Path(__file__).parent / "templates"
_MODELS = {
    "finlake": "finlake",
    "logistic_regression": "logistic regression",
    "baseline_rule": "rule used today",
    "champion": "champion",
}
_LINES = {"finlake": "l0", "logistic_regression": "l1", "baseline_rule": "l2", "champion": "l3"}
_METRICS = (
    ("positives_at_budget", "hits a day at the budget", "number"),
    ("alerts", "alerts a day", "number"),
    ("value_found", "value found", "value"),
    ("value_stoppable", "value still stoppable", "value"),
    ("average_precision", "average precision", "score"),
    ("roc_auc", "ROC AUC", "score"),
    ("ks", "KS", "score"),
    ("brier", "Brier score", "score"),
    ("approved_share", "approved", "share"),
    ("declined_share", "declined", "share"),
    ("positives_among_approved", "bad among approved", "share"),
)  # fmt: skip


def build_report(lake: Lake, out: Path, config: Config | None = None) -> Path:
    """Writes `out`/index.html from what the lake holds now; parts without data say so.

    With the configuration, which says what features are, the pages of profiled features are written beside it.
    """
    facts = gather(lake)
    page = render(
        facts,
        name=lake.root.name if lake.root else lake.names.catalog,
        plots=lake.root / "plots" if lake.root else None,
        features=feature_pages(lake, config, out) if config else (),
    )
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(page, "utf-8")
    return path


def render(facts: Facts, name: str, plots: Path | None = None, features: Sequence[Link] = ()) -> str:
    """The page as text. Every value from data is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": _number,
        "share": _share,
        "moment": _moment,
        "day": _day,
        "interval": _interval,
        "show": _show,
    }
    template = environment.from_string((_TEMPLATES / "report.html.j2").read_text("utf-8"))
    return template.render(
        facts=facts,
        lake=name,
        counts=COUNTS,
        style=Markup((_TEMPLATES / "style.css").read_text("utf-8")),
        total={count: sum(source.totals[count] for source in facts.sources) for count in COUNTS},
        sources=[_source(source) for source in facts.sources],
        arrivals=_arrivals(facts.files),
        models=[_model(model, plots) for model in facts.models],
        made_at=facts.made_at,
        features=features,
    )


def _source(source: SourcePart) -> dict[str, Any]:
    labels = [_day(batch["arrived_at"] or batch["refined_at"]) for batch in source.batches]
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
        rows = f"{row['rows']:,} rows" if row["rows"] is not None else row["status"]
        by_source.setdefault(row["source"], []).append((when, row["status"], f"{row['file']}, {_moment(when)}, {rows}"))
    return charts.timeline(list(by_source.items()), "when files arrived, by source")


def _model(model: Row, plots: Path | None) -> dict[str, Any]:
    evaluation = model["evaluation"]
    curves = evaluation.get("curves", {})
    figures = evaluation.get("figures", {})
    ranking = {name.removeprefix("ranking."): curve for name, curve in curves.items() if name.startswith("ranking.")}
    order = [name for name in _MODELS if name in ranking]
    charts_made = []
    if order:
        shown = {_MODELS[name]: list(zip(ranking[name][0], ranking[name][1], strict=True)) for name in order}
        classes = {_MODELS[name]: kind for name, kind in _LINES.items()}
        about = "precision and recall of each model on the test period"
        charts_made.append(
            (
                "Precision and recall",
                charts.lines(shown, "share of positives found", "share of calls that are right", about, classes),
            )
        )
    if curves.get("calibration"):
        predicted, observed = curves["calibration"]
        about = "predicted and observed shares on the test period"
        charts_made.append(("Calibration", charts.reliability(predicted, observed, about)))
    periods = _periods(evaluation)
    if periods:
        limits = (1.0,)
        about = "predicted divided by observed, by period, with 95% intervals"
        charts_made.append(("Predicted ÷ observed, by period", charts.intervals(periods, about, limits)))
    picture = _picture(plots / model["model"] / "importance.png") if plots else ""
    return {
        "row": model,
        "compared": [
            {"name": name, "words": _MODELS[name], "line": _LINES[name]} for name in _MODELS if _judged(figures, name)
        ],
        "metrics": _metrics(figures),
        "figures": figures,
        "charts": charts_made,
        "importance": picture,
    }


def _judged(figures: dict[str, Row], model: str) -> bool:
    return any(name.endswith(f".{model}") for name in figures)


def _metrics(figures: dict[str, Row]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "words": words,
            "kind": kind,
            "values": {model: figures.get(f"{name}.{model}") for model in _MODELS},
        }
        for name, words, kind in _METRICS
        if any(f"{name}.{model}" in figures for model in _MODELS)
    ]


def _periods(evaluation: Row) -> list[tuple[str, float, float | None, float | None]]:
    by = evaluation.get("calibration_by", {})
    for length in ("month", "quarter", "year"):
        rows = [(row["period"], row["estimate"]) for row in by.get(length, []) if row["estimate"]["value"] is not None]
        if 1 < len(rows) <= 16:
            return [(name, found["value"], found["low"], found["high"]) for name, found in rows]
    return []


def _picture(path: Path) -> str:
    """A PNG as a data URI, so that the page stays one file."""
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _number(value: Any, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _share(value: float | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    if 0 < value < 0.5 * 10 ** -(digits + 2):
        return f"< {10**-digits:.{digits}f}%"
    return f"{value:.{digits}%}"


def _moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value.day} {value:%b %Y %H:%M} UTC"


def _day(value: datetime | date | None) -> str:
    return "–" if value is None else f"{value.day} {value:%b %Y}"


def _interval(found: Row | None, kind: str = "score") -> str:
    """A figure with its 95% interval, in the way its kind is read."""
    if not found or found.get("value") is None:
        return "–"

    def text(number: float) -> str:
        return {"share": f"{number:.1%}", "value": f"{number:,.0f}", "number": f"{number:,.1f}"}.get(
            kind, f"{number:.3f}"
        )

    low, high = found.get("low"), found.get("high")
    return text(found["value"]) + (f" [{text(low)} – {text(high)}]" if low is not None and high is not None else "")


def _show(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float | Decimal):
        return f"{value:,.2f}"
    return _moment(value) if isinstance(value, datetime) else str(value)
