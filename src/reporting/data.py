"""What the report shows, read from the lake. Every read is bounded by what a page can hold."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from finlake.contracts.masking import mask_text
from finlake.lakehouse import Lake

BATCHES, FILES, EXAMPLES, QUEUE, RULES, RUNS = 60, 400, 12, 15, 60, 60
COUNTS = ("received", "silver", "superseded", "duplicate", "quarantined")
Row = dict[str, Any]


@dataclass
class SourcePart:
    """One source: its batches, rules, broken rows and arrivals."""

    name: str
    totals: dict[str, int]
    adds_up: bool
    batches: list[Row]
    rules: list[Row]
    examples: list[Row]
    held: list[Row] = field(default_factory=list)
    freshness: Row | None = None


@dataclass
class Facts:
    """Everything on the page."""

    made_at: datetime
    runs: list[Row]
    warnings: list[str]
    sources: list[SourcePart]
    files: list[Row]
    models: list[Row]
    queues: dict[str, list[Row]]
    decisions: list[Row]
    tables: list[Row]


def gather(lake: Lake) -> Facts:
    """Reads what there is; a table that is missing leaves its part of the page empty."""
    runs = _runs(lake)
    return Facts(
        datetime.now(UTC), runs, list(dict.fromkeys(text for run in runs for text in run["warnings"] or [])), _sources(lake),
        _files(lake), _models(lake), _queues(lake), _decisions(lake), _tables(lake, runs),
    )  # fmt: skip


def _rows(lake: Lake, sql: str) -> list[Row]:
    return [row.asDict(recursive=True) for row in lake.sql(sql).collect()]


def _first(table: str, by: str, order: str, most: int = 1) -> str:
    """A query for the first rows of each group; QUALIFY is not in every Spark."""
    return f"SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS _first FROM {table}) WHERE _first <= {most}"


def _runs(lake: Lake) -> list[Row]:
    """Tasks of the latest job run, else the latest run of each step, in the order in which they ran."""
    if not lake.exists("ops.runs"):
        return []
    latest = _rows(lake, f"SELECT * FROM ops.runs ORDER BY started_at DESC LIMIT {RUNS}")
    job = next((run["job_run_id"] for run in latest if run["job_run_id"]), "")
    by_step = {(run["step"], run["arguments"]): run for run in reversed(latest)}
    chosen = [run for run in latest if run["job_run_id"] == job] if job else list(by_step.values())
    return sorted(chosen, key=lambda run: str(run["started_at"]))


def _sources(lake: Lake) -> list[SourcePart]:
    if not lake.exists("ops.batches"):
        return []
    sums = ", ".join(f"sum({count}) AS {count}" for count in COUNTS)
    totals = _rows(
        lake, f"SELECT source, {sums}, every(adds_up) AS adds_up FROM ops.batches GROUP BY source ORDER BY source"
    )
    batches = _rows(lake, _first("ops.batches", "source", "refined_at DESC, batch", BATCHES))
    arrivals = {}
    if lake.exists("ops.files"):
        found = _rows(
            lake,
            "SELECT source, batch, min(arrived_at) AS arrived_at, count(*) AS files FROM ops.files GROUP BY source, batch",
        )
        arrivals = {(row["source"], row["batch"]): row for row in found}
    rules = _rules(lake)
    fresh = {}
    if lake.exists("ops.freshness"):
        fresh = {row["source"]: row for row in _rows(lake, _first("ops.freshness", "source", "checked_at DESC"))}
    made = []
    for total in totals:
        name = total["source"]
        mine = [
            {**batch, **_arrival(arrivals.get((name, batch["batch"])))} for batch in batches if batch["source"] == name
        ]
        mine.sort(key=lambda batch: (str(batch["arrived_at"] or batch["refined_at"]), batch["batch"]))
        order = {batch["batch"]: place for place, batch in enumerate(mine)}
        made.append(
            SourcePart(
                name,
                {count: int(total[count] or 0) for count in COUNTS},
                bool(total["adds_up"]),
                mine,
                _with_trend([rule for rule in rules if rule["source"] == name], order),
                _examples(lake, name),
                [batch for batch in mine if batch.get("status") == "held"],
                fresh.get(name),
            )
        )
    return made


def _arrival(row: Row | None) -> Row:
    return {"arrived_at": row["arrived_at"], "files": row["files"]} if row else {"arrived_at": None, "files": None}


def _rules(lake: Lake) -> list[Row]:
    if not lake.exists("ops.quality"):
        return []
    grouped = (
        "SELECT source, rule, max_by(expectation, measured_at) AS expectation, max_by(severity, measured_at) AS severity, "
        "max_by(mostly, measured_at) AS mostly, sum(checked) AS checked, sum(failed) AS failed, every(passed) AS passed, "
        "slice(sort_array(collect_list(struct(measured_at, batch, checked, failed)), false), 1, 60) AS history "
        "FROM ops.quality GROUP BY source, rule"
    )
    return _rows(
        lake, _first(f"({grouped})", "source", "failed DESC, rule", RULES) + " ORDER BY source, failed DESC, rule"
    )


def _with_trend(rules: list[Row], order: dict[str, int]) -> list[Row]:
    for rule in rules:
        seen = sorted(rule["history"], key=lambda row: (order.get(row["batch"], -1), str(row["measured_at"])))
        rule["trend"] = [row["failed"] / row["checked"] if row["checked"] else None for row in seen]
        rule["share"] = rule["failed"] / rule["checked"] if rule["checked"] else 0.0
    return rules


def _examples(lake: Lake, source: str) -> list[Row]:
    """Two rows of each of the commonest reasons, as quarantine keeps them: masked."""
    table = f"quarantine.{source}"
    if not lake.exists(table):
        return []
    kept = f"(SELECT *, count(*) OVER (PARTITION BY _reasons[0]) AS _alike FROM {table} WHERE _released_at IS NULL)"
    found = _rows(
        lake, _first(kept, "_reasons[0]", "_row_id", 2) + f" ORDER BY _alike DESC, _reasons[0], _first LIMIT {EXAMPLES}"
    )
    made = []
    for row in found:
        values = {
            name: mask_text(str(value)) for name, value in row.items() if not name.startswith("_") and value is not None
        }
        raw = row.get("_corrupt")
        made.append(
            {
                "reasons": [mask_text(reason) for reason in row["_reasons"]],
                "alike": row["_alike"],
                "file": mask_text(row["_file"] or ""),
                "row": row["_row"],
                "values": values or ({"as received": mask_text(raw)} if raw else {}),
            }
        )
    return made


def _files(lake: Lake) -> list[Row]:
    if not lake.exists("ops.files"):
        return []
    found = _rows(lake, f"SELECT * FROM ops.files ORDER BY arrived_at DESC, file LIMIT {FILES}")
    return [{**row, "file": mask_text(row["file"]), "reason": mask_text(row["reason"] or "")} for row in found]


def _models(lake: Lake) -> list[Row]:
    """The latest version of each use case, with its gates, its history and what it was trained on."""
    if not lake.exists("ops.models"):
        return []
    versions = _rows(lake, "SELECT * FROM ops.models ORDER BY use_case, trained_at DESC LIMIT 200")
    gates = (
        _rows(lake, "SELECT * FROM ops.gates ORDER BY judged_at, gate LIMIT 2000") if lake.exists("ops.gates") else []
    )
    cards = (
        {row["use_case"]: row for row in _rows(lake, "SELECT * FROM ops.use_cases LIMIT 500")}
        if lake.exists("ops.use_cases")
        else {}
    )
    splits: dict[str, dict[str, str]] = {}
    if lake.exists("ops.figures"):
        told = "(SELECT use_case, figure, text, recorded_at FROM ops.figures WHERE figure LIKE 'split.%')"
        for row in _rows(lake, _first(told, "use_case, figure", "recorded_at DESC") + " LIMIT 600"):
            splits.setdefault(row["use_case"], {})[row["figure"].removeprefix("split.")] = row["text"]
    made = []
    for name in dict.fromkeys(row["use_case"] for row in versions):
        mine = [row for row in versions if row["use_case"] == name]
        latest = mine[0]
        latest["evaluation"] = _evaluation(latest["evaluation"])
        judged = [gate for gate in gates if gate["use_case"] == name and gate["version"] == latest["version"]]
        run = judged[-1]["run_id"] if judged else ""
        latest["gates"] = [gate for gate in judged if gate["run_id"] == run]
        latest["history"], latest["card"], latest["split"] = mine, cards.get(name, {}), splits.get(name, {})
        made.append(latest)
    return made


def _evaluation(text: str | None) -> Row:
    try:
        loaded = json.loads(text or "{}")
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _queues(lake: Lake) -> dict[str, list[Row]]:
    """The newest day of each alert queue."""
    if "bi.alert_queue" not in lake.views():
        return {}
    newest = "SELECT *, max(queue_day) OVER (PARTITION BY use_case) AS newest FROM bi.alert_queue"
    found: dict[str, list[Row]] = {}
    for row in _rows(
        lake, f"SELECT * FROM ({newest}) WHERE queue_day = newest AND place <= {QUEUE} ORDER BY use_case, place"
    ):
        found.setdefault(row["use_case"], []).append(row)
    return found


def _decisions(lake: Lake) -> list[Row]:
    """How many decisions of each kind stand, by use case; where none does, the scores given for review only."""
    made = []
    for table in (name for name in lake.tables() if name.startswith("scores.")):
        rows = _rows(
            lake,
            "SELECT kind, decision, count(*) AS rows, avg(probability) AS probability, min(decision_ts) AS first, "
            f"max(decision_ts) AS last FROM {table} GROUP BY kind, decision ORDER BY rows DESC LIMIT 20",
        )
        review = all(row["kind"] != "first" for row in rows)
        kind = "review" if review else "first"
        top = _rows(
            lake, f"SELECT * FROM {table} WHERE kind = '{kind}' ORDER BY probability DESC, decision_key LIMIT 8"
        )
        shown = [row for row in rows if row["kind"] == kind]
        made.append({"use_case": table.removeprefix("scores."), "kinds": shown, "top": top, "review": review})
    return made


def _tables(lake: Lake, runs: list[Row]) -> list[Row]:
    """Every table with its version, and which step of the run read or wrote it."""
    read: dict[str, list[str]] = {}
    written: dict[str, list[str]] = {}
    for run in runs:
        for name in run["reads"] or {}:
            read.setdefault(name, []).append(run["task"] or run["step"])
        for name in run["writes"] or {}:
            written.setdefault(name, []).append(run["task"] or run["step"])
    return [
        {
            "name": name,
            "version": lake.version(name),
            "read": _once(read.get(name)),
            "written": _once(written.get(name)),
        }
        for name in lake.tables()
    ]


def _once(names: list[str] | None) -> str:
    return ", ".join(dict.fromkeys(names or []))
