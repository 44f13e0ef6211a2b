"""Where no classic cluster is: Spark Connect refuses the distributed fit with a word, and fits on the driver and scores like
classic Spark.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import train_alone

pytestmark = pytest.mark.long

ALONE = {"search": {"trials": 2, "rows": 2000}, "fit": "single_node"}


def trained(root: Path, model: dict[str, object], **environment: str) -> dict[str, Any]:
    command = [sys.executable, train_alone.__file__, str(root), json.dumps(model)]
    kept = {name: value for name, value in os.environ.items() if name != "FINLAKE_REMOTE"}
    done = subprocess.run(command, env={**kept, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.split("RESULT")[1])
    return found


def test_a_fit_on_the_driver_and_its_scores_are_the_same_on_connect_and_classic_spark(tmp_path: Path) -> None:
    refused = trained(tmp_path / "connect", {}, FINLAKE_REMOTE="local")["refused"]
    assert "model.fit: single_node" in refused and "resources/training.job.yml" in refused
    far = trained(tmp_path / "connect", ALONE, FINLAKE_REMOTE="local")
    near = trained(tmp_path / "classic", ALONE)
    assert "connect" in far["session"] and "connect" not in near["session"]
    assert far["digest"] == near["digest"] and far["trials"] == near["trials"]
    assert far["scores"] == near["scores"] != []
    assert {decision for *_, decision in far["scores"]} > {"alert"}
