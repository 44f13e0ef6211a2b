"""Step: how the decisions that stand have done, by week and month, as their labels matured."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.features.decisions import decisions
from finlake.features.definitions import match_columns
from finlake.features.labels import positive_periods
from finlake.models.prequential import counted_periods, matured, period_figures
from finlake.models.scoring import FIRST
from finlake.pipelines.known_labels import labels_until
from finlake.pipelines.step import Step, Values

PREFIX = "prequential."


def performance(step: Step, use_case: str) -> Values:
    """Figures of every week and month whose labels have all matured and that have none yet; they are never changed.

    A period is judged by the labels known when its last one matured, so a report that comes later moves nothing.
    """
    lake, chosen = step.lake, step.config.use_case(use_case)
    table = f"scores.{use_case}"
    if not lake.exists(table):
        step.say(f"{use_case} has no scores yet")
        return {"periods": []}
    scored, source = step.config.source(chosen.score.each), step.config.source(chosen.label.from_.source)
    versions = lake.read(f"silver.{source.source}")
    told = positive_periods(versions, chosen, source, scored)
    rows = matured(_standing(step, chosen), told, chosen, labels_until(step, chosen, versions))
    made = period_figures(counted_periods(rows), step.seed, _reported(step, use_case))
    for found in made:
        text = (
            f"{found.first} to {found.last}, labels known on {found.known_on:%Y-%m-%d}, "
            f"decided by {', '.join(f'v{version}' for version in found.versions)}"
        )
        for name, one in found.figures.items():
            step.figure(
                f"{PREFIX}{name}.{found.period}", one.value, low=one.low, high=one.high, text=text, use_case=use_case,
                tables=[table, f"silver.{source.source}"],
            )  # fmt: skip
        step.say(
            f"{use_case} {found.period}: " + ", ".join(f"{name} {one.text()}" for name, one in found.figures.items())
        )
    if not made:
        step.say(f"{use_case}: no further week or month of decisions has all its labels")
    return {"periods": [found.period for found in made]}


def _standing(step: Step, use_case: UseCase) -> DataFrame:
    """The decisions that stand, with the key their labels are reported by."""
    lake, scored = step.lake, step.config.source(use_case.score.each)
    first = lake.read(f"scores.{use_case.use_case}").where(
        (F.col("kind") == FIRST) & (F.col("decision_ts") <= F.lit(step.now))
    )
    kept = first.select("decision_key", "decision_ts", "probability", "model_version")
    match = match_columns(use_case, scored)
    if match == scored.key:
        return kept.withColumn("label_key", F.col("decision_key"))
    known = decisions(lake.read(f"silver.{scored.source}"), use_case, scored)
    return kept.join(known.select("decision_key", F.concat_ws("|", *match).alias("label_key")), "decision_key")


def _reported(step: Step, use_case: str) -> list[str]:
    if not step.lake.exists("ops.figures"):
        return []
    rows = f"{PREFIX}rows."
    mine = (F.col("use_case") == use_case) & F.col("figure").startswith(rows)
    found = step.lake.read("ops.figures").where(mine).select("figure").distinct().collect()
    return [row["figure"].removeprefix(rows) for row in found]
