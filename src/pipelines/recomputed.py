"""Stored features beside those computed again: what somebody wrote into the feature table, or nobody brought to now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.features.build import build_features
from finlake.features.entity_versions import decisions_of, entity_versions
from finlake.features.leakage.findings import Finding
from finlake.features.leakage.rows import audit_rows, reading_of, to_compute_again
from finlake.pipelines.step import Step


def findings_in(step: Step, use_case: UseCase, training: DataFrame, versions: Mapping[str, DataFrame]) -> list[Finding]:
    """What the rows of a training set show, and a sample of its decisions computed again as of their moments.

    Args:
        step: stands at the moment of the training set.
        use_case: whose training set.
        training: a stored one; it is read several times.
        versions: silver versions of every source in `sources_read`.

    Returns:
        findings, those that stop a run too.
    """
    name, config, lake = use_case.use_case, step.config, step.lake
    reading = reading_of(use_case, config, training.columns, step.now)
    scored = config.source(use_case.score.each)
    keys = to_compute_again(training)
    known = decisions_of(keys, versions[scored.source], use_case, scored)
    work = f"ops.again_{step.name}_{name}"
    lake.overwrite(work, known, about="Work of the auditor in progress.")
    try:
        decided = lake.read(work)
        counted = decided.agg(F.count(F.lit(1)).alias("rows"), F.min("event_ts").alias("earliest")).first()
        rows = int(counted["rows"]) if counted else 0
        step.say(f"looking for leaks in the rows of {name}; {rows:,} decisions are computed again as of their moments")
        if gone := keys.count() - rows:
            step.warn(f"{name}: {gone:,} decisions of the training set are not in silver.{scored.source}: not compared")
        again = None
        if counted and rows:
            few = entity_versions(decided, versions, use_case, config)
            again = build_features(decided, few, use_case, config, counted["earliest"])
        return [_advised(finding, name) for finding in audit_rows(training, reading, again)]
    finally:
        lake.drop(work)


def _advised(finding: Finding, use_case: str) -> Finding:
    """The way out, where the definitions are sound and the table is not."""
    if finding.kind != "changed as of the decision":
        return finding
    advice = (
        f"Run finlake features --use-case {use_case} --rebuild, and keep others from writing into features.{use_case}."
    )
    return replace(finding, advice=advice)
