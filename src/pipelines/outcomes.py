"""Step: what decisions turned out to be, as labels become known."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.features.labels import labels, positive_periods
from finlake.models import outcomes as turned_out
from finlake.models.alerts import standing
from finlake.models.frames import value_name
from finlake.pipelines.known_labels import labels_until
from finlake.pipelines.queue import alerts_of_use_case
from finlake.pipelines.step import Step, Values

TABLE = "ops.outcomes"


def outcomes(step: Step, use_case: str = "all") -> Values:
    """Value found and missed of each standing decision, from labels as known at the step's moment.

    A label that becomes known later adds or changes only its own row. A repeated run changes nothing.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"positives": {name: _bring_to_now(step, step.config.use_case(name)) for name in names}}


def _bring_to_now(step: Step, chosen: UseCase) -> int:
    lake, name = step.lake, chosen.use_case
    if not lake.exists(f"scores.{name}"):
        step.say(f"{name}: nothing is scored yet, so nothing has turned out")
        return 0
    stands = standing(lake.read(f"scores.{name}").where(F.col("scored_at") <= F.lit(step.now)), chosen)
    rows = turned_out.outcomes_of(stands, _labels(step, chosen, stands), alerts_of_use_case(step, chosen), chosen)
    lake.merge(
        TABLE, rows, on=list(turned_out.KEY), update=list(turned_out.CHANGING), about=turned_out.ABOUT,
        comments=turned_out.COMMENTS, cluster_by=["use_case", "queue_day"],
    )  # fmt: skip
    written = lake.read(TABLE).where(F.col("use_case") == name)
    found = written.groupBy("outcome").agg(
        F.count(F.lit(1)).alias("rows"), F.sum("found").alias("found"), F.sum("missed").alias("missed")
    )
    told = {row["outcome"]: row for row in found.collect()}
    about: dict[str, Any] = {"use_case": name, "tables": [TABLE]}
    for outcome, row in sorted(told.items()):
        step.figure(f"outcomes.{outcome}", row["rows"], unit="decisions", **about)
    positives = told.get("positive")
    if positives is None:
        step.say(f"{TABLE} of {name}: no positive is known yet")
        return 0
    step.figure("outcomes.found", positives["found"], **about)
    step.figure("outcomes.missed", positives["missed"], **about)
    worth = (
        f", {positives['found'] or 0:,.0f} found and {positives['missed'] or 0:,.0f} missed"
        if chosen.policy.value
        else ""
    )
    step.say(f"{TABLE} of {name}: {positives['rows']:,} positives known{worth}")
    return int(positives["rows"])


def _labels(step: Step, chosen: UseCase, stands: DataFrame) -> DataFrame:
    """decision_key and label; the column that labels match by lies in the feature table where it is not the key."""
    config, lake, match = step.config, step.lake, chosen.label.from_.match
    scored, source = config.source(chosen.score.each), config.source(chosen.label.from_.source)
    decided = stands.select("decision_key", "event_ts")
    if match is not None and [match] != scored.key:
        column = value_name(lake.read(f"features.{chosen.use_case}").columns, match)
        carried = lake.read(f"features.{chosen.use_case}").select("decision_key", F.col(f"`{column}`").alias(match))
        decided = decided.join(carried, "decision_key")
    versions = lake.read(f"silver.{source.source}")
    periods = positive_periods(versions, chosen, source, scored)
    until = labels_until(step, chosen, versions)
    return labels(decided, periods, chosen, scored, until).select("decision_key", "label")
