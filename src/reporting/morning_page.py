"""The first page: what needs attention, whom to call, and how models and data stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finlake.reporting.formats import plural
from finlake.reporting.model_data import ModelFacts
from finlake.reporting.queue_data import QueueFacts
from finlake.reporting.reading import Row
from finlake.reporting.run_data import RunFacts
from finlake.reporting.source_data import COUNTS, DataFacts

_CALLS = 3


@dataclass(frozen=True)
class Concern:
    """Something somebody should look at: how bad, what, and on which page it is."""

    kind: str  # bad | warn
    text: str
    page: str
    member: str = ""


@dataclass(frozen=True)
class FeaturesSummary:
    """How many features of a use case there are, and how many have a finding in the newest period."""

    use_case: str
    features: int
    wrong: int


def morning_page(
    runs: RunFacts,
    data: DataFacts,
    models: Sequence[ModelFacts],
    queues: Sequence[QueueFacts],
    features: Sequence[FeaturesSummary],
) -> dict[str, Any]:
    """What the template shows."""
    total = {count: sum(source.totals[count] for source in data.sources) for count in COUNTS}
    by_model = {model.use_case: model for model in models}
    return {
        "runs": runs,
        "data": data,
        "total": total,
        "models": models,
        "features": features,
        "concerns": concerns(runs, data, models, features),
        "cards": [_card(queue, by_model.get(queue.use_case)) for queue in queues],
    }


def concerns(
    runs: RunFacts, data: DataFacts, models: Sequence[ModelFacts], features: Sequence[FeaturesSummary]
) -> list[Concern]:
    """The worst first."""
    found = [Concern("bad", f"{run['task'] or run['step']} failed: {run['error']}", "Runs") for run in runs.failed]
    for source in data.sources:
        if not source.adds_up:
            found.append(Concern("bad", f"{source.name} does not add up", "Data"))
        found += [
            Concern("bad", f"{source.name}: batch {row['batch']} is held back: {row['reason']}", "Data")
            for row in source.held
        ]
        if source.freshness and source.freshness["verdict"] != "ok":
            found.append(
                Concern("bad", f"{source.name} is {source.freshness['verdict']}: {source.freshness['reason']}", "Data")
            )
    refused = sum(1 for file in data.files if file["status"] == "refused")
    if refused:
        found.append(Concern("warn", f"{plural(refused, 'file')} refused", "Data"))
    for model in models:
        failed = [gate for gate in model.gates if not gate["passed"]]
        if failed:
            text = (
                f"{model.use_case} v{model.row['version']} failed {plural(len(failed), 'gate')}: {failed[0]['reason']}"
            )
            found.append(Concern("warn", text, "Models", model.use_case))
    for summary in features:
        if summary.wrong:
            text = f"{summary.use_case}: {plural(summary.wrong, 'feature')} drifted or not as expected"
            found.append(Concern("warn", text, "Features", summary.use_case))
    found += [Concern("warn", text, "Runs") for text in runs.warnings]
    return sorted(found, key=lambda concern: concern.kind)  # fmt: skip


def _card(queue: QueueFacts, model: ModelFacts | None) -> dict[str, Any]:
    """A use case in one look."""
    month: Mapping[str, Any] | None = None
    if model is not None:
        month = next((row for row in reversed(model.value) if (row["share_known"] or 0) >= 1), None)
    answered = sum(row["answered"] for row in queue.verdicts if row["origin"] == "score")
    confirmed = sum(row["confirmed"] for row in queue.verdicts if row["origin"] == "score")
    calls: list[Row] = queue.to_call[:_CALLS]
    return {
        "queue": queue,
        "model": model,
        "calls": calls,
        "decided": sum(row["rows"] for row in queue.kinds),
        "month": month,
        "answered": answered,
        "confirmed": confirmed,
    }
