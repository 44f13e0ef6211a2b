"""Step: the three tasks of an MLflow deployment job for one model version: evaluation, approval, deployment."""

from __future__ import annotations

from finlake.config import UseCase
from finlake.errors import TableError, TrainingError, UnknownNameError
from finlake.models.registry import CHAMPION, Registry
from finlake.pipelines.approve import approve
from finlake.pipelines.judging import judged
from finlake.pipelines.promote import APPROVED_BY, promote
from finlake.pipelines.promotions import model_row
from finlake.pipelines.step import Step, Values

STAGES = ("evaluation", "approval", "deployment")
APPROVAL_TAG = "approval"  # a workspace's Approve button sets a tag named like the task


def deployment(step: Step, stage: str, model_name: str, model_version: str = "") -> Values:
    """Runs one stage for a version; each can be repeated.

    - evaluation: judges the gates; a version that fails one goes no further.
    - approval: where the target asks for it, fails until somebody approved, by `finlake approve` or by the button.
    - deployment: moves challenger and champion, as `promote` does for this version.

    Args:
        stage: one of the three.
        model_name: as registered, `catalog.schema.name` or the name alone.
        model_version: default: the newest.

    Raises:
        TrainingError: a gate failed, or nobody has approved yet.
        UnknownNameError: there is no such stage, model or version.
        TableError: the version is not on record.
    """
    if stage not in STAGES:
        raise UnknownNameError("stage", stage, STAGES, "deployment")
    tenant = step.config.target.tenant
    name = model_name.rpartition(".")[2].removeprefix(f"{tenant}_" if tenant else "")
    chosen = step.config.use_case(name)
    registry = Registry(step.config.target, step.lake.root, name)
    version = model_version.removeprefix("v") or registry.latest() or ""
    if not version or not step.lake.exists("ops.models"):
        raise TableError(f"no model of {name} has been trained yet; run: finlake train --use-case {name}")
    if stage == "evaluation":
        _evaluate(step, chosen, registry, version)
    elif stage == "approval":
        _approval(step, chosen, registry, version)
    else:
        promote(step, name, version=version)
    return {"version": version}


def _evaluate(step: Step, chosen: UseCase, registry: Registry, version: str) -> None:
    verdicts = judged(step, chosen, registry, model_row(step, chosen.use_case, version))
    failed = [f"{verdict.gate}: {verdict.reason}" for verdict in verdicts if not verdict.passed]
    if failed:
        raise TrainingError(f"{chosen.use_case} v{version} goes no further: {'; '.join(failed)}")


def _approval(step: Step, chosen: UseCase, registry: Registry, version: str) -> None:
    name = chosen.use_case
    if not step.config.target.require_approval:
        champion = registry.version_at(CHAMPION)
        opposed = f", against champion v{champion}" if champion not in (None, version) else ", unopposed"
        step.say(f"{name} v{version}: approved automatically on target {step.config.target.target}{opposed}")
        return
    tags = registry.tags(version)
    if tags.get(APPROVED_BY):
        step.say(f"{name} v{version} is approved by {tags[APPROVED_BY]}")
        return
    if tags.get(APPROVAL_TAG, "").casefold() == "approved":
        approve(step, name, version, by=f"tag {APPROVAL_TAG} of the model version")
        return
    raise TrainingError(
        f"{name} v{version} waits for {chosen.approver}: finlake approve --use-case {name} --version {version} --by NAME, "
        "or Approve on the version's page; then repair this run"
    )
