"""Each mistake is planted into a copy of the real bundle, and found with its file and line."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from finlake.cli.jobs import check_bundle, load_bundle
from finlake.config.load import plain, read_yaml
from finlake.errors import ConfigError

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


@pytest.mark.parametrize(
    ("kind", "line"),
    [("notebook_task: {notebook_path: notebooks/nope.py}", 6), ("spark_python_task: {python_file: src/nope.py}", 6),
     ("sql_task: {file: {path: nope.sql}, warehouse_id: x}", 6)],
)  # fmt: skip
def test_a_path_without_a_leading_dot_is_looked_for_beside_its_file(bundle: Path, kind: str, line: int):
    path = bundle / "resources" / "look.job.yml"
    path.write_text(f"resources:\n  jobs:\n    look:\n      tasks:\n        - task_key: look\n          {kind}\n")
    assert [problem.line for problem in check_bundle(bundle) if "there is no file" in problem.message] == [line]


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("{op: EQUALS, left: a, right: b}", "unknown op 'EQUALS'"),
        ("{op: EQUAL_TO, left: a}", "condition_task has no right"),
        ("{op: EQUAL_TO, right: a}", "condition_task has no left"),
    ],
)
def test_a_condition_that_cannot_be_judged_is_found(bundle: Path, condition: str, says: str):
    (bundle / "resources" / "look.job.yml").write_text(
        "resources:\n  jobs:\n    look:\n      tasks:\n        - task_key: look\n"
        f"          condition_task: {condition}\n"
    )
    assert [problem.line for problem in check_bundle(bundle) if says in problem.message] == [6]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"resources:\n  jobs:\n    look: nightly\n", ":3: resources.jobs.look must be a mapping"),
        (b"resources:\n  jobs: [look]\n", ":2: resources.jobs must be a mapping"),
        (b"resources: [jobs]\n", ":1: resources must be a mapping"),
        (b"targets: [dev]\n", ":1: targets must be a mapping"),
        (b"artifacts: [wheel]\n", ":1: artifacts must be a mapping"),
        (b"resources:\n  jobs: {} # Gr\xf6\xdfe\n", ":2: is not UTF-8"),
        (b"- resources\n", ":1: is empty or not a mapping"),
    ],
)
def test_a_file_of_another_form_is_a_problem_of_check_and_of_run_and_hides_no_other(
    bundle: Path, text: bytes, says: str
):
    (bundle / "resources" / "look.job.yml").write_bytes(text)
    other = bundle / "resources" / "medallion.job.yml"
    other.write_text(other.read_text().replace("task_key: refine", "task_key: refin", 1))
    messages = [str(problem) for problem in check_bundle(bundle)]
    assert any(f"look.job.yml{says}" in message for message in messages), messages
    assert any("depends on unknown task 'refine'" in message for message in messages), messages
    with pytest.raises(ConfigError, match=r"look\.job\.yml"):
        load_bundle(bundle)


def test_an_error_within_one_files_check_is_a_problem_of_that_file(bundle: Path):
    (bundle / "resources" / "morning.lvdash.json").write_text("[]")
    path = bundle / "resources" / "medallion.job.yml"
    path.write_text(path.read_text().replace("task_key: refine", "task_key: refin", 1))
    messages = [str(problem) for problem in check_bundle(bundle)]
    assert any("morning.dashboard.yml: cannot be checked further: AttributeError" in message for message in messages)
    assert any("depends on unknown task 'refine'" in message for message in messages)


def test_a_job_whose_parameters_are_a_variable_is_no_problem(bundle: Path):
    path = bundle / "databricks.yml"
    text = "variables:\n  words:\n    description: x\n    default: [--conf, x]\n"
    path.write_text(path.read_text().replace("variables:\n", text, 1))
    job = bundle / "resources" / "nightly.job.yml"
    text = job.read_text()
    job.write_text(text.replace("      queue:\n", "      job_clusters: ${var.words}\n      queue:\n", 1))
    assert [str(problem) for problem in check_bundle(bundle)] == []
