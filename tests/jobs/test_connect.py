"""The serverless steps on a local Spark Connect server give the tables that classic Spark gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.conftest import ROOT, walk_plans
from tests.jobs.one_run import FEATURES, OneRun, digests
from tests.jobs.small_lake import AS_OF, write_small_lake

pytestmark = pytest.mark.long

STEPS = """
import json, sys
from finlake.cli.main import execute
conf, lake, bundle, as_of = sys.argv[1:5]
where = ["--conf", conf, "--lake", lake, "--as-of", as_of]
ran = execute(["run", "medallion", *where, "--bundle", bundle])
assert ran["exit_code"] == 0, ran
execute(["features", "--use-case", "claim_fraud", *where])
execute(["publish", *where])
import finlake
bench = finlake.open(conf=conf, lake=lake)
print("RESULT" + json.dumps({"views": sorted(bench.lake.views()), "session": type(bench.lake.spark).__module__}))
"""


def test_connect_and_classic_agree(spark, one_run: OneRun, tmp_path: Path) -> None:
    conf, lake = write_small_lake(tmp_path)
    walk_plans(conf)
    command = [sys.executable, "-c", STEPS, str(conf), str(lake), str(ROOT), AS_OF]
    environment = {**os.environ, "FINLAKE_REMOTE": "local"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    made = json.loads(done.stdout.split("RESULT")[1])
    assert "connect" in made["session"]
    assert {"silver.claims_current", "bi.batches"} <= set(made["views"])
    assert digests(spark, lake, FEATURES) == one_run.digests
