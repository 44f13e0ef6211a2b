"""The page of a model: its card, verdicts, curves, search, stability, segments and history."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from finlake.reporting import charts
from finlake.reporting.formats import by_kind, interval, plural, share
from finlake.reporting.model_charts import convergence, parallel
from finlake.reporting.model_data import ModelFacts
from finlake.reporting.queue_page import FOUND_MISSED, reason_frequencies
from finlake.reporting.reading import Row
from finlake.reporting.time_charts import over_time

MODELS = {
    "finlake": "finlake",
    "logistic_regression": "logistic regression",
    "baseline_rule": "rule used today",
    "champion": "champion",
}
LINES = {"finlake": "l0", "logistic_regression": "l1", "baseline_rule": "l2", "champion": "l3"}
METRICS = (
    ("positives_at_budget", "hits a day at the budget", "number"),
    ("alerts", "alerts a day", "number"),
    ("precision_at_budget", "right among new alerts", "share"),
    ("recall_at_budget", "positives found at the budget", "share"),
    ("alerts_per_true_positive", "alerts a hit", "number"),
    ("value_found", "value found", "value"),
    ("value_stoppable", "value still stoppable", "value"),
    ("average_precision", "average precision", "score"),
    ("roc_auc", "ROC AUC", "score"),
    ("ks", "KS", "score"),
    ("gini", "Gini", "score"),
    ("brier", "Brier score", "score"),
    ("approved_share", "approved", "share"),
    ("declined_share", "declined", "share"),
    ("positives_among_approved", "bad among approved", "share"),
    ("cost_per_decision", "cost a decision", "number"),
)  # fmt: skip
_WORDS = {name: words for name, words, _ in METRICS}
_KINDS = {name: kind for name, _, kind in METRICS}
_MOST_PERIODS = 16
_LITTLE, _MUCH = 0.1, 0.25  # bands of PSI that credit scoring uses (Siddiqi, 2006)


def model_page(facts: ModelFacts, plots: Path | None = None, reasons: Sequence[Row] = ()) -> dict[str, Any]:
    """What the template shows beside the facts.

    Args:
        facts: of the model.
        plots: where training left its pictures.
        reasons: features that were reasons, by week, as on the queue's page.
    """
    metric = _metric(facts)
    return {
        "facts": facts,
        "compared": [{"name": name, "words": MODELS[name], "line": LINES[name]} for name in MODELS if _judged(facts.figures, name)],
        "metrics": metrics_of(facts.figures),
        "limits": [*(facts.card.get("limits") or []), *_limits(facts)],
        "curves": _curves(facts),
        "periods": _periods(facts),
        "importance": _picture(plots / facts.use_case / "importance.png") if plots else "",
        "segments": _segments(_groups(facts)),
        "board": _board(facts.board),
        "search": _search(facts, metric),
        "metric": metric.replace("_", " "),
        "drift": _drift(facts.drift),
        "value": _value(facts.value),
        "value_in_test": _value_in_test(facts.evaluation.get("curves", {})),
        "reasons_chart": reason_frequencies(list(reasons)),
    }  # fmt: skip


def _metric(facts: ModelFacts) -> str:
    """The figure that the search made large."""
    gates = [gate["reason"] for gate in facts.gates if gate["gate"].startswith("better_than")]
    return "roc_auc" if any(reason.startswith("roc_auc") for reason in gates) else "average_precision"


def _judged(figures: dict[str, Row], model: str) -> bool:
    return any(name.endswith(f".{model}") for name in figures)


def metrics_of(figures: dict[str, Row]) -> list[dict[str, Any]]:
    """Figures that were measured of each model: those with words first, then any other, by their names."""
    named = {name.rpartition(".")[0] for name in figures if name.rpartition(".")[2] in MODELS}
    return [
        {
            "words": _WORDS.get(name, name.replace("_", " ")),
            "kind": _KINDS.get(name, "score"),
            "values": {model: figures.get(f"{name}.{model}") for model in MODELS},
        }
        for name in [*(name for name in _WORDS if name in named), *sorted(named - set(_WORDS))]
    ]


def _limits(facts: ModelFacts) -> list[str]:
    """What follows from how it was learnt and measured, said before anybody relies on it."""
    made, card = [], facts.card
    if card.get("matures_after"):
        made.append(f"A row without a report counts as negative once {card['matures_after']} have passed.")
    if "train" in facts.split:
        made.append(f"It has seen nothing outside {facts.split['train']}; drift is on the page of features.")
    if facts.test_reads > 1:
        made.append(f"Its test period was read {facts.test_reads} times, which flatters figures on it a little.")
    small = [row for rows in _groups(facts).values() for row in rows if row["positives"] < 10]
    if small:
        counted = plural(len(small), "segment")
        made.append(f"Of {counted} the test has fewer than ten positives each, so little is known about them.")
    return made


def _curves(facts: ModelFacts) -> list[tuple[str, Markup]]:
    """Precision and recall with the budget or the cut-offs marked, gains, calibration."""
    curves = facts.evaluation.get("curves", {})
    ranking = {name: curves[f"ranking.{name}"] for name in MODELS if f"ranking.{name}" in curves}
    classes = {MODELS[name]: kind for name, kind in LINES.items()}
    made = []
    for title, across, up, words in (
        ("Precision and recall", 0, 1, ("share of positives found", "share of calls that are right")),
        ("Gains", 2, 0, ("share of rows called", "share of positives found")),
    ):
        if ranking:
            shown = {MODELS[name]: list(zip(curve[across], curve[up], strict=True)) for name, curve in ranking.items()}
            marks = _marks(ranking.get("finlake"), facts, across, up)
            about = f"{title.lower()} of each model on the test period" + "".join(f", {mark[2]}" for mark in marks)
            made.append((title, charts.lines(shown, *words, about, classes, marks)))
    if curves.get("calibration"):
        predicted, observed = curves["calibration"]
        about = "predicted and observed shares on the test period"
        made.append(("Calibration", charts.reliability(predicted, observed, about)))
    return made


def _marks(
    curve: Sequence[Sequence[float]] | None, facts: ModelFacts, across: int, up: int
) -> list[tuple[float, float, str]]:
    """Where the model stands at its budget or cut-offs.

    Recall and precision as they were measured, with one alert a day for each entity; for gains, and where they were not
    kept, the point of the curve at which as many rows are called as the budget has alerts.
    """
    curves, figures = facts.evaluation.get("curves", {}), facts.figures
    alerts, days, rows = (figures.get(name, {}).get("value") for name in ("alerts.finlake", "days", "rows"))
    at_budget = f"at the budget: {alerts:.3g} alerts a day" if alerts else "at the budget"
    if up == 1:
        named = {"budget.finlake": at_budget, "cut_off.refer": "referred or declined", "cut_off.decline": "declined"}
        found = [(*(part[0] for part in curves[name]), words) for name, words in named.items() if name in curves]
        if found:
            return [(recall, right, words) for recall, right, words in found]
    if curve is None or not alerts or not days or not rows:
        return []
    place = min(range(len(curve[2])), key=lambda at: abs(curve[2][at] - alerts * days / rows))
    return [(curve[across][place], curve[up][place], at_budget)]


def _value_in_test(curves: Row) -> Markup:
    """Value found and missed by week of the test period, as the policy would have had it."""
    total, found = curves.get("value.total"), curves.get("value.finlake")
    if not total or not found:
        return Markup("")
    weeks: dict[date, dict[str, float]] = {}
    found_on = dict(zip(found[0], found[1], strict=True))
    for ordinal, lost in zip(*total, strict=True):
        day = date.fromordinal(int(ordinal))
        week = weeks.setdefault(day - timedelta(days=day.weekday()), {"found": 0.0, "missed": 0.0})
        week["found"] += found_on.get(ordinal, 0.0)
        week["missed"] += lost - found_on.get(ordinal, 0.0)
    labels = [f"week of {week.day} {week:%b %Y}" for week in weeks]
    about = f"value found and missed in {len(weeks)} weeks of the test period"
    return charts.stacked_bars(list(weeks.values()), ("found", "missed"), labels, about, FOUND_MISSED)


def _periods(facts: ModelFacts) -> list[tuple[str, Markup]]:
    """Calibration and stability by period, with intervals."""
    made = []
    for title, part, limits, about in (
        ("Predicted ÷ observed, by period", "calibration_by", (1.0,), "predicted divided by observed, by period"),
        ("Stability of scores against training, by period (PSI)", "stability_by", (0.0, _LITTLE, _MUCH),
         "population stability index of scores against training, by period"),
    ):  # fmt: skip
        rows = period_rows(facts.evaluation.get(part, {}))
        if rows:
            made.append((title, charts.intervals(rows, f"{about}, with 95% intervals", limits)))
    return made


def period_rows(by: dict[str, list[Row]]) -> list[tuple[str, float, float | None, float | None]]:
    """The finest length of period whose rows fit into a picture."""
    for length in ("month", "quarter", "year"):
        rows = [(row["period"], row["estimate"]) for row in by.get(length, []) if row["estimate"]["value"] is not None]
        if 1 < len(rows) <= _MOST_PERIODS:
            return [(name, found["value"], found["low"], found["high"]) for name, found in rows]
    return []


def _groups(facts: ModelFacts) -> dict[str, list[Row]]:
    """Segments of the test, and whom the model learnt from where entities were held out."""
    apart = facts.evaluation.get("apart") or []
    return {**(facts.evaluation.get("segments") or {}), **({"entities and time": apart} if apart else {})}


def _segments(segments: dict[str, list[Row]]) -> list[dict[str, Any]]:
    """By what they are segments of: rows with the figures of the finlake model and its smallest paired difference."""
    made = []
    for by, found in segments.items():
        names = [name for name, _, _ in METRICS if any(f"{name}.finlake" in row["figures"] for row in found)][:3]
        bare = by.removeprefix("this.")
        rows = [
            {
                **row,
                "segment": row["segment"].removeprefix(f"{bare} ").removeprefix("= "),
                "shown": [interval(row["figures"].get(f"{name}.finlake"), _KINDS[name]) for name in names],
                "worst": _worst(row["differences"]),
            }
            for row in found
        ]
        rows.sort(key=lambda row: _begin(row["segment"]))  # bands of a number in their order, values as they were
        made.append({"by": by, "columns": [_WORDS[name] for name in names], "rows": rows})
    return made


def _begin(segment: str) -> float:
    """Where a number's band begins: `< 9.77`, `9.77 to 18.7`, `≥ 65.1`; infinity for what is none."""
    band = re.fullmatch(r"(?:(< )|≥ )?(-?[\d.]+(?:e[+-]\d+)?)(?: to \S+)?", segment)
    return math.inf if band is None else -math.inf if band[1] else float(band[2])


def _worst(differences: dict[str, Row]) -> tuple[str, str, str]:
    """The comparison that goes worst for the model: with whom, difference with interval, and how it is to be read."""
    known = [(name, found) for name, found in differences.items() if found.get("value") is not None]
    if not known:
        return "", "–", ""
    name, found = min(known, key=lambda item: item[1]["value"])
    figure, _, model = name.partition(".")
    low, high = found.get("low"), found.get("high")
    kind = "bad" if high is not None and high < 0 else "good" if low is not None and low > 0 else "warn"
    return (
        f"{figure.replace('_', ' ')} against {MODELS.get(model, model)}",
        interval(found, _KINDS.get(figure, "score")),
        kind,
    )


def _board(board: list[Row]) -> list[dict[str, Any]]:
    """One picture and table a figure, best first."""
    made = []
    for figure in dict.fromkeys(row["figure"] for row in board):
        kind = _KINDS.get(figure, "score")
        rows = [
            {**row, "named": _named(row), "shown": interval(row, kind), "behind": interval(_difference(row), kind)}
            for row in board
            if row["figure"] == figure and row["value"] is not None
        ]
        words = _WORDS.get(figure, figure.replace("_", " "))
        points = [(row["named"], row["value"], row["low"], row["high"]) for row in rows]
        chart = charts.intervals(points, f"{words} of each model on the same test rows, with 95% intervals", ())
        made.append({"figure": words, "title": words[:1].upper() + words[1:], "rows": rows, "chart": chart})
    return made


def _named(row: Row) -> str:
    """`finlake v3`, `rule used today`, or the name somebody gave it."""
    name = MODELS.get(row["model"], str(row["model"]))
    return f"{name} v{row['version']}" if row["version"] and f"v{row['version']}" not in name else name


def _difference(row: Row) -> Row:
    return {"value": row["difference"], "low": row["difference_low"], "high": row["difference_high"]}


def _search(facts: ModelFacts, metric: str) -> dict[str, Any]:
    trials, words = facts.trials, metric.replace("_", " ")
    done = [row for row in trials if row["metric"] is not None]
    best = max(done, key=lambda row: (row["metric"], -row["trial"]), default=None)
    reached = by_kind(best["metric"], "score") if best else "nothing"
    lines = f"{len(done)} trials as lines over their parameters and {words}; the best ones are darkest"
    return {
        "trials": len(trials),
        "best": best,
        "engines": ", ".join(sorted({row.get("engine") or "hyperopt" for row in trials})),
        "stopped": [row for row in trials if row["status"] != "ok"],
        "convergence": convergence(trials, words, f"{words} on the choose period by trial; the best reached {reached}"),
        "parallel": parallel(trials, words, lines),
    }


def _drift(weeks: list[Row]) -> Markup:
    series: dict[str, list[tuple[date, float]]] = {
        "PSI": [(row["week"], float(row["psi"])) for row in weeks],
        "by chance": [(row["week"], float(row["psi_by_chance"])) for row in weeks],
    }
    if not weeks:
        return Markup("")
    about = "population stability index of each week's scores against the version's first four weeks, beside what chance gives"
    return over_time(series, about, classes={"PSI": "l0", "by chance": "l2"}, limits=(_LITTLE, _MUCH))


def _value(months: list[Row]) -> Markup:
    known = [row for row in months if row["matured"]]
    if not known:
        return Markup("")
    labels = [f"{row['month']:%b %Y}, {share(row['share_known'], 0)} of outcomes known" for row in known]
    numbers = [{part: float(row[part]) for part in ("found", "missed")} for row in known]
    about = f"value found and missed in {len(known)} months"
    return charts.stacked_bars(numbers, ("found", "missed"), labels, about, FOUND_MISSED)


def _picture(path: Path) -> str:
    """A PNG as a data URI, so that a page needs no other file."""
    if not path.is_file():
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
