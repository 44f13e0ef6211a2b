"""The rules of the house that no linter knows. Each is also shown to find what it looks for."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
LINES = 400
# Written in two parts, so that this file does not break its own rules.
SUPPRESSIONS = re.compile(r"#\s*(no" r"qa|type:\s*ig" r"nore|prag" r"ma:|pylint:|nos" r"ec|fmt:\s*o" r"ff|mypy:)")
PLANS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
HOSTS = re.compile(r"py" r"pi\.org|python" r"hosted|repo1\.ma" r"ven|maven\.or" r"g|registry\.np" r"m|index-u" r"rl =")
MACHINES = re.compile(r"(?<![\w.$/])/(wo" r"rk|ro" r"ot|ho" r"me/\w+|Users/\w+)/|\.\./sha" r"red")
NOT_PORTABLE = re.compile(r"\bsparkContext\b|\.rdd\b(?!\.)|\._jsc\b|\._jvm\b|\.cache\(\)|\.persist\(|\bDeltaTable\b")
OWN = {"event_ts", "known_from", "known_to"}  # finlake's columns; a customer's table may have them too
SKIPS = re.compile(r"mark\.skip" r"if\((.*?)\n?\)", re.DOTALL)
DODGES = re.compile(r"pytest\.(mark\.)?(sk" r"ip\b|xf" r"ail)|unittest\.mo" r"ck|import mo" r"ck")


@cache
def tracked() -> tuple[Path, ...]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def python(*folders: str) -> list[Path]:
    inside = [path for path in tracked() if path.suffix == ".py"]
    return [path for path in inside if not folders or path.relative_to(ROOT).parts[0] in folders]


@cache
def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    found = []
    for path in paths:
        if pattern.search(text_of(path)):
            numbered = enumerate(text_of(path).splitlines(), 1)
            found += [f"{path.relative_to(ROOT)}:{n}: {line.strip()}" for n, line in numbered if pattern.search(line)]
    return found


def generic() -> list[Path]:
    """Code that must serve any customer: everything but the built-in generators."""
    return [path for path in python("src") if path.relative_to(SRC).parts[0] != "simulation"]


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    assert len(python("src")) > 50
    lengths = {str(path.relative_to(ROOT)): len(text_of(path).splitlines()) for path in python()}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_no_complaint_of_a_tool_is_silenced() -> None:
    assert lines_with(SUPPRESSIONS, python()) == []


def test_nothing_is_left_for_later() -> None:
    assert lines_with(PLANS, python()) == []


def test_nothing_is_replaced_by_a_double_and_tests_are_skipped_only_for_data_a_machine_must_name() -> None:
    assert lines_with(DODGES, python("tests")) == []
    reasons = [skip for path in python("tests") for skip in SKIPS.findall(text_of(path))]
    assert [reason for reason in reasons if "FINLAKE_" not in reason] == []


def test_no_file_names_a_registry_or_somebodys_machine() -> None:
    files = [path for path in tracked() if path.relative_to(ROOT).as_posix() != ".ci/run"]
    assert lines_with(HOSTS, files) == []
    assert lines_with(MACHINES, files) == []


def test_the_code_runs_on_serverless_compute_too() -> None:
    """No contexts, RDDs or pinned data, except where models are trained on classic clusters."""
    assert lines_with(NOT_PORTABLE, [path for path in python("src") if "models" not in path.parts]) == []


def calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_only_commands_print() -> None:
    quiet = [path for path in python("src") if path.relative_to(SRC).parts[0] != "cli"]
    assert [str(path) for path in quiet if "print" in calls(ast.parse(text_of(path)))] == []


@cache
def particular_names() -> frozenset[str]:
    """Names of use cases, and names of their columns that cannot be meant in general."""
    yaml = YAML(typ="safe")
    names = {path.stem for path in tracked() if path.parent == ROOT / "conf" / "use_cases" and path.suffix == ".yml"}
    for path in tracked():
        if path.parent == ROOT / "conf" / "sources" and path.suffix == ".yml":
            source = yaml.load(text_of(path))
            for raw, column in source["columns"].items():
                names |= {raw, column.get("as", raw) if isinstance(column, dict) else raw}
    return frozenset(name for name in names if "_" in name)


def words(path: Path) -> Iterator[str]:
    yield from re.findall(r"[A-Za-z_][A-Za-z0-9_]*", text_of(path))


def test_no_code_knows_a_use_case_or_a_column_of_one() -> None:
    assert {"payment_id", "terminal_id"} <= particular_names()
    known = particular_names() - OWN
    found = {str(path.relative_to(ROOT)): sorted(known & set(words(path))) for path in generic()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (SUPPRESSIONS, "import os  # no" + "qa: F401"),
        (SUPPRESSIONS, "x = 1  # type: ig" + "nore[assignment]"),
        (PLANS, "# TO" + "DO: later"),
        (HOSTS, "--index https://py" + "pi.org/simple"),
        (MACHINES, "open('/ho" + "me/anna/data.csv')"),
        (MACHINES, "data = ../sha" + "red/data"),
        (NOT_PORTABLE, "frame = frame.cache()"),
        (NOT_PORTABLE, "spark.sparkContext.parallelize([1])"),
        (DODGES, "@pytest.mark.sk" + "ip(reason='slow')"),
    ],
)
def test_the_rules_find_what_they_look_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (SUPPRESSIONS, "# the type is ignored by readers"),
        (MACHINES, "https://example.com/home/anna/x"),
        (NOT_PORTABLE, '"spark.rdd.compress": "false"'),
        (NOT_PORTABLE, "@functools.cache"),
    ],
)
def test_the_rules_leave_alone_what_is_right(pattern: re.Pattern[str], line: str) -> None:
    assert not pattern.search(line)


def test_the_rules_read_the_whole_tree() -> None:
    assert len(tracked()) > len(python()) > len(python("src")) > len(generic()) > 50
