"""Time limits of jobs and loops, retries of called jobs and of processes, and what is refused before Spark starts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from small_jobs import Bundle, fail, task

from finlake.cli.jobs.command import run_for
from finlake.cli.jobs.processes import CrashError, Processes
from finlake.cli.options import Options
from finlake.errors import JobError, UnknownNameError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path)


def test_a_job_a_loop_and_a_called_job_have_their_time(bundle: Bundle):
    bundle.job("main", [task("a"), task("b"), task("c")], timeout_seconds=1)
    bundle.steps["a"] = lambda: time.sleep(0.6)
    bundle.steps["b"] = lambda: time.sleep(20)
    late = "job main took longer than timeout_seconds: 1"
    assert [item.error for item in bundle.run().tasks] == ["", late, f"not begun: {late}"]
    loop = {"inputs": '["x", "y"]', "task": task("n", "b")}
    call = {"run_job_task": {"job_id": "${resources.jobs.main.id}"}, "timeout_seconds": 1}
    bundle.job("main", [{"task_key": "each", "for_each_task": loop, "timeout_seconds": 1, "max_retries": 3}])
    errors = [item.error for item in bundle.run().tasks]
    assert errors == ["task each took longer than timeout_seconds: 1", f"not begun: {errors[0]}"]
    bundle.job("main", [task("b", max_retries=3)])
    bundle.job("outer", [{"task_key": "inner", **call}])
    result = bundle.run("outer").tasks[0]
    assert (result.error, result.attempts) == ("task inner took longer than timeout_seconds: 1", 1)


def test_a_job_that_another_calls_is_tried_again_as_a_whole(bundle: Bundle):
    bundle.job("main", [task("a"), task("b", after=["a"])])
    call = {
        "run_job_task": {"job_id": "${resources.jobs.main.id}"},
        "max_retries": 2,
        "min_retry_interval_millis": 3000,
    }
    bundle.job("outer", [{"task_key": "inner", **call}, task("c", after=["inner"])])
    outcomes = iter([fail, dict])
    bundle.steps["b"] = lambda: next(outcomes)()
    waits: list[float] = []
    result = bundle.run("outer", sleep=waits.append)
    assert (result.ok, waits, bundle.ran) == (True, [3.0], ["a", "b", "a", "b", "c"])


def test_a_process_that_crashes_is_tried_again_and_one_that_refuses_is_not(tmp_path: Path):
    processes = Processes([])
    with pytest.raises(JobError, match="there is no command 'ingst'"):
        processes(["ingst"])
    with pytest.raises(CrashError, match="ended with -9"):
        Processes([], python=str(script(tmp_path, "kill -9 $$")))(["ingest"])


def script(folder: Path, text: str) -> Path:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("job", "given", "repair", "says"),
    [
        ("nightlly", {}, None, "did you mean 'nightly'"),
        ("training", {"use_case": "card_fruad"}, None, "did you mean 'card_fraud'"),
        ("medallion", {"source": "payment"}, None, "unknown source 'payment'"),
        ("nightly", {"as_off": "2025-01-01"}, None, "did you mean 'as_of'"),
        ("nightly", {}, "nope", "unknown run 'nope'"),
    ],
)
def test_what_is_misspelt_is_said_before_a_lake_is_made(
    tmp_path: Path, job: str, given: dict[str, str], repair: str | None, says: str
):
    options = Options(ROOT / "conf", str(tmp_path / "lake"), None, "local", None, None, True, False)
    with pytest.raises(UnknownNameError, match=says):
        run_for(options, job, given, repair=repair, bundle=ROOT)
    assert not (tmp_path / "lake").exists()
