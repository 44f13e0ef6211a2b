"""Mistakes that only come up while a job runs: in a nested job, in a loop, in the order of tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_jobs import Bundle, Values, fail, states, task

from finlake.cli.jobs import JobResult
from finlake.errors import JobError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path)


@pytest.mark.parametrize(
    ("tasks", "call", "says"),
    [
        ([{"task_key": "back", "run_job_task": {"job_id": "${resources.jobs.main.id}"}}], {}, "main → inner → main"),
        ([task("a", after=["b"]), task("b", after=["a"])], {}, "wait for each other: a, b"),
        ([task("a"), task("b", after=["a"], run_if="ALL_GOOD")], {}, "unknown run_if 'ALL_GOOD'"),
        ([task("a")], {"job_parameters": {"day": "x"}}, "unknown parameter 'day'"),
        ([task("a")], {"job_parameters": {"day": "{{tasks.first.values.rows}}"}}, "unknown task value 'rows'"),
        ([task("a")], {"job_id": "7"}, "job_id must be"),
    ],
)
def test_a_mistake_in_a_nested_job_fails_its_task_and_is_recorded(
    bundle: Bundle, tasks: list[Values], call: Values, says: str
):
    nested = {"job_id": "${resources.jobs.inner.id}", **call}
    bundle.job("inner", tasks)
    bundle.job(
        "main",
        [task("first"), {"task_key": "call", "depends_on": [{"task_key": "first"}], "run_job_task": nested}, task("z")],
    )
    recorded: list[JobResult] = []
    result = bundle.run(record=recorded.append)
    assert recorded == [result]
    assert not result.ok
    assert [says in item.error for item in result.tasks if item.status == "failed"] == [True]
    assert "z" in bundle.ran


def test_a_run_that_ends_in_an_error_is_recorded_as_failed(bundle: Bundle):
    bundle.job("main", [task("a", after=["b"]), task("b", after=["a"])])
    recorded: list[JobResult] = []
    with pytest.raises(JobError):
        bundle.run(record=recorded.append)
    assert [(result.ok, result.error) for result in recorded] == [(False, "tasks wait for each other: a, b")]


def test_two_tasks_with_one_key_are_refused(bundle: Bundle):
    bundle.job("main", [task("a", "one"), task("a", "two")])
    with pytest.raises(JobError, match="two tasks have the task_key 'a'"):
        bundle.run()


def test_rounds_with_equal_inputs_are_told_apart(bundle: Bundle):
    loop = {"inputs": '["x", "x#2", "x", 1, 1]', "task": task("one", "one", "{{input}}")}
    bundle.job("main", [{"task_key": "each", "for_each_task": loop}])
    outcomes = iter([fail, dict, dict, dict, dict])
    bundle.steps["one"] = lambda name: next(outcomes)()
    result = bundle.run()
    assert list(states(result)) == ["each[x]", "each[x#2]", "each[x#3]", "each[1]", "each[1#2]"]
    assert (result.ok, states(result)["each[x]"]) == (False, "failed")
