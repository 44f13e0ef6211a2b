"""Step: judges the newest model of a use case and moves challenger and champion."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.errors import TableError
from finlake.models.evaluation import CHAMPION as OLD
from finlake.models.evaluation import Evaluation
from finlake.models.gates import Verdict, beats
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.models.training import tuning_metric
from finlake.pipelines.judging import judged
from finlake.pipelines.promotions import ROLLED_BACK, ROLLED_BACK_TAG, model_row, note_if_moved, settle
from finlake.pipelines.step import Step, Values
from finlake.pipelines.train import newest_model

APPROVED_BY = "approved_by"


@dataclass(frozen=True)
class Outcome:
    """What becomes of a version: `status` in words, the alias it gets, and why no better one."""

    status: str
    alias: str
    reasons: list[str]


def promote(step: Step, use_case: str, version: str = "") -> Values:
    """Judges a challenger that was approved meanwhile, then the newest version; or `version` alone.

    A pass makes it challenger; champion needs a win over the one in charge, and approval where that is asked. A version
    that fails keeps no alias and is scored for review only; one that was rolled back from waits for approval. Running it
    again changes nothing by itself, and mends the record of a run that was stopped.
    """
    chosen = step.config.use_case(use_case)
    newest = newest_model(step, use_case)
    if newest is None:
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    registry = Registry(step.config.target, step.lake.root, use_case)
    settle(step, use_case, registry)
    if version:
        return _promote(step, chosen, registry, model_row(step, use_case, version))
    waiting = registry.version_at(CHALLENGER)
    if waiting and waiting != newest["version"] and registry.tags(waiting).get(APPROVED_BY):
        approved = _models(step, use_case).where(F.col("version") == waiting).first()
        if approved is not None:
            _promote(step, chosen, registry, approved)
    return _promote(step, chosen, registry, newest)


def _models(step: Step, use_case: str) -> DataFrame:
    return step.lake.read("ops.models").where(F.col("use_case") == use_case)


def _promote(step: Step, chosen: UseCase, registry: Registry, newest: Row) -> Values:
    version = str(newest["version"])
    evaluation = Evaluation.from_dict(json.loads(newest["evaluation"]))
    verdicts = judged(step, chosen, registry, newest)
    champion = registry.version_at(CHAMPION)
    if champion and champion != version:
        same = F.col("definition") == newest["definition"]
        if _models(step, chosen.use_case).where((F.col("version") == champion) & same).isEmpty():
            step.say(f"champion v{champion} learnt from other definitions and cannot score these: it does not oppose")
            champion = None
    tags = registry.tags(version)
    approver = tags.get(APPROVED_BY) if step.config.target.require_approval else ""
    outcome = decide(
        chosen, version, verdicts, evaluation, champion, newest["champion_compared"], approver,
        rolled_back=tags.get(ROLLED_BACK_TAG, "") or ("" if tags.get(APPROVED_BY) else _of_its_twin(step, newest)),
    )  # fmt: skip
    told = tags.get("status", "")
    if champion == version and told.startswith(CHAMPION):
        outcome = replace(outcome, status=told)  # judged again: it became champion as it did
    _move(registry, version, outcome)
    _record(step, chosen, version, verdicts, outcome, champion, approver or "")
    return {"version": version, "status": outcome.status, "alias": outcome.alias, "reasons": outcome.reasons}


def decide(
    use_case: UseCase,
    version: str,
    verdicts: list[Verdict],
    evaluation: Evaluation,
    champion: str | None,
    compared: str,
    approver: str | None,
    rolled_back: str = "",
) -> Outcome:
    """Gates first, then the champion on the same test rows, then the approver.

    Args:
        champion: version in charge now, if any.
        compared: version the new one was measured against in training.
        approver: who approved; None if approval is needed and missing, empty if it is not needed.
        rolled_back: why the version was taken out of charge, if it was and nobody has approved it since.
    """
    if champion == version:
        return Outcome("champion", CHAMPION, [])
    failed = [f"{verdict.gate}: {verdict.reason}" for verdict in verdicts if not verdict.passed]
    if failed:
        return Outcome("not promoted", "", failed)
    if rolled_back:
        asked = f"finlake approve --use-case {use_case.use_case} --version {version} --by NAME"
        return Outcome("rolled back", "", [f"it was taken out of charge: {rolled_back}; {asked} would let it in again"])
    unopposed = champion is None
    if champion is not None:
        if compared != champion:
            return Outcome("challenger", CHALLENGER, [f"not measured against champion v{champion}: train again"])
        metric = use_case.gates.better_than.metric if use_case.gates.better_than else tuning_metric(use_case)
        verdict = beats(metric, OLD, evaluation)
        if verdict is None or not verdict.passed:
            reason = verdict.reason if verdict else "not measured"
            return Outcome("challenger", CHALLENGER, [f"not better than champion v{champion}: {reason}"])
    if approver is None:
        asked = f"finlake approve --use-case {use_case.use_case} --version {version} --by NAME"
        return Outcome("challenger", CHALLENGER, [f"waits for {use_case.approver}: {asked}"])
    return Outcome("champion, unopposed" if unopposed else "champion", CHAMPION, [])


def _move(registry: Registry, version: str, outcome: Outcome) -> None:
    """The tags first: a run that is stopped before the alias moved decides the same again."""
    registry.tag(version, {"status": outcome.status, "reasons": "; ".join(outcome.reasons)})
    if outcome.alias:
        registry.point(outcome.alias, version)
    for alias in (CHALLENGER, CHAMPION):
        if alias != outcome.alias and registry.version_at(alias) == version:
            registry.release(alias)


def _record(
    step: Step, use_case: UseCase, version: str, verdicts: list[Verdict], outcome: Outcome, champion: str | None,
    approver: str,
) -> None:  # fmt: skip
    lake, name = step.lake, use_case.use_case
    row = lake.spark.createDataFrame(
        [(name, version, outcome.status, outcome.alias, outcome.reasons, datetime.now(UTC))],
        "use_case string, version string, status string, alias string, reasons array<string>, judged_at timestamp",
    )
    if outcome.alias:
        note_if_moved(step, name, version, outcome.alias, by=approver or "", reason=outcome.status)
        _retire(step, name, outcome.alias, version)
    lake.merge("ops.models", row, on=["use_case", "version"], update=["status", "alias", "reasons", "judged_at"])
    why = f" ({'; '.join(outcome.reasons)})" if outcome.reasons else ""
    text = f"v{version} {outcome.status}{why}"
    step.figure("promotion.status", None, text=f"v{version} {outcome.status}", use_case=name, tables=["ops.models"])
    step.figure("promotion.reasons", None, text="; ".join(outcome.reasons), use_case=name, tables=["ops.models"])
    step.figure("model_version", float(version), use_case=name, text=version, tables=["ops.models"])
    if outcome.alias != CHAMPION:
        failed = [verdict.gate for verdict in verdicts if not verdict.passed]
        about = f"failed {', '.join(failed)}" if failed else "; ".join(outcome.reasons)
        then = f"v{champion} stays in charge" if champion else "scored for review only"
        step.warn(f"{name} v{version} {outcome.status}: {about}; {then}")
    else:
        step.say(f"{name} {text}")


def _of_its_twin(step: Step, model: Row) -> str:
    """Why a version with the same trees was taken out of charge; training on the same rows makes them again."""
    same = (F.col("digest") == model["digest"]) & (F.col("status") == ROLLED_BACK)
    found = _models(step, model["use_case"]).where(same).first()
    return f"as v{found['version']}: {'; '.join(found['reasons'])}" if found else ""


def _retire(step: Step, name: str, alias: str, version: str) -> None:
    """An alias belongs to one version: the row of the one that had it says so."""
    models = step.lake.read("ops.models")
    before = models.where((F.col("use_case") == name) & (F.col("alias") == alias) & (F.col("version") != version))
    retired = before.select("use_case", "version", F.lit("retired").alias("status"), F.lit("").alias("alias"))
    step.lake.merge("ops.models", retired, on=["use_case", "version"], update=["status", "alias"])
