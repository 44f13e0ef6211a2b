"""Step: takes a champion out of charge and puts the one before it back."""

from __future__ import annotations

from pyspark.sql import functions as F

from finlake.errors import TrainingError, UnknownNameError
from finlake.models.registry import CHAMPION, Registry
from finlake.pipelines.feature_versions import version_of
from finlake.pipelines.promotions import ROLLED_BACK, ROLLED_BACK_TAG, chain, moves, note, settle
from finlake.pipelines.step import Step, Values


def rollback(step: Step, use_case: str, to: str = "", by: str = "", reason: str = "") -> Values:
    """Makes the champion before the present one champion again, or version `to`.

    The record is written first and the alias is moved after it, so a run that was stopped between the two is ended by
    the next `rollback` or `promote`. The version that is taken out of charge is not promoted again unless somebody
    approves it. Scores that were given stand.

    Raises:
        TrainingError: there is no champion, none before it, or its features cannot be computed any more.
        UnknownNameError: `to` is not a version that was trained.
    """
    chosen = step.config.use_case(use_case)
    registry = Registry(step.config.target, step.lake.root, use_case)
    settle(step, use_case, registry)
    present = registry.version_at(CHAMPION)
    if present is None:
        raise TrainingError(f"{use_case} has no champion to take out of charge")
    target = _target(step, use_case, present, to)
    if target == present:
        step.say(f"{use_case} v{present} is in charge already; nothing to do")
        return {"version": present, "before": present}
    models = step.lake.read("ops.models").where(F.col("use_case") == use_case)
    row = models.where(F.col("version") == target).first()
    if row is None:
        known = [str(found["version"]) for found in models.select("version").collect()]
        raise UnknownNameError("model version", target, known, f"use case {use_case}")
    if version_of(step, use_case, row["definition"]) is None:
        raise TrainingError(
            f"{use_case} v{target} learnt from definitions {row['definition']}, and no feature table is kept for them; "
            "bring those definitions back and run features, or go back to another version with --to"
        )
    said = reason or "no reason given"
    registry.tag(present, {ROLLED_BACK_TAG: said})
    note(step, use_case, target, CHAMPION, ROLLED_BACK, before=present, by=by, reason=said)
    registry.point(CHAMPION, target)
    _mark(step, use_case, target, present, said)
    step.figure("model_version", float(target), use_case=use_case, text=target, tables=["ops.models"])
    step.figure("promotion.status", None, text=f"v{target} rolled back to", use_case=use_case, tables=["ops.models"])
    step.say(f"{chosen.use_case}: v{target} is in charge again instead of v{present} ({said}); the next score uses it")
    return {"version": target, "before": present}


def _target(step: Step, use_case: str, present: str, to: str) -> str:
    if to:
        return to.removeprefix("v")
    past = chain(moves(step, use_case))
    earlier = past[: past.index(present)] if present in past else past
    if not earlier:
        raise TrainingError(f"{use_case} had no champion before v{present}; name a version with --to")
    return earlier[-1]


def _mark(step: Step, use_case: str, target: str, present: str, reason: str) -> None:
    """What ops.models says of both."""
    said = [
        (use_case, target, "champion", CHAMPION, [f"rolled back from v{present}: {reason}"]),
        (use_case, present, "rolled back", "", [reason]),
    ]
    schema = "use_case string, version string, status string, alias string, reasons array<string>"
    rows = step.lake.spark.createDataFrame(said, schema)
    step.lake.merge("ops.models", rows, on=["use_case", "version"], update=["status", "alias", "reasons"])
