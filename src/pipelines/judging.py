"""What the gates say of a version, on record in ops.gates."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

from pyspark.sql import Row
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import records
from finlake.models.evaluation import Evaluation
from finlake.models.gates import Verdict, judge
from finlake.models.registry import Registry
from finlake.models.speed import Speed, measure_speed
from finlake.pipelines.step import Step
from finlake.pipelines.training_data import AUDITED

SPEED = "speed"
VERIFIED = "train.verified"  # figure of `finlake train --verify`; its text is the digest


def judged(step: Step, chosen: UseCase, registry: Registry, model: Row) -> list[Verdict]:
    """A verdict for each gate, said, recorded and returned; no alias moves. `model`: a row of ops.models."""
    version = str(model["version"])
    verdicts = judge(
        chosen.gates, Evaluation.from_dict(json.loads(model["evaluation"])), features=len(model["features"]),
        speed=_speed(registry, version) if chosen.gates.fast else None,
        verified=_verified(step, model) if chosen.gates.reproducible else None, auditor=_auditor(step, model),
    )  # fmt: skip
    _record(step, chosen, version, verdicts)
    return verdicts


def _record(step: Step, chosen: UseCase, version: str, verdicts: list[Verdict]) -> None:
    lake, name = step.lake, chosen.use_case
    rows = [
        (
            step.run_id,
            name,
            version,
            v.gate,
            v.passed,
            v.reason,
            v.estimate.value,
            v.estimate.low,
            v.estimate.high,
            datetime.now(UTC),
        )
        for v in verdicts
    ]
    verdict_rows = lake.spark.createDataFrame(rows, records.GATES)
    lake.merge(
        "ops.gates", verdict_rows, on=["use_case", "version", "gate", "reason"], update=["run_id", "judged_at"],
        about=records.GATES_ABOUT,
    )  # fmt: skip
    for verdict in verdicts:
        found = verdict.estimate
        text = f"{verdict.gate}: {'pass' if verdict.passed else 'FAIL'}, {verdict.reason}"
        step.figure(
            f"gate.{verdict.gate}",
            found.value,
            low=found.low,
            high=found.high,
            text=text,
            use_case=name,
            tables=["ops.models"],
        )
        step.say(f"{name} v{version} {text}")


def _speed(registry: Registry, version: str) -> Speed:
    """Measured once and kept as a tag of the version, so that judging it again says the same."""
    kept = registry.tags(version).get(SPEED)
    if kept:
        return Speed.from_dict(json.loads(kept))
    made = measure_speed(registry.load(version))
    registry.tag(version, {SPEED: json.dumps(asdict(made))})
    return made


def _verified(step: Step, model: Row) -> bool | None:
    """Whether two fits of this version gave its digest; None where nobody tried."""
    if not step.lake.exists("ops.figures"):
        return None
    told = (F.col("figure") == VERIFIED) & (F.col("use_case") == model["use_case"]) & (F.col("text") == model["digest"])
    found = step.lake.read("ops.figures").where(told).orderBy(F.desc("recorded_at")).first()
    return bool(found["value"]) if found else None


def _auditor(step: Step, model: Row) -> str | None:
    """What the auditor said of the rows this version learnt from, as warnings; None where that is not on record."""
    if not step.lake.exists("ops.figures"):
        return None
    rows = (F.col("training_digest") == model["training_digest"]) & (F.col("definition") == model["definition"])
    models = step.lake.read("ops.models").where(F.col("use_case") == model["use_case"])
    runs = [row["run_id"] for row in models.where(rows).select("run_id").collect()]
    told = (F.col("figure") == AUDITED) & (F.col("use_case") == model["use_case"]) & F.col("run_id").isin(runs)
    found = step.lake.read("ops.figures").where(told).orderBy(F.desc("recorded_at")).first()
    return str(found["text"]) if found else None
