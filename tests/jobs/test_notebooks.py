"""Notebooks run where finlake is not installed, as in a Git folder of a workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.jobs.conftest import Demo

ROOT = Path(__file__).parents[2]
# Notebook -> frames that it must have made, besides that each one it made holds rows.
FRAMES = {
    "explore_a_table.py": {"columns", "first_rows", "summary", "received", "rules"},
    "train_and_compare.py": {"figures", "compared", "trials", "sample", "train", "choose"},
    "read_the_morning.py": {"calls", "decisions", "reasons", "moved", "figures", "received"},
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
# Without `site` no .pth file is read, so the development installation is not found; its libraries are.
RUN = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("finlake") is None
space = {"__name__": "__main__"}
for cell in open(sys.argv[2], encoding="utf-8").read().split("# COMMAND ----------"):
    exec(compile(cell, sys.argv[2], "exec"), space)
kept = {name: len(value) for name, value in space.items() if type(value).__module__.startswith("pandas")}
print("RESULT" + json.dumps({"frames": kept, "package": space["finlake"].__file__}))
"""


def test_there_are_notebooks():
    assert {path.name for path in NOTEBOOKS} == set(FRAMES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_in_source_format_and_short(path: Path):
    text = path.read_text("utf-8")
    assert text.startswith("# Databricks notebook source\n")
    assert len(text.splitlines()) <= 110


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_without_an_installation(path: Path, demo: Demo):
    environment = {**os.environ, "FINLAKE_LAKE": str(demo.lake), "FINLAKE_CONF": str(demo.conf)}
    command = [sys.executable, "-I", "-S", "-c", RUN, sysconfig.get_paths()["purelib"], str(path)]
    done = subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.split("RESULT")[1])
    assert Path(found["package"]) == ROOT / "src" / "__init__.py"
    assert all(rows > 0 for rows in found["frames"].values())
    assert FRAMES[path.name] <= set(found["frames"])
