"""The nightly job is killed with SIGKILL in the middle of every step and repaired; it ends where an undisturbed run ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from finlake.lakehouse import table_digest
from tests.jobs.conftest import ROOT, finlake
from tests.jobs.killing import killed
from tests.jobs.small_lake import AS_OF, write_small_lake

# Task, and the folder that gets a new file while its step is at work.
MOMENTS = (
    ("medallion/ingest", "bronze/claims"),
    ("medallion/refine", "quarantine/claims"),
    ("medallion/refine", "silver/claims"),
    ("medallion/marts", "gold/claims_by_day"),
    ("training/features[claim_fraud]", "features/claim_fraud"),
    ("training/train[claim_fraud]", "ops/trials"),
    ("training/promote[claim_fraud]", "ops/models"),
    ("batch_scoring/score[claim_fraud]", "scores/claim_fraud"),
    ("batch_scoring/queue", "ops/alerts"),
    ("batch_scoring/queue", "ops/alert_events"),
    ("batch_scoring/outcomes", "ops/outcomes"),
    ("batch_scoring/publish", "ops/use_cases"),
)
TABLES = (
    "bronze.claims", "bronze.policies", "silver.claims", "silver.policies", "quarantine.claims", "ops.batches", "ops.quality",
    "ops.duplicates", "gold.claims_by_day", "gold.best_days", "features.claim_fraud", "scores.claim_fraud",
    "ops.alerts", "ops.alert_events", "ops.outcomes",
)  # fmt: skip
# When and by which run, and versions of tables and models, which a run that was begun anew counts on.
VOLATILE = (
    "run_id", "_arrived_at", "refined_at", "measured_at", "_quarantined_at", "_released_at", "scored_at",
    "model_version", "tables",
)  # fmt: skip


@pytest.mark.timeout(3600)
def test_a_nightly_job_that_is_killed_in_every_step_ends_like_an_undisturbed_one(spark, tmp_path: Path) -> None:
    conf, lake = write_small_lake(tmp_path, claims=3000, days=3 * 365)
    use_case = conf / "use_cases" / "claim_fraud.yml"
    use_case.write_text(use_case.read_text().replace("model:\n", "model:\n  search: {trials: 3}\n"))
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(lake, undisturbed)
    command = ["run", "nightly", "--conf", str(conf), "--bundle", str(ROOT), "--as-of", AS_OF]
    done = finlake(*command, "--lake", str(undisturbed))
    assert done.returncode == 0, done.stderr

    command += ["--lake", str(lake)]
    for task, folder in MOMENTS:
        assert killed(command, _at_work(lake, task, lake / folder)), f"{task} was over before it was killed"
        command = [*command[: command.index("--lake") + 2], "--repair", _run(lake).stem]
    done = finlake(*command)
    assert done.returncode == 0, done.stderr
    assert _digests(spark, lake) == _digests(spark, undisturbed)


def _at_work(lake: Path, task: str, folder: Path) -> Callable[[], bool]:
    """Whether the task before `task` is done, and since then a file was added to the folder."""
    seen: set[Path] | None = None
    before = [path for path, _ in MOMENTS if path != task]
    before = before[: [path for path, _ in MOMENTS].index(task)][-1:]

    def hold() -> bool:
        nonlocal seen
        if seen is None:
            if not before or before[0] in _done(lake):
                seen = set(folder.rglob("*.parquet"))
            return False
        return bool(set(folder.rglob("*.parquet")) - seen)

    return hold


def _run(lake: Path) -> Path:
    return next(iter((lake / "_runs").glob("*.json")), lake / "none")


def _done(lake: Path) -> set[str]:
    path = _run(lake)
    return (
        {task["path"] for task in json.loads(path.read_text())["tasks"] if task["status"] == "ok"}
        if path.is_file()
        else set()
    )


def _digests(spark, lake: Path) -> dict[str, str]:
    found = {}
    for name in TABLES:
        frame = spark.read.format("delta").load(str(lake / name.replace(".", "/")))
        found[name] = table_digest(frame, exclude=VOLATILE)
    return found
