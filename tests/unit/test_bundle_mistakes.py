"""Each mistake is planted into a copy of the real bundle, and found with its file and line."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from finlake.cli.jobs import check_bundle
from finlake.config.load import plain, read_yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mistake:
    """In `file`, the first `old` becomes `new`; `says` is expected, at the line that holds `at` (else `new`)."""

    name: str
    file: str
    old: str
    new: str
    says: str
    at: str = ""


MISTAKES = [Mistake(**item) for item in plain(read_yaml(Path(__file__).with_name("bundle_mistakes.yml")).data)]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in ("resources", "conf/targets", "src/cli"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("databricks.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_copy_itself_is_clean(bundle: Path):
    assert [str(problem) for problem in check_bundle(bundle)] == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_is_found_with_its_line(bundle: Path, mistake: Mistake):
    path = bundle / mistake.file
    text = path.read_text("utf-8")
    assert mistake.old in text
    path.write_text(text.replace(mistake.old, mistake.new, 1), "utf-8")
    found = [problem for problem in check_bundle(bundle) if mistake.says in problem.message]
    assert found, [str(problem) for problem in check_bundle(bundle)]
    if path.suffix == ".yml":
        where = found[0].file.read_text("utf-8")
        wanted = where[: where.index(mistake.at or mistake.new)].count("\n") + 1
        assert found[0].line == wanted


def test_a_second_resource_in_a_file_is_found(bundle: Path):
    path = bundle / "resources" / "gold.schema.yml"
    path.write_text(path.read_text() + "    more:\n      catalog_name: x\n      name: more\n")
    assert any("holds one resource, here: gold, more" in str(problem) for problem in check_bundle(bundle))


def test_another_kind_in_a_file_is_found(bundle: Path):
    (bundle / "resources" / "gold.schema.yml").rename(bundle / "resources" / "gold.volume.yml")
    assert any("a .volume.yml file holds schemas.gold" in str(problem) for problem in check_bundle(bundle))


def test_a_resource_defined_twice_is_found(bundle: Path):
    shutil.copy(bundle / "resources" / "gold.schema.yml", bundle / "resources" / "gold2.schema.yml")
    assert any("schemas.gold is already defined" in str(problem) for problem in check_bundle(bundle))


def test_a_file_name_without_a_kind_is_found(bundle: Path):
    (bundle / "resources" / "gold.schema.yml").rename(bundle / "resources" / "gold.shema.yml")
    assert any(
        "is not named <name>.<kind>.yml; did you mean 'schema'?" in str(problem) for problem in check_bundle(bundle)
    )


def test_an_endpoint_without_a_name_is_found(bundle: Path):
    (bundle / "resources" / "live.model_serving_endpoint.yml").write_text(
        "resources:\n  model_serving_endpoints:\n    live:\n      config: {served_entities: []}\n"
    )
    assert [problem.line for problem in check_bundle(bundle) if "has no name" in problem.message] == [3]


def test_a_notebook_that_is_not_there_is_found(bundle: Path):
    path = bundle / "resources" / "look.job.yml"
    path.write_text(
        "resources:\n  jobs:\n    look:\n      tasks:\n        - task_key: look\n"
        "          notebook_task:\n            notebook_path: ../notebooks/nothing.py\n"
    )
    assert [
        (problem.file, problem.line) for problem in check_bundle(bundle) if "there is no file" in problem.message
    ] == [(path, 7)]


def test_all_mistakes_are_reported_at_once(bundle: Path):
    for mistake in MISTAKES[:2]:
        path = bundle / mistake.file
        path.write_text(path.read_text().replace(mistake.old, mistake.new, 1))
    messages = " ".join(problem.message for problem in check_bundle(bundle))
    assert all(mistake.says in messages for mistake in MISTAKES[:2])
