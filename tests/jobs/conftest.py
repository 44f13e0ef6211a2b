"""A small demo, run once as a user runs it, for every test that looks at what it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FINLAKE = Path(sys.executable).with_name("finlake")

Run = Callable[..., subprocess.CompletedProcess[str]]


def finlake(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    return subprocess.run([str(FINLAKE), *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Demo:
    """The demo's lake and what was printed."""

    lake: Path
    page: str
    progress: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return finlake(*arguments, "--lake", str(self.lake))

    def query(self, sql: str) -> list[dict[str, Any]]:
        done = self.run("sql", sql, "--format", "json", "--limit", "100000")
        assert done.returncode == 0, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    lake = tmp_path_factory.mktemp("demo") / "lake"
    done = finlake("demo", *_small(), "--lake", str(lake))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Demo(lake, done.stdout, done.stderr)


def _small() -> Sequence[str]:
    return ["--payments", "30000", "--loans", "6000"]
