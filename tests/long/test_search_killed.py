"""A search is killed with SIGKILL between its trials; begun again, it ends in the trials and the model of an undisturbed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.jobs import train_alone
from tests.jobs.test_connect_training import trained


@pytest.mark.parametrize("engine", ["hyperopt", "optuna"])
def test_a_killed_search_ends_like_an_undisturbed_one(engine: str, tmp_path: Path) -> None:
    search = {"engine": engine, "trials": 12, "rows": 2000, "stop_poor": True}
    model: dict[str, object] = {"search": search, "fit": "single_node"}
    whole = trained(tmp_path / "whole", model)
    assert {row[2].partition(":")[0] for row in whole["trials"]} == {"ok", "pruned"}
    lake = tmp_path / "killed"
    for commits in (3, 8):
        killed_after(lake, model, commits)
    before = len(list((lake / "ops" / "trials" / "_delta_log").glob("*.json")))
    again = trained(lake, model)
    assert again["digest"] == whole["digest"] and again["trials"] == whole["trials"]
    assert before > 8, "trials of the killed runs were kept"


def killed_after(lake: Path, model: dict[str, object], commits: int) -> None:
    """Trains until ops.trials has so many commits, then kills the process and its JVM."""
    command = [sys.executable, train_alone.__file__, str(lake), json.dumps(model)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    log = lake / "ops" / "trials" / "_delta_log"
    while len(list(log.glob("*.json"))) <= commits:
        assert process.poll() is None, "the search was over before it was killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
