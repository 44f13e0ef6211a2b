"""Two runs of one job at the same time on one lake: both end well, and the tables are those of one run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from finlake.lakehouse import table_digest
from tests.jobs.conftest import FINLAKE, ROOT, finlake
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


def test_two_runs_at_once_leave_what_one_leaves(spark, tmp_path: Path) -> None:
    digests = []
    for runs in (1, 2):
        conf, lake = write_small_lake(tmp_path / str(runs))
        command = [
            "run",
            "medallion",
            "--conf",
            str(conf),
            "--lake",
            str(lake),
            "--bundle",
            str(ROOT),
            "--as-of",
            AS_OF,
        ]
        started = [
            subprocess.Popen([str(FINLAKE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            for _ in range(runs)
        ]
        said = [process.communicate()[1] for process in started]
        assert [process.returncode for process in started] == [0] * runs, "\n".join(said)
        frames = {name: spark.read.format("delta").load(str(lake / name.replace(".", "/"))) for name in TABLES}
        digests.append({name: table_digest(frame, exclude=VOLATILE) for name, frame in frames.items()})
        rows = finlake("sql", "select count(*) as wrong from ops.batches where not adds_up", "--format", "csv",
                       "--conf", str(conf), "--lake", str(lake))  # fmt: skip
        assert rows.stdout.split() == ["wrong", "0"], rows.stderr
    assert digests[0] == digests[1]
