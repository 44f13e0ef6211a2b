"""refine is killed with SIGKILL at several moments; run again, it leaves what an undisturbed run leaves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from finlake.lakehouse import table_digest
from tests.jobs.conftest import FINLAKE, finlake
from tests.jobs.small_lake import AS_OF, write_small_lake

TABLES = ("silver.claims", "silver.policies", "quarantine.claims", "ops.batches", "ops.quality", "ops.duplicates")
VOLATILE = ("run_id", "refined_at", "measured_at", "_quarantined_at", "_released_at")
# While the first source is judged, between quarantine and silver of the second, and before the accounts are written.
MOMENTS = ("ops/refining_policies", "quarantine/claims", "ops/quality")


def test_a_killed_refine_is_finished_by_the_next_one(spark, tmp_path):
    conf, lake = write_small_lake(tmp_path)
    given = ["--conf", str(conf), "--as-of", AS_OF]
    done = finlake("ingest", *given, "--lake", str(lake))
    assert done.returncode == 0, done.stderr
    undisturbed = tmp_path / "undisturbed"
    shutil.copytree(lake, undisturbed)
    done = finlake("refine", *given, "--lake", str(undisturbed))
    assert done.returncode == 0, done.stderr

    killed = [_kill_after(lake / moment, ["refine", *given, "--lake", str(lake)]) for moment in MOMENTS]
    assert killed.count(True) >= 2
    done = finlake("refine", *given, "--lake", str(lake))
    assert done.returncode == 0, done.stderr
    assert _digests(spark, lake) == _digests(spark, undisturbed)


def _kill_after(table: Path, arguments: list[str]) -> bool:
    """Kills the command and its JVM as soon as the table has a commit; False if it ended before that."""
    seen = len(list(table.glob("_delta_log/*.json")))
    process = subprocess.Popen(
        [str(FINLAKE), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None and len(list(table.glob("_delta_log/*.json"))) <= seen:
        time.sleep(0.01)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return not ended


def _digests(spark, lake: Path) -> dict[str, str]:
    found = {}
    for name in TABLES:
        schema, table = name.split(".")
        frame = spark.read.format("delta").load(str(lake / schema / table))
        found[name] = table_digest(frame, exclude=VOLATILE)
    return found
