"""The doctor's words: every missing thing comes with the command that mends it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from finlake.cli import doctor
from finlake.errors import SetupError

ROOT = Path(__file__).resolve().parents[2]


def test_a_check_is_one_line_and_its_fix_a_second() -> None:
    assert doctor.shown(doctor.Check("Java", True, "17", "unused")) == "  ok       Java: 17"
    lines = doctor.shown(doctor.Check("Java", False, "none", "make jdk")).splitlines()
    assert lines == ["  missing  Java: none", "           fix: make jdk"]


def test_a_check_that_fails_is_a_missing_thing_and_never_a_traceback() -> None:
    def java() -> doctor.Check:
        raise SetupError("no Java was found: make jdk")

    def odd() -> doctor.Check:
        raise PermissionError("/lake")

    assert doctor.examine(java) == doctor.Check("java", False, "no Java was found", "make jdk")
    assert not doctor.examine(odd).ok
    assert "/lake" in doctor.examine(odd).found


def test_this_machine_passes_every_check_that_needs_no_network() -> None:
    looks = [look for look in doctor.examinations() if look.__name__ != "_jars"]
    assert [check for check in map(doctor.examine, looks) if not check.ok] == []
    assert len(doctor.examinations(deep=True)) == len(doctor.examinations()) + 1


@pytest.mark.parametrize(("name", "fix"), [("python3", "python3-venv"), ("git", "apt install git")])
def test_before_the_set_up_the_shell_part_names_what_is_missing(tmp_path: Path, name: str, fix: str) -> None:
    tools = "sh uname grep dirname df awk sed tr env cat git make python3"
    for tool in set(tools.split()) - {name}:
        place = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / tool).symlink_to(place)
    run = subprocess.run(
        [ROOT / "scripts" / "doctor.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert f"missing  {name.replace('python3', 'Python')}" in run.stdout
    assert fix in run.stdout


@pytest.mark.parametrize(("folder", "refused"), [("my box, 50%", False), ("my:box", True)])
def test_only_a_colon_in_the_projects_folder_is_refused(tmp_path: Path, folder: str, refused: bool) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / folder / "scripts")
    run = subprocess.run([tmp_path / folder / "scripts" / "doctor.sh"], capture_output=True, text=True, check=False)
    assert ("missing  a folder name without a colon" in run.stdout) == refused


def test_make_hands_on_a_folder_of_data_with_blanks(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    (tmp_path / "show.mk").write_text('show:\n\t@echo "<$$FINLAKE_DATA>"\n')
    command = ["make", "-s", "-f", "Makefile", "-f", tmp_path / "show.mk", "show", f"DATA={tmp_path / 'my data'}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"<{tmp_path / 'my data'}>"


def test_the_right_python_is_found_among_wrong_ones(tmp_path: Path) -> None:
    answers = {"python3": "3.9", "python3.12": "3.12", "python3.11": "3.11"}
    for name, version in answers.items():
        lacks = "exit 1" if version == "3.12" else "exit 0"
        (tmp_path / name).write_text(
            f'#!/bin/sh\ncase "$2" in *ensurepip*) {lacks};; *executable*) echo {name};; *) echo {version};; esac\n'
        )
        (tmp_path / name).chmod(0o755)
    find = [ROOT / "scripts" / "find-python.sh"]
    environment = {"PATH": f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    run = subprocess.run(find, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.strip() == "python3.11"
    for chosen, said in (("python3", "python3=3.9"), ("python3.12", "python3-venv")):
        run = subprocess.run(find, env={**environment, "PYTHON": chosen}, capture_output=True, text=True, check=False)
        assert run.returncode == 1
        assert said in run.stderr
