"""What the page of data shows: sources, batches, rules, broken rows and arrivals, read from the lake."""

from __future__ import annotations

from dataclasses import dataclass, field

from finlake.contracts.masking import mask_text
from finlake.lakehouse import Lake
from finlake.reporting.reading import Row, first_of, rows, versions

BATCHES, FILES, EXAMPLES, RULES = 60, 400, 12, 60
COUNTS = ("received", "silver", "superseded", "duplicate", "quarantined")


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
class DataFacts:
    """Every source and the latest files."""

    sources: list[SourcePart]
    files: list[Row]
    tables: dict[str, int]


def data_facts(lake: Lake) -> DataFacts:
    """Reads what there is; a table that is missing leaves its part of the page empty."""
    tables = versions(lake, ("ops.batches", "ops.files", "ops.quality", "ops.freshness"))
    return DataFacts(_sources(lake), _files(lake), tables)


def _sources(lake: Lake) -> list[SourcePart]:
    if not lake.exists("ops.batches"):
        return []
    sums = ", ".join(f"sum({count}) AS {count}" for count in COUNTS)
    totals = rows(
        lake, f"SELECT source, {sums}, every(adds_up) AS adds_up FROM ops.batches GROUP BY source ORDER BY source"
    )
    batches = rows(lake, first_of("ops.batches", "source", "refined_at DESC, batch", BATCHES))
    arrivals = {}
    if lake.exists("ops.files"):
        found = rows(
            lake,
            "SELECT source, batch, min(arrived_at) AS arrived_at, count(*) AS files FROM ops.files GROUP BY source, batch",
        )
        arrivals = {(row["source"], row["batch"]): row for row in found}
    rules = _rules(lake)
    fresh = {}
    if lake.exists("ops.freshness"):
        fresh = {row["source"]: row for row in rows(lake, first_of("ops.freshness", "source", "checked_at DESC"))}
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
    return rows(
        lake, first_of(f"({grouped})", "source", "failed DESC, rule", RULES) + " ORDER BY source, failed DESC, rule"
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
    found = rows(
        lake,
        first_of(kept, "_reasons[0]", "_row_id", 2) + f" ORDER BY _alike DESC, _reasons[0], _first LIMIT {EXAMPLES}",
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
    found = rows(lake, f"SELECT * FROM ops.files ORDER BY arrived_at DESC, file LIMIT {FILES}")
    return [{**row, "file": mask_text(row["file"]), "reason": mask_text(row["reason"] or "")} for row in found]
