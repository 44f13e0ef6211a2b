"""What the page of a queue shows: whom to call, what is still open, what became of earlier alerts, and decisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from finlake.lakehouse import Lake
from finlake.reporting.reading import Row, grouped, of_table, of_view, rows, versions

CALLS, DAYS, TOP, CHANGES = 40, 60, 8, 60  # alerts of a day, days of a chart, highest chances, thresholds
WEEKS = 13


@dataclass
class QueueFacts:
    """One use case; every part may be empty."""

    use_case: str
    card: Row = field(default_factory=dict)
    calls: list[Row] = field(default_factory=list)  # of the newest queue day
    carried: list[Row] = field(default_factory=list)
    days: list[Row] = field(default_factory=list)  # oldest first
    verdicts: list[Row] = field(default_factory=list)
    value: list[Row] = field(default_factory=list)  # by day, oldest first
    thresholds: list[Row] = field(default_factory=list)  # newest first
    reasons: list[Row] = field(default_factory=list)  # by week and feature
    kinds: list[Row] = field(default_factory=list)  # decisions of each kind
    by_day: list[Row] = field(default_factory=list)  # decisions by day and kind
    top: list[Row] = field(default_factory=list)
    review: bool = False  # nothing was decided: scores for review only
    tables: dict[str, int] = field(default_factory=dict)

    @property
    def day(self) -> date | None:
        return self.calls[0]["queue_day"] if self.calls else None

    @property
    def waiting(self) -> tuple[int, int]:
        """How many alerts of the newest day nobody has closed, and how many it took over from earlier days."""
        if self.days and self.days[-1]["queue_day"] == self.day:
            return self.days[-1]["open"], self.days[-1]["carried_over"]
        return len(self.calls), 0

    @property
    def to_call(self) -> list[Row]:
        """Alerts of the newest day that nobody has closed."""
        return [row for row in self.calls if row.get("state", "new") in ("new", "in_work")]


def queue_facts(lake: Lake) -> list[QueueFacts]:
    """Use cases that have scores, in the order of their names."""
    scored = [name.removeprefix("scores.") for name in lake.tables() if name.startswith("scores.")]
    cards = of_table(lake, "ops.use_cases", "use_case", 1)
    newest = of_view(lake, "bi.alert_queue", "queue_day DESC, place", CALLS)
    carried = _carried(lake)
    days = of_view(lake, "bi.queue_days", "queue_day DESC", DAYS)
    verdicts = of_view(lake, "bi.verdicts", "origin", 10)
    value = of_view(lake, "bi.value_by_day", "day DESC", DAYS)
    thresholds = of_view(lake, "bi.threshold_history", "valid_from DESC, context", CHANGES)
    reasons = _reasons(lake)
    made = []
    for name in scored:
        calls = newest.get(name, [])
        facts = QueueFacts(
            name, (cards.get(name) or [{}])[0], [row for row in calls if row["queue_day"] == calls[0]["queue_day"]],
            carried.get(name, []), days.get(name, [])[::-1], verdicts.get(name, []), value.get(name, [])[::-1],
            thresholds.get(name, []), reasons.get(name, []),
            tables=versions(lake, (f"scores.{name}", "ops.alerts", "ops.outcomes", "ops.thresholds")),
        )  # fmt: skip
        _decided(lake, facts)
        made.append(facts)
    return made


def _carried(lake: Lake) -> dict[str, list[Row]]:
    if "bi.open_queue" not in lake.views():
        return {}
    kept = f"SELECT * FROM bi.open_queue WHERE carried_over AND place <= {4 * CALLS} ORDER BY use_case, place"
    return {name: found[:CALLS] for name, found in grouped(rows(lake, kept), "use_case").items()}


def _reasons(lake: Lake) -> dict[str, list[Row]]:
    """Features by week of the last quarter of a year, commonest first."""
    if "bi.reasons_by_week" not in lake.views():
        return {}
    recent = f"week > date_sub(max(week) OVER (PARTITION BY use_case), {7 * WEEKS})"
    found = f"SELECT *, {recent} AS _recent FROM bi.reasons_by_week"
    return grouped(rows(lake, f"SELECT * FROM ({found}) WHERE _recent ORDER BY use_case, week LIMIT 5000"), "use_case")


def _decided(lake: Lake, facts: QueueFacts) -> None:
    """How many decisions of each kind stand; where none does, the scores given for review only."""
    table = f"scores.{facts.use_case}"
    found = rows(
        lake,
        "SELECT kind, decision, count(*) AS rows, avg(probability) AS probability, min(decision_ts) AS first, "
        f"max(decision_ts) AS last FROM {table} GROUP BY kind, decision ORDER BY rows DESC LIMIT 20",
    )
    facts.review = bool(found) and all(row["kind"] != "first" for row in found)
    kind = "review" if facts.review else "first"
    facts.kinds = [row for row in found if row["kind"] == kind]
    facts.top = rows(
        lake, f"SELECT * FROM {table} WHERE kind = '{kind}' ORDER BY probability DESC, decision_key LIMIT {TOP}"
    )
    counted = (
        f"SELECT to_date(decision_ts) AS day, decision, count(*) AS rows FROM {table} WHERE kind = '{kind}' "
        f"GROUP BY to_date(decision_ts), decision"
    )
    kept = f"SELECT *, dense_rank() OVER (ORDER BY day DESC) AS _day FROM ({counted})"
    facts.by_day = rows(lake, f"SELECT * FROM ({kept}) WHERE _day <= {DAYS} ORDER BY day, decision")
