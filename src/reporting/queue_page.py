"""The page of a use case's queue: whom to call, what is carried over, what became of alerts, what was found."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from markupsafe import Markup

from finlake.reporting import charts
from finlake.reporting.feature_charts import distribution
from finlake.reporting.formats import share
from finlake.reporting.queue_data import QueueFacts
from finlake.reporting.reading import Row
from finlake.reporting.time_charts import over_time

STATES = ("confirmed", "open", "dismissed", "expired")
FOUND_MISSED = ("s0", "s3")
_FEATURES = 12
_CUTS = {"alert_above": "l0", "approve_below": "l1", "decline_above": "l3"}
_DECISIONS = 4  # kinds of decisions that have a colour


def queue_page(facts: QueueFacts) -> dict[str, Any]:
    """What the template shows beside the facts."""
    return {
        "facts": facts,
        "days": _days(facts),
        "states": STATES,
        "value": _value(facts),
        "value_total": {part: sum(float(row[part]) for row in facts.value) for part in ("found", "missed")},
        "decisions": _decisions(facts),
        "decided": list(dict.fromkeys(row["decision"] for row in facts.kinds))[:_DECISIONS],
        "reasons_chart": reason_frequencies(facts.reasons),
        "cuts": _cuts(facts),
        "contexts": _latest(facts.thresholds),
    }


def _label(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _days(facts: QueueFacts) -> Markup:
    if not facts.days:
        return Markup("")
    numbers = [{state: float(row[state]) for state in STATES} for row in facts.days]
    about = f"alerts of {len(facts.days)} days, by what became of them: {', '.join(STATES)}"
    return charts.stacked_bars(numbers, STATES, [_label(row["queue_day"]) for row in facts.days], about)


def _value(facts: QueueFacts) -> Markup:
    known = [row for row in facts.value if row["matured"]]
    if not known:
        return Markup("")
    numbers = [{part: float(row[part]) for part in ("found", "missed")} for row in known]
    labels = [f"{_label(row['day'])}, {share(row['share_known'], 0)} of outcomes known" for row in known]
    about = f"value found and missed on {len(known)} days whose outcomes are known"
    return charts.stacked_bars(numbers, ("found", "missed"), labels, about, FOUND_MISSED)


def _decisions(facts: QueueFacts) -> Markup:
    by_day: dict[date, Counter[str]] = {}
    for row in facts.by_day:
        by_day.setdefault(row["day"], Counter())[row["decision"]] = row["rows"]
    kinds = list(dict.fromkeys(row["decision"] for row in facts.kinds))[:_DECISIONS]
    if not by_day or not kinds:
        return Markup("")
    numbers = [{kind: float(counted[kind]) for kind in kinds} for counted in by_day.values()]
    about = f"decisions of {len(by_day)} days: {', '.join(kinds)}"
    return charts.stacked_bars(numbers, kinds, [_label(day) for day in by_day], about)


def reason_frequencies(reasons: list[Row]) -> Markup:
    """How often each feature was a reason in the newest week, and in the weeks before."""
    weeks = sorted({row["week"] for row in reasons})
    if not weeks:
        return Markup("")
    before, now = Counter[str](), Counter[str]()
    for row in reasons:
        (now if row["week"] == weeks[-1] else before)[row["feature"]] += row["decisions"]
    total_before, total_now = sum(before.values()) or 1, sum(now.values()) or 1
    shown = sorted({*before, *now}, key=lambda name: (-now[name] / total_now, -before[name], name))[:_FEATURES]
    about = f"share of all reasons given, by feature: the week of {_label(weeks[-1])} beside the {len(weeks) - 1} weeks before"
    return distribution(
        shown, [before[name] / total_before for name in shown], [now[name] / total_now for name in shown], about
    )


def _cuts(facts: QueueFacts) -> Markup:
    """Thresholds that hold everywhere, over time."""
    everywhere = [row for row in reversed(facts.thresholds) if not row["context"]]
    series = {
        name.replace("_", " "): [(row["valid_from"].date(), row[name]) for row in everywhere if row[name] is not None]
        for name in _CUTS
    }
    series = {name: points for name, points in series.items() if points}
    classes = {name.replace("_", " "): kind for name, kind in _CUTS.items()}
    return over_time(
        series, "thresholds in force, over time", classes=classes, label=share, steps=True, until=facts.day
    )


def _latest(thresholds: list[Row]) -> list[Row]:
    """The thresholds in force in each context."""
    newest: dict[str, Row] = {}
    for row in thresholds:
        newest.setdefault(row["context"] or "", row)
    return [newest[name] for name in sorted(newest)]
