"""What the page of a model shows: card, verdicts, what was measured, how it was searched, and its history."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from finlake.lakehouse import Lake
from finlake.reporting.reading import Row, of_table, of_view, rows, versions

VERSIONS, TRIALS, BOARD, WEEKS, MONTHS = 40, 300, 200, 26, 24


@dataclass
class ModelFacts:
    """The newest version of a use case's model; every part but its row may be empty."""

    use_case: str
    row: Row
    evaluation: Row
    card: Row = field(default_factory=dict)
    gates: list[Row] = field(default_factory=list)
    split: dict[str, str] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)  # newest version first
    promotions: list[Row] = field(default_factory=list)  # newest first
    trials: list[Row] = field(default_factory=list)  # of its search, in their order
    board: list[Row] = field(default_factory=list)
    drift: list[Row] = field(default_factory=list)  # of scores by week, oldest first
    value: list[Row] = field(default_factory=list)  # by month, oldest first
    test_reads: int = 0
    tables: dict[str, int] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, Row]:
        found: dict[str, Row] = self.evaluation.get("figures", {})
        return found

    @property
    def in_charge(self) -> str:
        """The version that is champion now, if any."""
        return next((row["version"] for row in self.history if row["alias"] == "champion"), "")


def model_facts(lake: Lake) -> list[ModelFacts]:
    """Use cases with a trained model, in the order of their names."""
    versions_of = of_table(lake, "ops.models", "trained_at DESC", VERSIONS)
    cards = of_table(lake, "ops.use_cases", "use_case", 1)
    gates = of_table(lake, "ops.gates", "judged_at DESC, gate", 200)
    promotions = of_table(lake, "ops.promotions", "at DESC, alias", VERSIONS)
    trials = of_table(lake, "ops.trials", "finished_at DESC, trial DESC", TRIALS)
    board = of_view(lake, "bi.leaderboard", "figure, value DESC", BOARD)
    drift = of_view(lake, "bi.score_drift", "week DESC, model_version", 4 * WEEKS)
    value = of_view(lake, "bi.value_by_month", "month DESC", MONTHS)
    reads, splits = _test_reads(lake), _splits(lake)
    tables = versions(
        lake, ("ops.models", "ops.gates", "ops.promotions", "ops.trials", "ops.leaderboard", "ops.outcomes")
    )
    made = []
    for name, history in sorted(versions_of.items()):
        newest = history[0]
        judged = [gate for gate in gates.get(name, []) if gate["version"] == newest["version"]]
        of_version = [row for row in drift.get(name, []) if row["model_version"] == newest["version"]]
        of_study = [row for row in trials.get(name, []) if row["study"] == newest.get("study")]
        made.append(
            ModelFacts(
                name, newest, _evaluation(newest["evaluation"]), (cards.get(name) or [{}])[0],
                [gate for gate in judged if gate["run_id"] == judged[0]["run_id"]], splits.get(name, {}), history,
                promotions.get(name, []), _once_each(of_study), board.get(name, []), of_version[:WEEKS][::-1],
                value.get(name, [])[::-1], reads.get(name, 0), tables,
            )
        )  # fmt: skip
    return made


def _once_each(trials: list[Row]) -> list[Row]:
    """A search that was stopped and went on may have written a trial twice: the last one counts."""
    return [row for _, row in sorted({row["trial"]: row for row in reversed(trials)}.items())]


def _evaluation(text: str | None) -> Row:
    try:
        loaded = json.loads(text or "{}")
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _test_reads(lake: Lake) -> dict[str, int]:
    """How often the newest test period of each use case was read."""
    if not lake.exists("ops.test_reads"):
        return {}
    latest = "SELECT use_case, max_by(struct(tested_from, tested_until), read_at) AS last FROM ops.test_reads GROUP BY use_case"
    counted = (
        f"SELECT r.use_case, count(*) AS reads FROM ops.test_reads r JOIN ({latest}) l ON r.use_case = l.use_case AND "
        "r.tested_from <= l.last.tested_until AND r.tested_until >= l.last.tested_from GROUP BY r.use_case"
    )
    return {row["use_case"]: row["reads"] for row in rows(lake, counted)}


def _splits(lake: Lake) -> dict[str, dict[str, str]]:
    """Use case -> part of the split -> its days."""
    if not lake.exists("ops.figures"):
        return {}
    told = "(SELECT use_case, figure, text, recorded_at FROM ops.figures WHERE figure LIKE 'split.%')"
    made: dict[str, dict[str, str]] = {}
    for found in of_newest(lake, told):
        made.setdefault(found["use_case"], {})[found["figure"].removeprefix("split.")] = found["text"]
    return made


def of_newest(lake: Lake, table: str) -> list[Row]:
    latest = f"SELECT use_case, figure, max_by(text, recorded_at) AS text FROM {table} GROUP BY use_case, figure"
    return rows(lake, f"{latest} LIMIT 600")
