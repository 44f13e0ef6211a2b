"""A job that is killed, then run by two processes at once on one lake, leaves the tables that one undisturbed run leaves."""

from __future__ import annotations

import subprocess
from pathlib import Path

from finlake.lakehouse import table_digest
from tests.jobs.conftest import FINLAKE, ROOT, finlake, walk_plans
from tests.jobs.killing import killed
from tests.jobs.small_lake import AS_OF, write_small_lake

TABLES = (
    "bronze.claims",
    "bronze.policies",
    "silver.claims",
    "silver.policies",
    "quarantine.claims",
    "gold.claims_by_day",
)
VOLATILE = ("_arrived_at", "_quarantined_at", "_released_at")


def digests(spark, lake: Path) -> dict[str, str]:
    frames = {name: spark.read.format("delta").load(str(lake / name.replace(".", "/"))) for name in TABLES}
    wrong = spark.read.format("delta").load(str(lake / "ops" / "batches")).where("NOT adds_up").count()
    return {"batches that do not add up": str(wrong)} | {
        name: table_digest(frame, exclude=VOLATILE) for name, frame in frames.items()
    }


def test_a_killed_job_and_two_at_once_leave_what_one_run_leaves(spark, tmp_path: Path) -> None:
    conf, lake = write_small_lake(tmp_path / "one")
    walk_plans(conf)
    command = ["run", "medallion", "--conf", str(conf), "--bundle", str(ROOT), "--as-of", AS_OF, "--lake"]
    done = finlake(*command, str(lake))
    assert done.returncode == 0, done.stderr
    undisturbed = digests(spark, lake)
    assert undisturbed["batches that do not add up"] == "0"

    conf, lake = write_small_lake(tmp_path / "two")
    walk_plans(conf)
    command[3] = str(conf)
    silver = lake / "silver" / "claims"
    assert killed([*command, str(lake)], lambda: any(silver.rglob("*.parquet"))), "over before it was killed"
    both = [
        subprocess.Popen(
            [str(FINLAKE), *command, str(lake)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    assert digests(spark, lake) == undisturbed
