"""The bundle as it is: nothing wrong with it, and the platform's own models accept it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from databricks.bundles.jobs import Job
from databricks.bundles.schemas import Schema
from databricks.bundles.volumes import Volume

from finlake.cli.jobs import check_bundle, load_bundle, run_job
from finlake.config import load
from finlake.config.load import plain, read_yaml
from finlake.errors import ConfigError, UnknownNameError
from finlake.pipelines.deployment import APPROVAL_TAG, STAGES
from finlake.pipelines.step import Step
from finlake.pipelines.use_cases import use_cases

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "databricks.yml", *sorted((ROOT / "resources").glob("*.yml"))]
JOBS = ("medallion", "training", "batch_scoring", "deployment", "nightly")
KEPT_SCHEMA = Path(__file__).with_name("bundle_schema.json")
BUNDLE_SCHEMA = Path(os.environ.get("FINLAKE_BUNDLE_SCHEMA") or KEPT_SCHEMA)


def test_the_bundle_has_no_problems():
    assert [str(problem) for problem in check_bundle(ROOT)] == []


@pytest.mark.parametrize("target", ["local", "dev", "staging", "prod"])
def test_every_job_resolves_for_every_target(target: str):
    bundle = load_bundle(ROOT, target, {"warehouse_id": "0"})
    for name in JOBS:
        assert "${" not in json.dumps(bundle.resolve(bundle.job(name).data))


@pytest.mark.parametrize("name", JOBS)
def test_the_platforms_job_model_accepts(name: str):
    assert Job.from_dict(load_bundle(ROOT).job(name).data).name == name


def test_the_platforms_job_model_refuses_an_unknown_field():
    data: dict[str, Any] = load_bundle(ROOT).job("medallion").data
    with pytest.raises(Exception, match="retries_of_task"):
        Job.from_dict({**data, "retries_of_task": 3})


def test_the_platforms_models_accept_schemas_and_volumes():
    bundle = load_bundle(ROOT)
    assert {Schema.from_dict(bundle.resources[("schemas", key)].data).name for key in bundle.keys("schemas")} >= {
        "bronze",
        "ops",
    }
    assert {Volume.from_dict(bundle.resources[("volumes", key)].data).name for key in bundle.keys("volumes")} >= {
        "landing"
    }


def cli_errors(document: Any) -> list[str]:
    """What the schema of the CLI says against a document of the bundle."""
    validator = jsonschema_rs.validator_for(json.loads(BUNDLE_SCHEMA.read_text("utf-8")))
    found = validator.iter_errors(json.loads(json.dumps(document)))
    return [f"{list(error.instance_path)}: {error.message[:200]}" for error in found]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_clis_schema_accepts(path: Path):
    assert cli_errors(plain(read_yaml(path).data)) == []


@pytest.mark.parametrize(
    ("file", "place", "mistake"),
    [
        ("resources/medallion.job.yml", "resources jobs medallion tasks 0", {"timeout": 5}),
        ("resources/medallion.job.yml", "resources jobs medallion tasks 0", {"max_retries": "often"}),
        ("resources/medallion.job.yml", "resources jobs medallion tasks 0", {"run_if": "ALL_SUCCEEDED"}),
        ("resources/medallion.job.yml", "resources jobs medallion tasks 0", {"depends_on": {"task_key": "ingest"}}),
        ("resources/medallion.job.yml", "resources jobs medallion queue", {"enabled": "maybe"}),
        ("resources/training.job.yml", "resources jobs training job_clusters 0 new_cluster", {"num_workers": 1.5}),
        ("databricks.yml", "targets prod", {"default": "perhaps"}),
        ("databricks.yml", "targets prod permissions 0", {"levels": "CAN_VIEW"}),
        ("databricks.yml", "targets prod run_as", {"principal": "x"}),
        ("databricks.yml", "variables catalog", {"defaults": "x"}),
        ("resources/nightly.job.yml", "resources", {"job": {}}),
    ],
)
def test_the_clis_schema_refuses_a_planted_mistake(file: str, place: str, mistake: dict[str, Any]):
    document = plain(read_yaml(ROOT / file).data)
    inside = document
    for key in place.split():
        inside = inside[int(key) if key.isdigit() else key]
    inside |= mistake
    assert cli_errors(document)


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: path.name)
def test_the_clis_schema_knows_every_kind_of_resource(path: Path):
    document = plain(read_yaml(path).data)
    for resources in document["resources"].values():
        for resource in resources.values():
            resource["planted_key"] = 1
    assert cli_errors(document)


def test_the_kept_schema_is_what_the_script_makes(tmp_path: Path):
    """From the CLI's whole schema where FINLAKE_BUNDLE_SCHEMA names it, else once more from the kept one."""
    made = tmp_path / "made.json"
    command = [sys.executable, ROOT / "scripts" / "bundle_schema.py", BUNDLE_SCHEMA, "--out", made]
    subprocess.run(command, check=True, capture_output=True)
    assert made.read_text("utf-8") == KEPT_SCHEMA.read_text("utf-8"), "make it again: see CONTRIBUTING.md"


def test_production_runs_as_a_principal_from_main_with_permissions():
    target = load_bundle(ROOT, "prod").target_settings()
    assert target["mode"] == "production"
    assert target["run_as"] == {"service_principal_name": "${var.service_principal}"}
    assert target["git"] == {"branch": "main"}
    assert target["permissions"]
    assert target["workspace"]["root_path"]


def test_jobs_queue_time_out_and_mail_their_failures():
    bundle = load_bundle(ROOT, "prod")
    for name in JOBS:
        job = bundle.resolve(bundle.job(name).data)
        assert job["max_concurrent_runs"] == 1
        assert job["queue"] == {"enabled": True}
        assert job["timeout_seconds"] > 0
        assert job["email_notifications"]["on_failure"] == ["data-team@example.com"]
        assert job["health"]["rules"]


def test_only_training_needs_a_cluster():
    bundle = load_bundle(ROOT)
    clusters = {
        name: [item["job_cluster_key"] for item in bundle.job(name).data.get("job_clusters", [])] for name in JOBS
    }
    assert clusters == {"medallion": [], "training": ["ml"], "batch_scoring": [], "deployment": [], "nightly": []}


def test_a_new_use_case_file_is_scheduled_without_touching_resources(tmp_path: Path):
    """The loop's inputs come from the real step, which reads the copied configuration."""
    conf = shutil.copytree(ROOT / "conf", tmp_path / "conf")
    text = (conf / "use_cases" / "card_fraud.yml").read_text("utf-8")
    (conf / "use_cases" / "a_third_one.yml").write_text(
        text.replace("use_case: card_fraud", "use_case: a_third_one", 1)
    )
    scored: list[str] = []

    def execute(argv: list[str]) -> dict[str, Any]:
        given = dict(zip(argv[1::2], argv[2::2], strict=True))
        if argv[0] == "use-cases":
            return use_cases(Step(None, load(given["--conf"]), datetime.now(UTC), "use-cases"), given["--only"])
        if argv[0] == "score":
            scored.append(given["--use-case"])
        return {}

    result = run_job("nightly", bundle_root=ROOT, execute=execute, variables={"conf": str(conf)})
    assert result.ok
    assert scored == ["a_third_one", "card_fraud", "credit_default"]


def test_one_use_case_can_be_asked_for_and_none_at_all_is_an_error(tmp_path: Path):
    step = Step(None, load(ROOT / "conf"), datetime.now(UTC), "use-cases")
    assert use_cases(step, "credit_default") == {"use_cases": ["credit_default"]}
    with pytest.raises(UnknownNameError, match="did you mean 'card_fraud'"):
        use_cases(step, "card_fruad")
    step.config.use_cases.clear()
    with pytest.raises(ConfigError, match="holds no use case"):
        use_cases(step)


def test_the_deployment_jobs_tasks_are_the_steps_stages_and_the_buttons_tag_is_a_task():
    tasks = load_bundle(ROOT).job("deployment").data["tasks"]
    assert tuple(task["task_key"] for task in tasks) == STAGES and APPROVAL_TAG in STAGES
    for task in tasks:
        argv = task["python_wheel_task"]["parameters"]
        assert argv[:3] == ["deployment", "--stage", task["task_key"]]
