"""Who decides, and since when: every move of an alias, beside MLflow's aliases, which say who decides now."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Row
from pyspark.sql import functions as F

from finlake.errors import UnknownNameError
from finlake.models.records import PROMOTIONS, PROMOTIONS_ABOUT
from finlake.models.registry import CHALLENGER, CHAMPION, Registry
from finlake.pipelines.step import Step

TABLE = "ops.promotions"
PROMOTED, APPROVED, REVOKED, ROLLED_BACK = "promoted", "approved", "approval revoked", "rolled back"
ROLLED_BACK_TAG = "rolled_back"  # on the version that was taken out of charge: it is not promoted by itself again


def moves(step: Step, use_case: str, alias: str = CHAMPION) -> list[Row]:
    """Moves of an alias, oldest first."""
    if not step.lake.exists(TABLE):
        return []
    mine = (F.col("use_case") == use_case) & (F.col("alias") == alias) & F.col("action").isin(PROMOTED, ROLLED_BACK)
    return step.lake.read(TABLE).where(mine).orderBy("at").collect()


def model_row(step: Step, use_case: str, version: str) -> Row:
    """The row of ops.models of a version.

    Raises:
        UnknownNameError: there is no such version.
    """
    models = step.lake.read("ops.models").where(F.col("use_case") == use_case)
    found = models.where(F.col("version") == version).first()
    if found is None:
        known = [str(row["version"]) for row in models.select("version").collect()]
        raise UnknownNameError("model version", version, known, f"use case {use_case}")
    return found


def said_of(step: Step, use_case: str, version: str) -> Row | None:
    """The latest approval of a version or its withdrawal."""
    if not step.lake.exists(TABLE):
        return None
    mine = (F.col("use_case") == use_case) & (F.col("version") == version) & F.col("action").isin(APPROVED, REVOKED)
    return step.lake.read(TABLE).where(mine).orderBy(F.desc("at")).first()


def note(
    step: Step,
    use_case: str,
    version: str,
    alias: str,
    action: str,
    *,
    before: str = "",
    by: str = "",
    reason: str = "",
) -> None:
    """Adds a row to the record."""
    row = (use_case, version, alias, before, action, by, reason, datetime.now(UTC), step.run_id)
    lake = step.lake
    rows = lake.spark.createDataFrame([row], PROMOTIONS)
    lake.merge(TABLE, rows, on=["use_case", "version", "alias", "action", "at"], about=PROMOTIONS_ABOUT)


def note_if_moved(step: Step, use_case: str, version: str, alias: str, *, by: str = "", reason: str = "") -> None:
    """Records that an alias points to this version, unless the record says so already."""
    past = moves(step, use_case, alias)
    before = past[-1]["version"] if past else ""
    if before != version:
        note(step, use_case, version, alias, PROMOTED, before=before, by=by, reason=reason)


def chain(past: list[Row]) -> list[str]:
    """Champions one could go back through, the present one last: a version that was rolled back from is not among them."""
    made: list[str] = []
    for move in past:
        if move["action"] == ROLLED_BACK and move["version"] in made:
            made = made[: made.index(move["version"]) + 1]
        else:
            made = [*(version for version in made if version != move["version"]), move["version"]]
    return made


def settle(step: Step, use_case: str, registry: Registry) -> str:
    """Brings the record to what the registry says, after a run that was stopped or an alias that was set by hand.

    MLflow's alias is the truth, but for a rollback that was noted and not carried out: that one is ended.

    Returns:
        the version an interrupted rollback went to; empty where none was interrupted.
    """
    past, present = moves(step, use_case), registry.version_at(CHAMPION)
    last = past[-1] if past else None
    if last is not None and last["action"] == ROLLED_BACK and present in (last["before"], last["version"]):
        if last["version"] not in _champions_on_record(step, use_case):
            carry_out(step, use_case, registry, last["version"], last["before"], last["reason"])
            step.say(f"ended the interrupted rollback of {use_case} to v{last['version']}")
            return str(last["version"])
    if present is not None:
        reason = "found in the registry: an alias set by hand, or a run that was stopped"
        note_if_moved(step, use_case, present, CHAMPION, reason=reason)
        if _champions_on_record(step, use_case) != [present]:
            told = registry.tags(present).get("status", "")
            _say_in_models(step, use_case, present, told if told.startswith(CHAMPION) else CHAMPION)
    return ""


def carry_out(step: Step, use_case: str, registry: Registry, version: str, before: str, reason: str) -> None:
    """What a rollback that is on record does; each part can be done again, and the last one says that all are done."""
    registry.tag(before, {ROLLED_BACK_TAG: reason, "status": ROLLED_BACK, "reasons": reason})
    registry.untag(version, ROLLED_BACK_TAG)
    registry.tag(version, {"status": CHAMPION, "reasons": ""})
    registry.point(CHAMPION, version)
    if registry.version_at(CHALLENGER) in (version, before):
        registry.release(CHALLENGER)
    _say_in_models(step, use_case, version, CHAMPION, before, reason)


def _champions_on_record(step: Step, use_case: str) -> list[str]:
    mine = (F.col("use_case") == use_case) & (F.col("alias") == CHAMPION)
    return [row["version"] for row in step.lake.read("ops.models").where(mine).select("version").collect()]


def _say_in_models(
    step: Step, use_case: str, champion: str, status: str, rolled_back: str = "", reason: str = ""
) -> None:
    """ops.models: one champion, the one rolled back from with its reason, and every other former one retired."""
    models = step.lake.read("ops.models")
    version = F.col("version")
    former = (F.col("alias") == CHAMPION) | (version == rolled_back)
    touched = models.where((F.col("use_case") == use_case) & ((version == champion) | former))
    said = F.when(version == champion, status).when(version == rolled_back, ROLLED_BACK).otherwise("retired")
    alias = F.when(version == champion, CHAMPION).otherwise("")
    reasons = F.col("reasons")
    if rolled_back:
        back = F.array(F.lit(f"rolled back from v{rolled_back}: {reason}"))
        reasons = (
            F.when(version == champion, back).when(version == rolled_back, F.array(F.lit(reason))).otherwise(reasons)
        )
    rows = touched.select("use_case", "version", said.alias("status"), alias.alias("alias"), reasons.alias("reasons"))
    step.lake.merge("ops.models", rows, on=["use_case", "version"], update=["status", "alias", "reasons"])
