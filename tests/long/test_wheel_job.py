"""One job of the bundle runs every task as a process of its own, from the installed wheel, in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.small_lake import AS_OF, write_small_lake

ROOT = Path(__file__).parents[2]
VERSION = "0.0.0+installed"
CONSOLE = "from finlake.cli.main import console; console()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment that finds finlake in a wheel whose version no checkout has."""
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "project"
    shutil.copytree(ROOT / "src", project / "src", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("version = "))
    (project / "pyproject.toml").write_text(text.replace(line, f'version = "{VERSION}"'), "utf-8")
    shutil.copy(ROOT / "README.md", project)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(project)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)], check=True
    )
    return {**os.environ, "PYTHONPATH": str(folder / "site")}


def test_every_task_runs_from_the_installed_wheel(installed: dict[str, str], tmp_path: Path):
    conf, lake = write_small_lake(tmp_path / "there")
    empty = tmp_path / "empty"
    empty.mkdir()
    where = ["--conf", str(conf), "--lake", str(lake)]
    options = ["--bundle", str(ROOT), "--as-of", AS_OF, "--each-task-a-process"]
    job = [sys.executable, "-c", CONSOLE, "run", "medallion", *where, *options]
    done = subprocess.run(job, cwd=empty, env=installed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 of 3 tasks ok" in done.stderr.splitlines()[-1]
    query = "select task, status, wheel_version from ops.runs where step <> '' order by started_at"
    asked = [sys.executable, "-c", CONSOLE, "sql", query, "--format", "json", *where]
    rows = json.loads(
        subprocess.run(asked, cwd=empty, env=installed, capture_output=True, text=True, check=True).stdout
    )
    assert [tuple(row.values()) for row in rows] == [(task, "ok", VERSION) for task in ("ingest", "refine", "marts")]
    assert list(empty.iterdir()) == []
