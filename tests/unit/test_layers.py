"""The architecture is a test: which room may use which."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [LINT, "--no-cache", "--config", folder / "pyproject.toml"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_room_keeps_to_its_layer() -> None:
    run = check(ROOT)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_room_of_the_tree_has_a_place_among_the_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rooms = {f"finlake.{path.parent.name}" for path in (ROOT / "src").glob("*/__init__.py")}
    rooms |= {f"finlake.{path.stem}" for path in (ROOT / "src").glob("*.py") if path.stem != "__init__"}
    assert set(contracts[0]["layers"]) == rooms


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("config", "import finlake.cli", "Each room uses only the rooms below it"),
        ("features", "def f() -> None:\n    from finlake.lakehouse import Lake", "see frames, never tables"),
        ("pipelines", "from databricks.sdk import WorkspaceClient", "talks to a Databricks workspace"),
        ("models", "from delta import DeltaTable", "Only the lakehouse room knows Delta"),
        ("features.windows", "import pyspark", "Windows are computed without Spark"),
    ],
)
def test_a_planted_import_across_the_layers_is_found(tmp_path: Path, room: str, line: str, contract: str) -> None:
    """In a copy of the tree that holds the packages' names only."""
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    for name in ["finlake", *layers, "finlake.features.windows", "finlake.features.online"]:
        folder = tmp_path.joinpath(*name.split("."))
        folder.mkdir()
        (folder / "__init__.py").touch()
    (tmp_path / "finlake" / "lakehouse" / "__init__.py").write_text("class Lake: ...\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    assert check(tmp_path).returncode == 0
    tmp_path.joinpath("finlake", *room.split("."), "__init__.py").write_text(line + "\n")
    run = check(tmp_path)
    assert run.returncode == 1
    assert f"{contract} BROKEN" in run.stdout
