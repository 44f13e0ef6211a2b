"""Step: features as a stream, following what becomes new in silver; then the online store."""

from __future__ import annotations

import json
from datetime import datetime

from pyspark.sql import DataFrame

from finlake.config import UseCase
from finlake.lakehouse import follow
from finlake.pipelines.feature_build import Build
from finlake.pipelines.features import features
from finlake.pipelines.online import online
from finlake.pipelines.step import Step, Values

_BATCH = 1_000_000  # rows, about: what is computed and merged together


def stream(step: Step, use_case: str = "all") -> Values:
    """Follows silver's change feed in micro-batches until nothing is new, and publishes what changed.

    A stop anywhere is repaired by the next run: a batch computed twice gives the same rows. Where the feed does not
    tell all (silver was made again), the table is built anew.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"batches": {name: _follow(step, step.config.use_case(name)) for name in names}}


def _follow(step: Step, use_case: UseCase) -> int:
    build = Build.open(step, use_case)
    before = build.before
    if before is None or build.news() is None:
        features(step, use_case.use_case, rebuild=True)
        online(step, use_case.use_case)
        return 0
    batches = 0
    for source, seen in json.loads(before["inputs"]).items():
        if build.inputs[source] == seen:
            continue

        def work(changes: DataFrame, source: str = source) -> None:
            nonlocal batches
            batches += 1
            rows = build.update({source: changes}, datetime.fromisoformat(before["as_of"]))
            step.say(f"{use_case.use_case}: batch {batches} of silver.{source}, {rows:,} decisions computed")

        who = f"features_{use_case.use_case}"
        follow(step.lake, f"silver.{source}", seen, work, who=who, rows=_BATCH)
    build.finish()
    online(step, use_case.use_case)
    return batches
