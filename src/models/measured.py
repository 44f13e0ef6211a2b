"""Models on a stored training set: margins by Spark, counts, calibration and evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config.use_case import UseCase
from finlake.features.training import HELD_OUT
from finlake.models.budget import Opening, at_budget
from finlake.models.decided import at_cut_offs
from finlake.models.evaluation import evaluate
from finlake.models.frames import Margin, block_day, value_of, with_margins
from finlake.models.results import Evaluation
from finlake.models.score_counts import RULE, calibration_from, counted
from finlake.models.segments import apart_column, segment_columns

Models = Mapping[str, tuple[Sequence[str], Callable[[], Margin]]]


@dataclass(frozen=True)
class Measured:
    """What was counted, and what follows from it."""

    counts: pd.DataFrame
    calibration: dict[str, Any]
    evaluation: Evaluation


def measure(
    frame: DataFrame,
    models: Models,
    use_case: UseCase,
    rule: Column,
    seed: int,
    *,
    calibration: dict[str, Any] | None = None,
    given: Mapping[str, Column] | None = None,
) -> Measured:
    """Evaluates models, the rule and given scores on the same test rows.

    Args:
        frame: the stored training set; it is read several times.
        models: name -> features and what makes its margin function; one must be `finlake`.
        use_case: whose policy and segments.
        rule: the baseline rule as a number over the frame; null counts as 0.
        seed: of the resamples.
        calibration: of the finlake model; default: fitted on choose.
        given: name -> margin as a column of the frame, of models that are not here.

    Raises:
        TrainingError: the test part lacks positives or negatives, or a segment has no column.
    """
    named = {f"segment_{place}": name for place, name in enumerate(use_case.segments)}
    segments = segment_columns(frame, use_case.segments)
    columns = {column: segments[name] for column, name in named.items()}
    if use_case.split.hold_out:
        named[HELD_OUT] = HELD_OUT
        columns[HELD_OUT] = apart_column(use_case.split.hold_out)
    scored = scored_for_evaluation(frame, models, use_case, rule, columns, given or {})
    names = [*models, RULE, *(given or {})]
    entities = use_case.policy.one_alert_per is not None
    counts = counted(scored, names, segments=list(named), entities=entities)
    calibration = calibration or calibration_from(counts)
    test, budget, decided = scored.where("part = 'test' AND label IS NOT NULL"), None, None
    if use_case.policy.alerts_per_day:
        budget = at_budget(test, names, use_case.policy, Opening.of(use_case.policy, use_case.zone))
    else:
        decided = at_cut_offs(test, calibration, use_case.policy)
    counts["by"] = counts["by"].replace(named)
    found = evaluate(counts, budget, calibration, use_case, seed, use_case.segments, decided)
    return Measured(counts, calibration, found)


def scored_for_evaluation(
    frame: DataFrame,
    models: Models,
    use_case: UseCase,
    rule: Column,
    segments: Mapping[str, Column],
    given: Mapping[str, Column],
) -> DataFrame:
    """part, day, event_ts, entity, label, value, segments, and a margin for each model; the rule's is asinh of its number."""
    entity = use_case.policy.one_alert_per or "decision_key"
    wide = frame.select(
        "*",
        block_day(use_case).alias("_day"),
        F.col(f"`{entity}`").cast("string").alias("_entity"),
        value_of(frame.columns, use_case.policy.value).alias("_value"),
        F.asinh(F.coalesce(rule.cast("double"), F.lit(0.0))).alias("_rule"),
        *(column.alias(f"_{name}") for name, column in segments.items()),
        *(column.cast("double").alias(f"_margin_{name}") for name, column in given.items()),
    )
    names = {"_day": "day", "_entity": "entity", "_value": "value", "_rule": f"margin_{RULE}"}
    names |= {f"_{name}": name for name in segments} | {f"_margin_{name}": f"margin_{name}" for name in given}
    return with_margins(wide, ["part", "label", "event_ts", *names], models).withColumnsRenamed(names)
