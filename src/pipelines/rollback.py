"""Step: takes a champion out of charge and puts the one before it back."""

from __future__ import annotations

from pyspark.sql import Row

from finlake.errors import TrainingError
from finlake.models.registry import CHAMPION, Registry
from finlake.pipelines.feature_versions import version_of
from finlake.pipelines.promotions import ROLLED_BACK, carry_out, chain, model_row, moves, note, settle
from finlake.pipelines.step import Step, Values


def rollback(step: Step, use_case: str, to: str = "", by: str = "", reason: str = "") -> Values:
    """Makes the champion before the present one champion again, or version `to`.

    It is put on record first and carried out after that, so a run that was stopped between the two is ended by the next
    `rollback` or `promote`. Running it again goes no further back: that takes `to`. The version that is taken out of
    charge is not promoted again unless somebody approves it. Scores that were given stand.

    Raises:
        TrainingError: there is no champion, none before it, or its features cannot be computed any more.
        UnknownNameError: `to` is not a version that was trained.
    """
    step.config.use_case(use_case)
    wanted = to.removeprefix("v")
    registry = Registry(step.config.target, step.lake.root, use_case)
    present = registry.version_at(CHAMPION)
    if present is None or not step.lake.exists("ops.models"):
        raise TrainingError(f"{use_case} has no champion to take out of charge")
    ended = settle(step, use_case, registry)
    if ended and wanted in ("", ended):
        return {"version": ended, "before": present}
    present = ended or present
    past = moves(step, use_case)
    if wanted == present or (not wanted and past and past[-1]["action"] == ROLLED_BACK):
        step.say(f"{use_case} v{present} is in charge already; --to VERSION goes back further")
        return {"version": present, "before": present}
    target = wanted or _before(use_case, past, present)
    _can_score(step, use_case, target)
    said = reason or "no reason given"
    note(step, use_case, target, CHAMPION, ROLLED_BACK, before=present, by=by, reason=said)
    carry_out(step, use_case, registry, target, present, said)
    step.figure("model_version", float(target), use_case=use_case, text=target, tables=["ops.models"])
    step.figure("promotion.status", None, text=f"v{target} rolled back to", use_case=use_case, tables=["ops.models"])
    step.say(f"{use_case}: v{target} is in charge again instead of v{present} ({said}); the next score uses it")
    return {"version": target, "before": present}


def _before(use_case: str, past: list[Row], present: str) -> str:
    versions = chain(past)
    earlier = versions[: versions.index(present)] if present in versions else versions
    if not earlier:
        raise TrainingError(f"{use_case} had no champion before v{present}; name a version with --to")
    return earlier[-1]


def _can_score(step: Step, use_case: str, version: str) -> None:
    row = model_row(step, use_case, version)
    if version_of(step, use_case, row["definition"]) is None:
        raise TrainingError(
            f"{use_case} v{version} learnt from definitions {row['definition']}, and no feature table is kept for them; "
            "bring those definitions back and run features, or go back to another version with --to"
        )
