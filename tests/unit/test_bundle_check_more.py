"""Mistakes of a bundle beyond one line of one file: in code it calls, in its targets, between its jobs."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import indent

import pytest

from finlake.cli.jobs import check_bundle, load_bundle
from finlake.config.load import Problem

ROOT = Path(__file__).parents[2]
CLICK = "import click\n@click.group()\ndef cli(): ...\n"
CALLING = [
    "def job(): leave()\ndef leave(): back()\ndef back():\n    leave()\n    exit(0)\n",
    "from finlake.tasks.more import leave\ndef job(): leave()\n",
    "from .more import leave as go\ndef job(): go()\n",
    "import finlake.tasks.more as more\ndef job(): more.leave()\n",
    "def job():\n    from finlake.tasks.more import leave\n    leave()\n",
    "from finlake.tasks import more\njob = more.leave\n",
    "from sys import exit as leave\ndef job(): leave()\n",
    "import sys as s\ndef job(): s.exit()\n",
    "import sys\nleave = sys.exit\ndef job(): leave(0)\n",
    CLICK + "def job(): cli()\n",
    CLICK + "def job(): cli.main(['x'])\n",
    CLICK + "def job(): cli(standalone_mode=True)\n",
    CLICK + "job = cli\n",
    CLICK + "@cli.command()\ndef job(): ...\n",
    "from click import command\n@command()\ndef job(): ...\n",
    "import click\ncli = click.Group('x')\ndef job(): cli()\n",
    "import click\njob = click.Group('x')\n",
    "import click\nclass Commands(click.Group): ...\njob = Commands()\n",
    "import click\ndef plain(): ...\njob = click.command()(plain)\n",
    "import typer\napp = typer.Typer()\ndef job(): app()\n",
    "import typer\ndef main(): ...\ndef job(): typer.run(main)\n",
    "from finlake.tasks.more import cli\ndef job(): cli()\n",
    "import asyncio\nasync def main(): raise SystemExit\ndef job(): asyncio.run(main())\n",
    "import sys\ndef job():\n    try: sys.exit()\n    except Exception: pass\n",
    "import sys\ndef job():\n    try: sys.exit()\n    except SystemExit: raise\n",
    "import sys\ndef job():\n    try: pass\n    finally: sys.exit()\n",
    "from functools import partial\nimport sys\njob = partial(sys.exit, 0)\n",
    "def job():\n    def leave(): quit()\n    leave()\n",
    "import sys\njob = lambda: sys.exit()\n",
]
RETURNING = [
    "def job(): ...\n",
    CLICK + "def job(): cli.main(standalone_mode=False)\n",
    CLICK + "def job(): cli(standalone_mode=False)\n",
    CLICK + "def job():\n    try: cli()\n    except SystemExit as end:\n        if end.code: raise\n",
    "import sys\ndef job():\n    try: sys.exit()\n    except (KeyError, BaseException): pass\n",
    "import contextlib, sys\ndef job():\n    with contextlib.suppress(SystemExit): sys.exit()\n",
    "import argparse\ndef job():\n    parser = argparse.ArgumentParser()\n    print(parser.parse_args())\n",
    "import typer\napp = typer.Typer()\n@app.command()\ndef job(): ...\n",
    "from finlake.tasks.more import stay\ndef job(): stay()\n",
    "from nowhere import leave\ndef job(): leave()\n",
    "def exit(): ...\ndef job(): exit()\n",
    "def job(exit=print): exit()\n",
    "def job(): job()\n",
    "a = b\nb = a\ndef job(): a()\n",
    "from functools import partial\njob = partial(job)\n",
    "import sys\ndef job():\n    def leave(): sys.exit()\n    return leave\n",
    "from functools import partial\n" + CLICK + "job = partial(cli.main, standalone_mode=False)\n",
]
MORE = "import sys\nfrom finlake.tasks.cli import cli\ndef leave(): sys.exit()\ndef stay(): ...\n"
ONE_TASK = """\
- task_key: one
  environment_key: default
  python_wheel_task: {package_name: finlake, entry_point: finlake-job, parameters: [marts, --conf, x]}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name in ("resources", "conf/targets", "conf/sources", "conf/use_cases", "src/cli"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("databricks.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def said(bundle: Path, part: str = "") -> list[str]:
    return [problem.message for problem in check_bundle(bundle) if part in problem.message]


def in_target(bundle: Path, target: str, resources: str) -> None:
    block = f"  {target}:\n    resources:\n{indent(resources, ' ' * 6)}"
    change(bundle / "databricks.yml", f"\n  {target}:\n", f"\n{block}")


def job(
    bundle: Path,
    name: str,
    tasks: str = ONE_TASK,
    environments: str = "[{environment_key: default, spec: {dependencies: [../dist/*.whl]}}]",
) -> Path:
    path = bundle / "resources" / f"{name}.job.yml"
    head = f"resources:\n  jobs:\n    {name}:\n      environments: {environments}\n      tasks:\n"
    path.write_text(head + indent(tasks, " " * 8))
    return path


def entry_point(bundle: Path, code: str, function: str = "job") -> list[str]:
    change(bundle / "pyproject.toml", '"finlake.cli.main:job"', f'"finlake.tasks.main:{function}"')
    folder = bundle / "src" / "tasks"
    folder.mkdir()
    (folder / "main.py").write_text(code)
    (folder / "more.py").write_text(MORE)
    (folder / "cli.py").write_text(CLICK)
    return sorted(set(said(bundle, "entry_point")))


@pytest.mark.parametrize("code", CALLING)
def test_an_entry_point_that_ends_the_process_somewhere_is_found(bundle: Path, code: str):
    found = entry_point(bundle, code)
    assert found
    assert all("ends the process instead of returning, which fails the task; see " in text for text in found)


@pytest.mark.parametrize("code", RETURNING)
def test_an_entry_point_that_returns_is_no_problem(bundle: Path, code: str):
    assert entry_point(bundle, code) == []


def test_where_the_process_ends_is_said(bundle: Path):
    assert entry_point(bundle, "from finlake.tasks.more import leave\ndef job(): leave()\n")[0].endswith(
        "see more.py:3"
    )


def test_an_entry_point_whose_function_is_not_there_is_found(bundle: Path):
    found = entry_point(bundle, "def jobs(): ...\n")
    assert found
    assert all("module 'finlake.tasks.main' has no function 'job'; did you mean 'jobs'?" in text for text in found)


def test_an_entry_point_whose_module_is_not_there_is_found(bundle: Path):
    change(bundle / "pyproject.toml", '"finlake.cli.main:job"', '"finlake.cli.mian:job"')
    assert said(bundle, "entry_point 'finlake-job' names module 'finlake.cli.mian', which is not there")


def test_an_entry_point_whose_module_is_not_python_is_found(bundle: Path):
    assert all("is not Python" in text for text in entry_point(bundle, "def job(:\n"))


@pytest.mark.parametrize(
    ("kind", "key", "change_of_it", "says"),
    [
        (
            "jobs",
            "medallion",
            "{tasks: [{task_key: marts, depends_on: [{task_key: refin}]}]}",
            "target prod: task marts: depends on unknown task 'refin'; did you mean 'refine'?",
        ),
        (
            "jobs",
            "medallion",
            "{tasks: [{task_key: marts, environment_key: defalt}]}",
            "target prod: task marts: unknown environment_key 'defalt'; did you mean 'default'?",
        ),
        (
            "dashboards",
            "morning",
            "{embed_credentials: true}",
            "target prod: embed_credentials must be false: a bundle with run_as cannot deploy the dashboard otherwise",
        ),
    ],
)
def test_what_a_target_makes_wrong_is_found_there(bundle: Path, kind: str, key: str, change_of_it: str, says: str):
    in_target(bundle, "prod", f"{kind}:\n  {key}: {change_of_it}\n")
    path = bundle / "databricks.yml"
    line = path.read_text()[: path.read_text().index(f"{key}: {change_of_it}")].count("\n") + 1
    assert check_bundle(bundle) == [Problem(path, line, says)]


@pytest.mark.parametrize(
    ("target", "resources"),
    [
        ("prod", "jobs:\n  medallion: {max_concurrent_runs: 2, tasks: [{task_key: marts, max_retries: 3}]}\n"),
        ("prod", "dashboards:\n  morning: {file_path: ./resources/morning.lvdash.json}\n"),
        ("dev", "dashboards:\n  morning: {embed_credentials: true}\n"),  # dev runs as the one who deploys
        ("dev", "jobs:\n  medallion:\n"),
        ("dev", "schemas:\n  playground: {catalog_name: x, name: playground}\n"),
    ],
)
def test_what_a_target_changes_rightly_is_no_problem(bundle: Path, target: str, resources: str):
    in_target(bundle, target, resources)
    assert said(bundle) == []


def test_a_problem_that_every_target_mends_is_none_and_one_that_stays_is_said_once(bundle: Path):
    path = job(bundle, "look", ONE_TASK.replace("environment_key: default", "environment_key: defalt"))
    assert len(said(bundle, "unknown environment_key 'defalt'")) == 1
    for target in ("local", "dev", "staging"):
        in_target(bundle, target, "jobs:\n  look: {tasks: [{task_key: one, environment_key: default}]}\n")
    assert [(problem.file, problem.message) for problem in check_bundle(bundle)] == [
        (path, "task one: unknown environment_key 'defalt'; did you mean 'default'?")
    ]
    in_target(bundle, "prod", "jobs:\n  look: {tasks: [{task_key: one, environment_key: default}]}\n")
    assert said(bundle) == []


def test_a_job_that_only_a_target_defines_is_judged_for_that_target(bundle: Path):
    tasks = "[{task_key: one, depends_on: [{task_key: two}], notebook_task: {notebook_path: /x}}]"
    in_target(bundle, "dev", f"jobs:\n  rehearsal: {{name: x, tasks: {tasks}}}\n")
    assert said(bundle) == ["target dev: task one: depends on unknown task 'two'; there are: one"]


@pytest.mark.parametrize("key", ["rehearsal", "medallion_2"])
def test_a_whole_job_that_only_a_target_defines_is_no_problem_and_can_be_called_there(bundle: Path, key: str):
    whole = f"{key}: {{name: x, tasks: [{{task_key: one, notebook_task: {{notebook_path: /x}}}}]}}\n"
    call = f"call: {{tasks: [{{task_key: one, run_job_task: {{job_id: '${{resources.jobs.{key}.id}}'}}}}]}}\n"
    in_target(bundle, "dev", f"jobs:\n  {whole}  {call}")
    assert said(bundle) == []


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (
            "jobs:\n  medalion: {max_concurrent_runs: 2}\n",
            "overrides jobs.medalion, which nothing defines; did you mean",
        ),
        ("jobs:\n  unheard_of: {max_concurrent_runs: 2}\n", "overrides jobs.unheard_of, which nothing defines"),
        ("jobs:\n  medalion: {tasks: [{task_key: marts, max_retries: 2}]}\n", "overrides jobs.medalion, which nothing"),
        ("schemas:\n  glod: {comment: x}\n", "overrides schemas.glod, which nothing defines; did you mean 'gold'?"),
    ],
)
def test_a_misspelt_override_is_found(bundle: Path, override: str, says: str):
    in_target(bundle, "dev", override)
    assert [says in text for text in said(bundle)] == [True]


def test_jobs_that_run_each_other_are_found_once(bundle: Path):
    job(bundle, "a", "- {task_key: one, run_job_task: {job_id: '${resources.jobs.b.id}'}}\n")
    loop = "{inputs: '[1]', task: {task_key: two, run_job_task: {job_id: '${resources.jobs.a.id}'}}}"
    job(bundle, "b", f"- {{task_key: one, for_each_task: {loop}}}\n")
    job(bundle, "c", "- {task_key: one, run_job_task: {job_id: '${resources.jobs.b.id}'}}\n")
    assert check_bundle(bundle) == [
        Problem(bundle / "resources" / "a.job.yml", 6, "jobs run each other in a circle: a → b → a")
    ]


def test_a_job_that_runs_itself_is_found(bundle: Path):
    job(bundle, "a", "- {task_key: one, run_job_task: {job_id: '${resources.jobs.a.id}'}}\n")
    assert said(bundle) == ["jobs run each other in a circle: a → a"]


def test_a_circle_that_only_a_target_closes_is_found_there(bundle: Path):
    call = "{task_key: back, run_job_task: {job_id: '${resources.jobs.nightly.id}'}}"
    in_target(bundle, "prod", f"jobs:\n  training: {{tasks: [{call}]}}\n")
    assert said(bundle) == ["target prod: jobs run each other in a circle: nightly → training → nightly"]


@pytest.mark.parametrize(
    "environments",
    [
        "[{environment_key: default}]",
        "[{environment_key: default, spec: {}}]",
        "[{environment_key: default, spec: {dependencies: [pandas, finlakes==1.2]}}]",
    ],
)
def test_an_environment_without_the_wheel_is_found(bundle: Path, environments: str):
    path = job(bundle, "look", environments=environments)
    message = "task one: runs in environment 'default' without the wheel; add ../dist/*.whl to its dependencies"
    assert check_bundle(bundle) == [Problem(path, 7, message)]


@pytest.mark.parametrize(
    "environments",
    [
        *(
            f"[{{environment_key: default, spec: {{dependencies: ['{item}']}}}}]"
            for item in (
                "../dist/*.whl", "finlake==1.2", "FinLake[extra] >= 1", "finlake @ https://x.org/finlake.whl", "${var.conf}",
                "/Volumes/a/b/c/finlake.whl", "/Workspace/Shared/finlake.whl", "dbfs:/x/finlake.whl", "s3://x/finlake.whl",
                "abfss://x@y.net/finlake.whl", "-r ../requirements.txt", "../dist/finlake-${var.conf}-py3-none-any.whl",
                "../dist/finlake-[0-9]*.whl",
            )
        ),
        "[{environment_key: default, spec: {base_environment: /Workspace/base.yml}}]",
        "[{environment_key: default, spec: '${var.conf}'}]",
        "[{environment_key: default, spec: {dependencies: '${var.conf}'}}]",
        "${var.conf}",
    ],
)  # fmt: skip
def test_an_environment_that_has_or_can_have_the_wheel_is_no_problem(bundle: Path, environments: str):
    job(bundle, "look", environments=environments)
    assert said(bundle) == []


@pytest.mark.parametrize("extra", ["local", "jdk, local"])
def test_a_wheel_with_the_extra_that_installs_pyspark_is_found(bundle: Path, extra: str):
    job(
        bundle,
        "look",
        environments=f"[{{environment_key: default, spec: {{dependencies: ['../dist/*.whl[{extra}]']}}}}]",
    )
    assert said(bundle) == [f"'../dist/*.whl[{extra}]' installs pyspark, which stops a serverless session"]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ("[train, --use-case, card_fruad, --conf, x]", "unknown use case 'card_fruad'; did you mean 'card_fraud'?"),
        ("[train, --use-case=card_fruad, --conf, x]", "unknown use case 'card_fruad'; did you mean 'card_fraud'?"),
        ("[use-cases, --only, card_fruad, --conf, x]", "unknown use case 'card_fruad'; did you mean 'card_fraud'?"),
        ("[ingest, --source, card_transaction, --conf, x]", "unknown source 'card_transaction'; did you mean"),
        ("[marts, --target, prdo, --conf, x]", "unknown target 'prdo'; did you mean 'prod'?"),
    ],
)
def test_a_name_on_a_command_line_that_nothing_defines_is_found(bundle: Path, parameters: str, says: str):
    job(bundle, "look", ONE_TASK.replace("[marts, --conf, x]", parameters))
    assert [says in text for text in said(bundle)] == [True]


@pytest.mark.parametrize(
    "parameters",
    [
        "[train, --use-case, card_fraud, --target, dev, --conf, x]",
        "[ingest, --source, all, --target, '${bundle.target}', --conf, x]",
        "[ingest, --source, '{{job.name}}', --conf, x]",
        "[ingest, --source, theirs, --conf, /Volumes/their/conf]",
    ],
)
def test_a_name_on_a_command_line_that_is_defined_or_not_yet_known_is_no_problem(bundle: Path, parameters: str):
    job(bundle, "look", ONE_TASK.replace("[marts, --conf, x]", parameters))
    assert said(bundle) == []


def test_what_the_cli_fills_is_known_in_every_target(bundle: Path):
    names = [
        "bundle.git.commit", "bundle.git.branch", "bundle.git.origin_url", "bundle.uuid", "workspace.host",
        "workspace.profile", "workspace.artifact_path", "workspace.resource_path", "workspace.state_path",
        "workspace.current_user.id",
    ]  # fmt: skip
    path = bundle / "resources" / "more.schema.yml"
    comment = " ".join("${" + name + "}" for name in names)
    path.write_text(f"resources:\n  schemas:\n    more: {{catalog_name: x, name: more, comment: '{comment}'}}\n")
    assert said(bundle) == []
    resolved = load_bundle(bundle, "prod")
    assert resolved.resolve("${bundle.git.branch}") == "main"
    assert resolved.resolve("${workspace.state_path}").endswith("/.bundle/finlake/prod/state")
    change(path, "${workspace.host}", "${workspace.hots}")
    assert said(bundle, "unknown field 'hots'")


def test_a_workspace_for_all_targets_is_known_and_moves_no_local_run(bundle: Path):
    change(
        bundle / "databricks.yml",
        "\ntargets:\n",
        "\nworkspace:\n  host: https://x.org\n  root_path: /Shared\n\ntargets:\n",
    )
    assert load_bundle(bundle, "dev").resolve("${workspace.host}${workspace.file_path}") == "https://x.org/Shared/files"
    assert load_bundle(bundle, "local").resolve("${workspace.file_path}") == str(bundle)


@pytest.mark.parametrize(
    "whl", ["/Volumes/a/b/c/x.whl", "/Workspace/x.whl", "dbfs:/x.whl", "s3://b/x.whl", "${var.conf}"]
)
def test_a_library_that_lies_elsewhere_is_no_problem(bundle: Path, whl: str):
    change(bundle / "resources" / "training.job.yml", "- whl: ../dist/*.whl", f"- whl: {whl}")
    assert said(bundle) == []


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ("targets: [dev]\n", "targets must be a mapping of keys to values, got a list"),
        ("targets: dev\n", "targets must be a mapping of keys to values, got 'dev'"),
        ("targets:\n  dev: [x]\n", "targets.dev must be a mapping of keys to values, got a list"),
        ("", "there are no targets"),
    ],
)
def test_targets_of_another_form_are_one_problem_and_hide_no_other(bundle: Path, targets: str, says: str):
    path = bundle / "databricks.yml"
    text = path.read_text().partition("\ntargets:")[0] + "\n"
    path.write_text(text + targets)
    line = text.count("\n") + targets.count("\n") if targets else 1
    assert check_bundle(bundle) == [Problem(path, line, says)]
    change(
        bundle / "resources" / "medallion.job.yml",
        "- task_key: refine\n          env",
        "- task_key: refin\n          env",
    )
    change(bundle / "resources" / "morning.dashboard.yml", "./morning.lvdash", "./mornin.lvdash")
    change(bundle / "resources" / "nightly.job.yml", "resources.jobs.medallion.id", "resources.jobs.medalion.id")
    messages = said(bundle)
    assert len(messages) == 4
    for part in (says, "unknown task 'refin'", "there is no file './mornin.lvdash.json'", "unknown resource of jobs"):
        assert any(part in message for message in messages)
