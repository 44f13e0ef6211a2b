"""Who decides, and since when: every move of an alias, beside MLflow's aliases, which say who decides now."""

from __future__ import annotations

from datetime import UTC, datetime

from pyspark.sql import Row
from pyspark.sql import functions as F

from finlake.models.records import PROMOTIONS, PROMOTIONS_ABOUT
from finlake.models.registry import CHAMPION, Registry
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


def settle(step: Step, use_case: str, registry: Registry) -> None:
    """Ends a rollback that was interrupted between its record and the alias."""
    past = moves(step, use_case)
    if past and past[-1]["action"] == ROLLED_BACK and registry.version_at(CHAMPION) == past[-1]["before"] != "":
        registry.point(CHAMPION, past[-1]["version"])
        step.say(f"ended the interrupted rollback of {use_case} to v{past[-1]['version']}")
