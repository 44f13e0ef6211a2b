"""A small demo, run once as a user runs it, for every test that looks at what it left behind."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from finlake.cli.main import console
from finlake.workbench import Workbench, open_workbench
from tests.conftest import NO_CODE, forget_lakes
from tests.jobs.one_run import FEATURES, OneRun, digests
from tests.jobs.small_lake import AS_OF, write_small_lake

ROOT = Path(__file__).parents[2]
FINLAKE = Path(sys.executable).with_name("finlake")

Run = Callable[..., subprocess.CompletedProcess[str]]


def finlake(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    return subprocess.run([str(FINLAKE), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Demo:
    """The demo's lake and what was printed."""

    spark: SparkSession
    lake: Path
    conf: Path
    page: str
    progress: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        given = [] if "--conf" in arguments else ["--conf", str(self.conf)]
        return finlake(*arguments, *given, "--lake", str(self.lake))

    def inside(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same command by its entry point, in this process: Spark need not start again."""
        assert self.bench
        given = [] if "--conf" in arguments else ["--conf", str(self.conf)]
        before, sys.argv = sys.argv, ["finlake", *arguments, *given, "--lake", str(self.lake)]
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            with redirect_stdout(out), redirect_stderr(err):
                console()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())

    @cached_property
    def bench(self) -> Workbench:
        """The lake as a notebook opens it, in this process."""
        forget_lakes(self.spark)
        return open_workbench(conf=self.conf, lake=str(self.lake))

    def query(self, sql: str) -> list[dict[str, Any]]:
        return [row.asDict(recursive=True) for row in self.bench.sql(sql).collect()]


def walk_plans(conf: Path) -> None:
    """Small data: no code is written and compiled for the session's plans."""
    with (conf / "targets" / "local.yml").open("a", encoding="utf-8") as target:
        target.write(f"spark: {json.dumps(NO_CODE)}\n")


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Thirty thousand payments are too few to pass the gates, and without a champion there is no queue to look at."""
    house = tmp_path_factory.mktemp("demo")
    lake, conf = house / "lake", house / "conf"
    shutil.copytree(ROOT / "conf", conf)
    shutil.copytree(ROOT / "resources", house / "resources")
    shutil.copy(ROOT / "databricks.yml", house)
    for path in (conf / "use_cases").glob("*.yml"):
        path.write_text(re.sub(r"(?ms)^gates:.*?(?=^\S|\Z)", "", path.read_text("utf-8")), "utf-8")
    walk_plans(conf)
    done = finlake("demo", "--payments", "30000", "--loans", "6000", "--lake", str(lake), "--conf", str(conf), cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Demo(spark, lake, conf, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def wheel_site(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with finlake as its wheel installs it, and that wheel's version, which no checkout has."""
    folder, version = tmp_path_factory.mktemp("wheel"), "0.0.0+installed"
    project = folder / "project"
    shutil.copytree(ROOT / "src", project / "src", ignore=shutil.ignore_patterns("__pycache__"))
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("version = "))
    (project / "pyproject.toml").write_text(text.replace(line, f'version = "{version}"'), "utf-8")
    shutil.copy(ROOT / "README.md", project)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(project)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    install = ["install", "--no-deps", "--no-index", "--target", str(folder / "site"), str(wheel)]
    subprocess.run([*pip, *install], check=True)
    return folder / "site", version


@pytest.fixture(scope="session")
def one_run(spark: SparkSession, wheel_site: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> OneRun:
    """The small lake's medallion and features with the settings users have: every task a process of the installed wheel."""
    conf, lake = write_small_lake(tmp_path_factory.mktemp("one"))
    empty = tmp_path_factory.mktemp("empty")
    environment = {**os.environ, "PYTHONPATH": str(wheel_site[0])}
    wheel = [sys.executable, "-c", "from finlake.cli.main import console; console()"]
    where = ["--conf", str(conf), "--lake", str(lake), "--as-of", AS_OF]
    said = ""
    for command in (
        ["run", "medallion", "--bundle", str(ROOT), "--each-task-a-process"],
        ["features", "--use-case", "claim_fraud"],
    ):
        job = [*wheel, *command, *where]
        done = subprocess.run(job, cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stderr
    return OneRun(lake, empty, wheel_site[1], said, digests(spark, lake, FEATURES))
