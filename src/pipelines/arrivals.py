"""Whether each source's data has arrived when, and as large as, its contract says."""

from __future__ import annotations

from datetime import UTC, datetime

from finlake.lakehouse.ops import FRESHNESS
from finlake.monitoring.freshness import Verdict, judge
from finlake.pipelines.ledger import Ledger, last_arrival
from finlake.pipelines.step import Step


def judge_arrivals(step: Step, names: list[str], ledger: Ledger) -> list[str]:
    """Writes a verdict for each source; returns sentences for those that stop the step."""
    rows, stops = [], []
    for name in names:
        read = step.config.sources[name].read
        arrival, count, first = last_arrival(ledger.of(name))
        verdict: Verdict = judge(read.arrives, arrival, count, step.now, first_load=first, required=read.required)
        rows.append((name, datetime.now(UTC), verdict.due_at, arrival, count, verdict.verdict, verdict.reason))
        if verdict.stops:
            stops.append(f"{name}: {verdict.verdict}: {verdict.reason}; looked in {read.from_}")
        elif verdict.verdict == "many":
            step.warn(f"{name}: {verdict.reason}")
    about = "whether each source's data arrived when and as large as its contract says"
    step.lake.append("ops.freshness", step.lake.spark.createDataFrame(rows, FRESHNESS), about=about)
    return stops
