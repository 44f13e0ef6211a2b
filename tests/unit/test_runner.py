"""The local runner on small bundles written here: order, loops, values, parameters, retries, repair, isolation."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from small_jobs import Bundle, Values, fail, refuse, states, task

from finlake.cli.jobs.command import key_values
from finlake.cli.jobs.show import summary
from finlake.errors import FinlakeError, JobError, UnknownNameError


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(tmp_path)


def test_tasks_run_after_what_they_depend_on(bundle: Bundle):
    bundle.job("main", [task("c", after=["b"]), task("b", after=["a"]), task("a")])
    assert bundle.run().ok
    assert bundle.ran == ["a", "b", "c"]


def test_tasks_that_wait_for_each_other_are_refused(bundle: Bundle):
    bundle.job("main", [task("a", after=["b"]), task("b", after=["a"])])
    with pytest.raises(JobError, match="wait for each other: a, b"):
        bundle.run()


def test_an_unknown_job_names_the_nearest(bundle: Bundle):
    bundle.job("nightly", [task("a")])
    with pytest.raises(UnknownNameError, match="did you mean 'nightly'"):
        bundle.run("nightli")


def test_variables_follow_target_default_and_override(bundle: Bundle):
    bundle.job("main", [task("say", "say", "${var.nest}", "${bundle.target}", "${workspace.file_path}/conf")])
    bundle.run()
    bundle.run(variables={"who": "you"})
    bundle.run(target="dev")
    assert bundle.calls[0] == ["say", "me!", "local", f"{bundle.folder}/conf"]
    assert bundle.calls[1][1] == "you!"
    assert bundle.calls[2][1:3] == ["nobody!", "dev"]


def test_a_variable_that_leads_back_to_itself_is_refused(bundle: Bundle):
    bundle.job("main", [task("say", "say", "${var.who}")])
    result = bundle.run(variables={"who": "${var.nest}"})
    assert "leads back to itself" in result.tasks[0].error


def test_job_parameters_reach_tasks_and_nested_jobs(bundle: Bundle):
    bundle.job(
        "inner",
        [task("say", "say", "{{job.parameters.day}}", "{{job.name}}")],
        parameters=[{"name": "day", "default": "-"}],
    )
    call = {"job_id": "${resources.jobs.inner.id}", "job_parameters": {"day": "{{job.parameters.day}}"}}
    bundle.job("main", [{"task_key": "call", "run_job_task": call}], parameters=[{"name": "day", "default": "monday"}])
    bundle.run()
    result = bundle.run(parameters={"day": "friday"})
    assert bundle.ran == ["say monday inner", "say friday inner"]
    assert states(result) == {"call/say": "ok"}


@pytest.mark.parametrize(("given", "says"), [({"dya": "x"}, "did you mean 'day'"), ({"day": 3}, "must be text, got 3")])
def test_parameters_are_declared_and_text(bundle: Bundle, given: Values, says: str):
    bundle.job("main", [task("a")], parameters=[{"name": "day", "default": ""}])
    with pytest.raises(FinlakeError, match=says):
        bundle.run(parameters=given)


def test_a_number_among_a_tasks_parameters_is_refused(bundle: Bundle):
    bundle.job("main", [task("a", "a", 5)])
    assert "must be text, got 5" in bundle.run().tasks[0].error


def test_a_loop_runs_for_each_value_an_earlier_task_set(bundle: Bundle):
    loop = {"inputs": "{{tasks.names.values.found}}", "task": task("one", "one", "{{input}}")}
    bundle.job(
        "main", [task("names"), {"task_key": "each", "depends_on": [{"task_key": "names"}], "for_each_task": loop}]
    )
    bundle.steps["names"] = lambda: {"found": ["x", "y"]}
    assert states(bundle.run()) == {"names": "ok", "each[x]": "ok", "each[y]": "ok"}
    assert bundle.ran == ["names", "one x", "one y"]


def test_a_loop_goes_on_after_a_failure_and_then_counts_as_failed(bundle: Bundle):
    loop = {"inputs": '["x", "y"]', "task": task("one", "one", "{{input}}")}
    bundle.job("main", [{"task_key": "each", "for_each_task": loop}, task("after", after=["each"])])
    bundle.steps["one"] = lambda name: fail() if name == "x" else {}
    assert states(bundle.run()) == {"each[x]": "failed", "each[y]": "ok", "after": "skipped"}


def test_a_loop_over_objects_reaches_their_fields_and_over_jobs_runs_them(bundle: Bundle):
    bundle.job("inner", [task("say", "say", "{{job.parameters.n}}")], parameters=[{"name": "n", "default": ""}])
    call = {"job_id": "${resources.jobs.inner.id}", "job_parameters": {"n": "{{input.n}}"}}
    loop = {"inputs": '[{"n": 1}, {"n": 2}]', "task": {"task_key": "one", "run_job_task": call}}
    bundle.job("main", [{"task_key": "each", "for_each_task": loop}])
    assert bundle.run().ok
    assert bundle.ran == ["say 1", "say 2"]


def test_an_empty_loop_is_a_warning(bundle: Bundle):
    bundle.job("main", [{"task_key": "each", "for_each_task": {"inputs": "[]", "task": task("one")}}])
    assert bundle.run().warnings == ["each: nothing to loop over"]


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ({"op": "EQUAL_TO", "left": "12.0", "right": "12"}, "no"),
        ({"op": "NOT_EQUAL", "left": "a", "right": "b"}, "yes"),
        ({"op": "GREATER_THAN", "left": "{{tasks.count.values.rows}}", "right": "9"}, "yes"),
        ({"op": "LESS_THAN_OR_EQUAL", "left": "{{tasks.count.values.rows}}", "right": "9"}, "no"),
    ],
)
def test_a_condition_takes_one_branch(bundle: Bundle, condition: Values, taken: str):
    branch = {outcome: [{"task_key": "many", "outcome": outcome}] for outcome in ("true", "false")}
    bundle.job(
        "main",
        [
            task("count"),
            {"task_key": "many", "depends_on": [{"task_key": "count"}], "condition_task": condition},
            task("yes", after=branch["true"]),
            task("no", after=branch["false"]),
            task("end", after=["yes", "no"], run_if="NONE_FAILED"),
        ],
    )
    bundle.steps["count"] = lambda: {"rows": 10}
    result = bundle.run()
    assert result.ok
    assert bundle.ran == ["count", taken, "end"]
    assert states(result)["no" if taken == "yes" else "yes"] == "excluded"


@pytest.mark.parametrize(
    ("run_if", "good", "mixed", "bad"),
    [
        ("ALL_SUCCESS", "ok", "skipped", "skipped"),
        ("AT_LEAST_ONE_SUCCESS", "ok", "ok", "skipped"),
        ("NONE_FAILED", "ok", "skipped", "skipped"),
        ("ALL_DONE", "ok", "ok", "ok"),
        ("AT_LEAST_ONE_FAILED", "excluded", "ok", "ok"),
        ("ALL_FAILED", "excluded", "excluded", "ok"),
    ],
)
def test_run_if_decides_as_a_workspace_does(bundle: Bundle, run_if: str, good: str, mixed: str, bad: str):
    bundle.job("main", [task("a"), task("b"), task("c", after=["a", "b"], run_if=run_if)])
    found = []
    for broken in ([], ["a"], ["a", "b"]):
        bundle.steps = dict.fromkeys(broken, fail)
        found.append(states(bundle.run())["c"])
    assert found == [good, mixed, bad]


def test_a_failure_skips_what_depends_on_it_with_the_reason(bundle: Bundle):
    bundle.job("main", [task("a"), task("b", after=["a"]), task("c", after=["b"])])
    bundle.steps["a"] = fail
    result = bundle.run()
    assert not result.ok
    assert [(item.status, item.error) for item in result.tasks] == [
        ("failed", "RuntimeError: broken"),
        ("skipped", "a did not succeed"),
        ("skipped", "b did not succeed"),
    ]
    assert result.counts() == "0 of 3 tasks ok"


def test_retries_wait_and_stop_at_the_first_success(bundle: Bundle):
    bundle.job("main", [task("a", max_retries=3, min_retry_interval_millis=2000)])
    waits: list[float] = []
    outcomes = iter([fail, fail, dict])
    bundle.steps["a"] = lambda: next(outcomes)()
    result = bundle.run(sleep=waits.append)
    assert (result.ok, result.tasks[0].attempts, waits) == (True, 3, [2.0, 2.0])


def test_retries_end(bundle: Bundle):
    bundle.job("main", [task("a", max_retries=2)])
    bundle.steps["a"] = fail
    assert (bundle.run().tasks[0].attempts, bundle.run().ok) == (3, False)


def test_what_is_refused_on_purpose_is_not_tried_again(bundle: Bundle):
    bundle.job("main", [task("a", max_retries=2)])
    bundle.steps["a"] = refuse
    result = bundle.run()
    assert (result.tasks[0].attempts, result.tasks[0].error) == (1, "the file is wrong")


def test_a_task_that_takes_too_long_is_stopped(bundle: Bundle):
    bundle.job("main", [task("a", timeout_seconds=1), task("b", after=["a"])])
    bundle.steps["a"] = lambda: time.sleep(20)
    began = time.monotonic()
    result = bundle.run()
    assert time.monotonic() - began < 10
    assert [item.error for item in result.tasks] == ["took longer than timeout_seconds: 1", "a did not succeed"]


def test_a_task_that_swallows_every_error_is_stopped_all_the_same(bundle: Bundle):
    def stubborn() -> None:
        try:
            time.sleep(20)
        except Exception:
            time.sleep(20)

    bundle.job("main", [task("a", timeout_seconds=1)])
    bundle.steps["a"] = stubborn
    assert bundle.run().tasks[0].status == "failed"


def test_a_step_that_exits_fails_as_in_a_workspace(bundle: Bundle):
    bundle.job("main", [task("a")])
    bundle.steps["a"] = sys.exit
    assert bundle.run().tasks[0].error == "the entry point ended the process with None instead of returning"


@pytest.mark.parametrize(
    ("value", "says"), [("x" * 50_000, "50,002 bytes, the most is 49,152"), ({1, 2}, "cannot be written as JSON")]
)
def test_task_values_are_small_json(bundle: Bundle, value: Any, says: str):
    bundle.job("main", [task("a")])
    bundle.steps["a"] = lambda: {"v": value}
    assert says in bundle.run().tasks[0].error


def test_a_value_no_task_set_is_named(bundle: Bundle):
    bundle.job("main", [task("a"), task("b", "b", "{{tasks.a.values.rowz}}", after=["a"])])
    bundle.steps["a"] = lambda: {"rows": 3}
    assert "unknown task value 'rowz'" in bundle.run().tasks[1].error
    assert "did you mean 'rows'" in bundle.run().tasks[1].error


def test_other_kinds_of_task_are_refused_by_name(bundle: Bundle):
    bundle.job("main", [{"task_key": "look", "notebook_task": {"notebook_path": "x"}}])
    assert bundle.run().tasks[0].error == "notebook_task does not run on this machine"


def test_warnings_are_counted_and_repeated_last(bundle: Bundle):
    bundle.job("main", [task("a"), task("b")])
    bundle.steps["a"] = lambda: {"warnings": ["3 rows look odd"], "rows": 5}
    result = bundle.run()
    lines = summary(result).splitlines()
    assert lines[0] == "warning: a: 3 rows look odd"
    assert lines[-1].endswith("2 of 2 tasks ok, 1 warning")
    assert result.tasks[0].values == {"rows": 5}


def test_repair_runs_only_what_did_not_succeed_and_what_depends_on_it(bundle: Bundle):
    bundle.job(
        "main", [task("a"), task("b", after=["a"]), task("c", "c", "{{tasks.a.values.n}}", after=["b"]), task("d")]
    )
    bundle.steps |= {"a": lambda: {"n": "7"}, "b": fail}
    first = bundle.run()
    bundle.steps["b"], before = dict, len(bundle.calls)
    repaired = bundle.run(repair=first.run_id)
    assert bundle.ran[before:] == ["b", "c 7"]
    assert repaired.run_id == first.run_id
    assert repaired.counts() == "4 of 4 tasks ok"


def test_repair_runs_again_what_came_after_a_repaired_task(bundle: Bundle):
    bundle.job("main", [task("a"), task("end", after=["a"], run_if="ALL_DONE")])
    bundle.steps["a"] = fail
    first = bundle.run()
    bundle.steps["a"], before = dict, len(bundle.calls)
    bundle.run(repair=first.run_id)
    assert bundle.ran[before:] == ["a", "end"]


def test_repair_of_a_loop_keeps_the_rounds_that_succeeded(bundle: Bundle):
    bundle.job(
        "main",
        [{"task_key": "each", "for_each_task": {"inputs": '["x", "y"]', "task": task("one", "one", "{{input}}")}}],
    )
    bundle.steps["one"] = lambda name: fail() if name == "x" else {}
    first = bundle.run()
    bundle.steps, before = {}, len(bundle.calls)
    assert bundle.run(repair=first.run_id).ok
    assert bundle.ran[before:] == ["one x"]


def test_repair_keeps_the_parameters_and_refuses_others(bundle: Bundle):
    bundle.job("main", [task("a", "a", "{{job.parameters.day}}")], parameters=[{"name": "day", "default": "-"}])
    bundle.steps["a"] = fail
    first = bundle.run(parameters={"day": "monday"})
    bundle.run(repair=first.run_id)
    assert bundle.ran == ["a monday", "a monday"]
    with pytest.raises(JobError, match="'day' was 'monday'"):
        bundle.run(repair=first.run_id, parameters={"day": "friday"})
    with pytest.raises(UnknownNameError, match="unknown run 'nothing'"):
        bundle.run(repair="nothing")


def test_a_killed_run_can_be_repaired(bundle: Bundle):
    """The state is on disk after each task, so an end that nothing catches loses no finished one."""

    class Killed(BaseException):
        pass

    def killed() -> None:
        raise Killed

    bundle.job("main", [task("a"), task("b", after=["a"])])
    bundle.steps["b"] = killed
    with pytest.raises(Killed):
        bundle.run()
    (state,) = (bundle.folder / "runs").glob("*.json")
    bundle.steps, before = {}, len(bundle.calls)
    assert bundle.run(repair=state.stem).ok
    assert bundle.ran[before:] == ["b"]


def test_what_a_task_leaves_behind_is_put_back(bundle: Bundle, tmp_path: Path):
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level

    def messy() -> None:
        os.chdir("/")
        os.environ["LEFT_BEHIND"] = "1"
        del os.environ["PATH"]
        sys.argv = ["other"]
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger().addHandler(logging.NullHandler())
        raise RuntimeError("and fails")

    folder, path, argv = os.getcwd(), os.environ["PATH"], list(sys.argv)
    bundle.job("main", [task("a")])
    bundle.steps["a"] = messy
    bundle.run()
    assert (os.getcwd(), os.environ["PATH"], sys.argv) == (folder, path, argv)
    assert "LEFT_BEHIND" not in os.environ
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)


def test_a_step_sees_its_own_command_line(bundle: Bundle):
    bundle.job("main", [task("a", "a", "--x", "1")])
    seen: list[list[str]] = []
    bundle.steps["a"] = lambda *rest: seen.append(list(sys.argv))
    bundle.run()
    assert seen == [["finlake", "a", "--x", "1"]]


def test_parameters_on_the_command_line_are_pairs():
    assert key_values(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    with pytest.raises(JobError, match="KEY=VALUE, got 'a'"):
        key_values(["a"])
