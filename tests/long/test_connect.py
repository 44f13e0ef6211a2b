"""The serverless steps on a local Spark Connect server give the tables that classic Spark gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.jobs.small_lake import AS_OF, write_small_lake

ROOT = Path(__file__).parents[2]
VOLATILE = ("_arrived_at", "_quarantined_at", "_file_digest", "refined_at", "*run_id", "*_ts_written")
STEPS = """
import json, sys
from pathlib import Path
from finlake.cli.main import execute
conf, lake, bundle, as_of = sys.argv[1:5]
where = ["--conf", conf, "--lake", lake, "--as-of", as_of]
ran = execute(["run", "medallion", *where, "--bundle", bundle])
assert ran["exit_code"] == 0, ran
execute(["features", "--use-case", "claim_fraud", *where])
execute(["publish", *where])
import finlake
bench = finlake.open(conf=conf, lake=lake)
kept = [name for name in bench.lake.tables() if not name.startswith("ops.")]
digests = {name: bench.lake.digest(name, exclude=json.loads(sys.argv[5])) for name in kept}
views = sorted(bench.lake.views())
kind = type(bench.lake.spark).__module__
print("RESULT" + json.dumps({"digests": digests, "views": views, "session": kind}))
"""


def test_connect_and_classic_agree(tmp_path: Path):
    found = {}
    for remote in ("", "local"):
        conf, lake = write_small_lake(tmp_path / (remote or "classic"))
        arguments = [str(conf), str(lake), str(ROOT), AS_OF, json.dumps(VOLATILE)]
        environment = {**os.environ, "FINLAKE_REMOTE": remote}
        done = subprocess.run(
            [sys.executable, "-c", STEPS, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found[remote] = json.loads(done.stdout.split("RESULT")[1])
    assert "connect" in found["local"].pop("session")
    assert "connect" not in found[""].pop("session")
    tables = found[""]["digests"]
    assert {"bronze.claims", "silver.claims", "quarantine.claims", "gold.best_days", "features.claim_fraud"} <= set(
        tables
    )
    assert all(not digest.startswith("0-") for digest in tables.values())
    assert found["local"] == found[""]
