"""Step: the approver's yes to a model version, or its withdrawal."""

from __future__ import annotations

from finlake.errors import TableError, TrainingError
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.judging import judged
from finlake.pipelines.promote import APPROVED_BY, promote
from finlake.pipelines.promotions import APPROVED, REVOKED, ROLLED_BACK_TAG, model_row, note, said_of
from finlake.pipelines.step import Step, Values


def approve(
    step: Step, use_case: str, version: str = "", by: str = "", reason: str = "", revoke: bool = False
) -> Values:
    """Tags a version as approved, and judges it again, so that a challenger that won is put in charge at once.

    Running it again changes nothing, also after a run that was stopped.

    Args:
        version: default: the challenger's.
        by: who says yes; kept on the version and in ops.promotions.
        revoke: takes the approval back; a champion stays in charge until `rollback`.

    Raises:
        TrainingError: nobody is named, there is no challenger, or the version failed its gates.
        UnknownNameError: there is no such version.
    """
    config = step.config.use_case(use_case)
    if not by.strip():
        raise TrainingError("say who approves: --by NAME")
    if not step.lake.exists("ops.models"):
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    registry = Registry(step.config.target, step.lake.root, use_case)
    chosen = version.removeprefix("v") or registry.version_at(CHALLENGER)
    if not chosen:
        raise TrainingError(f"{use_case} has no challenger; name a version with --version")
    row = model_row(step, use_case, chosen)
    if revoke:
        return _revoke(step, registry, use_case, chosen, by, reason)
    if registry.version_at(CHAMPION) != chosen:
        failed = [f"{v.gate}: {v.reason}" for v in judged(step, config, registry, row) if not v.passed]
        if failed:
            raise TrainingError(f"{use_case} v{chosen} failed its gates and cannot be approved: {'; '.join(failed)}")
    last = said_of(step, use_case, chosen)
    if last is None or (last["action"], last["by"]) != (APPROVED, by):
        note(step, use_case, chosen, row["alias"] or "", APPROVED, by=by, reason=reason)
    registry.tag(chosen, {APPROVED_BY: by})
    registry.untag(chosen, ROLLED_BACK_TAG)
    step.say(f"{use_case} v{chosen} is approved by {by}")
    return promote(step, use_case, version=chosen)


def _revoke(step: Step, registry: Registry, use_case: str, version: str, by: str, reason: str) -> Values:
    last = said_of(step, use_case, version)
    if not registry.tags(version).get(APPROVED_BY):
        step.say(f"{use_case} v{version} is not approved; nothing to do")
        return {"version": version}
    if last is None or last["action"] != REVOKED:
        note(step, use_case, version, "", REVOKED, by=by, reason=reason)
    registry.untag(version, APPROVED_BY)
    if registry.version_at(CHAMPION) == version:
        step.warn(
            f"{use_case} v{version} is still in charge; finlake rollback --use-case {use_case} puts another there"
        )
    return {"version": version}
