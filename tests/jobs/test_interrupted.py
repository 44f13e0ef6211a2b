"""A job that is killed, then run by two processes at once on one lake, leaves the tables that one undisturbed run leaves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.jobs.conftest import FINLAKE, ROOT, walk_plans
from tests.jobs.killing import killed
from tests.jobs.one_run import OneRun, digests
from tests.jobs.small_lake import AS_OF, write_small_lake

pytestmark = pytest.mark.long


def test_a_killed_job_and_two_at_once_leave_what_one_run_leaves(spark, one_run: OneRun, tmp_path: Path) -> None:
    conf, lake = write_small_lake(tmp_path)
    walk_plans(conf)
    command = ["run", "medallion", "--conf", str(conf), "--bundle", str(ROOT), "--as-of", AS_OF, "--lake", str(lake)]
    silver = lake / "silver" / "claims"
    assert killed(command, lambda: any(silver.rglob("*.parquet"))), "over before it was killed"
    both = [
        subprocess.Popen([str(FINLAKE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    assert digests(spark, lake).items() <= one_run.digests.items()
