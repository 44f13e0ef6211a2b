"""Runs a job of the bundle on this machine: the same file, order, conditions, loops and parameters."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from finlake.cli.jobs.bundle import Bundle, load_bundle
from finlake.cli.jobs.conditions import holds
from finlake.cli.jobs.dynamic import Scope, checked_parameters, checked_values
from finlake.cli.jobs.graph import dependencies, order, verdict
from finlake.cli.jobs.isolate import TookTooLong, isolated, limited
from finlake.cli.jobs.result import JobResult, Status, TaskResult
from finlake.cli.jobs.state import RunState, new_run, reopened
from finlake.errors import FinlakeError, JobError

_LOG = logging.getLogger(__name__)
Execute = Callable[[list[str]], dict[str, Any]]
PACKAGE, ENTRY_POINTS = "finlake", ("finlake-job", "finlake")


class Listener:
    """Hears of every task; the default is silent."""

    def begin(self, path: str) -> None: ...

    def end(self, result: TaskResult) -> None: ...

    def retry(self, path: str, error: str, seconds: float) -> None: ...


def run_job(
    name: str,
    *,
    bundle_root: Path,
    execute: Execute,
    target: str = "local",
    parameters: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    repair: str | None = None,
    runs: Path | None = None,
    listener: Listener | None = None,
    sleep: Callable[[float], None] = time.sleep,
    record: Callable[[JobResult], None] | None = None,
) -> JobResult:
    """Runs the job `name` of the bundle in `bundle_root`; tasks run one after the other.

    Args:
        execute: gets a task's command line (`["ingest", "--source", …]`), returns its task values; raising is failing.
        parameters: job parameters, all text.
        variables: override the bundle's variables, like `--var` of the CLI.
        repair: id of an earlier run; what succeeded is not run again unless something it depends on is.
        runs: folder of the runs' states; without it nothing can be repaired.
        record: hears of the result however the run ended, also when this function raises.

    Raises:
        JobError, UnknownNameError: the job's file cannot be run; failing tasks do not raise, they are in the result.
    """
    bundle = load_bundle(bundle_root, target, dict(variables or {}))
    job = bundle.job(name)
    given = dict(parameters or {})
    declared = bundle.resolve(job.data.get("parameters") or [])
    if repair:
        state = reopened(repair, name, given, runs)
    else:
        state = new_run(name, checked_parameters(given, declared, name), runs)
    runner = Runner(bundle, execute, state, listener or Listener(), sleep)
    started = time.monotonic()
    ended_by = ""
    try:
        runner.job(name, dict(state.parameters), (), Nest())
    except BaseException as error:
        ended_by = str(error) or type(error).__name__
        raise
    finally:
        result = JobResult(state.run_id, name, list(state.tasks.values()), time.monotonic() - started, ended_by)
        if record is not None:
            record(result)
    return result


_LIMITS = ("max_retries", "min_retry_interval_millis", "timeout_seconds", "retry_on_timeout")


@dataclasses.dataclass(frozen=True)
class Nest:
    """Which jobs called this one, whether all of it must run because something before it ran anew, and until when."""

    callers: tuple[str, ...] = ()
    redo: bool = False
    until: float = math.inf
    limit: str = ""

    def limited(self, seconds: Any, who: str) -> Nest:
        """With the time limit of a job, loop or call, if it ends before the limits around it."""
        until = time.monotonic() + float(seconds) if seconds else math.inf
        return dataclasses.replace(self, until=until, limit=took_longer(who, seconds)) if until < self.until else self


@dataclasses.dataclass
class Runner:
    bundle: Bundle
    execute: Execute
    state: RunState
    listener: Listener
    sleep: Callable[[float], None]
    ran: list[str] = dataclasses.field(default_factory=list)

    def job(self, name: str, parameters: dict[str, Any], path: tuple[str, ...], nest: Nest) -> Status:
        """All tasks of one job; `failed` if any failed."""
        if name in nest.callers:
            raise JobError(f"jobs run each other: {' → '.join([*nest.callers, name])}")
        data = self.bundle.job(name).data
        nest = nest.limited(self.bundle.resolve(data.get("timeout_seconds")), f"job {name}")
        filled = checked_parameters(parameters, self.bundle.resolve(data.get("parameters") or []), name)
        scope = Scope(self.state.run_id, name, datetime.now(UTC).isoformat(timespec="seconds"), filled)
        before: dict[str, tuple[Status, str]] = {}
        fresh: set[str] = set()
        for task in order(data.get("tasks") or []):
            key = str(task["task_key"])
            try:
                left_out, why = verdict(task, before)
            except FinlakeError as error:
                left_out, why = "failed", str(error)
            if left_out is not None:
                self._note(TaskResult("/".join([*path, key]), name, key, left_out, error=why))
                before[key] = (left_out, "")
                scope.values[key] = {}
            else:
                again = nest.redo or bool(fresh & set(dependencies(task)))
                earlier = len(self.ran)
                inner = dataclasses.replace(nest, callers=(*nest.callers, name), redo=again)
                before[key] = self._task(task, scope, path, inner)
                if len(self.ran) > earlier:
                    fresh.add(key)
            scope.states[key] = before[key][0]
        failed = any(status in ("failed", "skipped") for status, _ in before.values())
        return "failed" if failed else "ok"

    def _task(
        self, task: Mapping[str, Any], scope: Scope, path: tuple[str, ...], nest: Nest, suffix: str = ""
    ) -> tuple[Status, str]:
        """Runs one task of any kind; gives its status and, for a condition, its outcome."""
        key = str(task["task_key"])
        label = "/".join([*path, key + suffix])
        task = {**task, **self.bundle.resolve({name: task[name] for name in _LIMITS if name in task})}
        if "for_each_task" in task or "run_job_task" in task:
            nest = nest.limited(task.get("timeout_seconds"), f"task {key}")
        if "for_each_task" in task:
            return self._each(task, scope, path, nest), ""
        if "run_job_task" in task:
            try:
                return self._call(task, scope, (*path, key + suffix), nest), ""
            except FinlakeError as error:
                self._note(TaskResult(label, scope.job, key + suffix, "failed", error=str(error)))
                return "failed", ""
        result = TaskResult(label, scope.job, key + suffix, "failed")
        outcome = ""
        earlier = None if nest.redo else self.state.done(label)
        if "condition_task" in task:
            outcome = self._condition(task, scope, result)
        elif earlier is not None:
            result = dataclasses.replace(earlier, reused=True)
        elif "python_wheel_task" in task:
            self._wheel(task, scope, result, nest)
        else:
            kinds = [name for name in task if name.endswith("_task")]
            result.error = f"{kinds[0] if kinds else 'a task without a kind'} does not run on this machine"
        if not suffix:
            scope.values[key] = result.values
        self._note(result)
        return result.status, outcome

    def _call(self, task: Mapping[str, Any], scope: Scope, path: tuple[str, ...], nest: Nest) -> Status:
        """Runs another job, and all of it again as often as max_retries says.

        Raises:
            JobError, UnknownNameError: that job, or how it is called, is wrong.
        """
        given = self._filled(task["run_job_task"], scope)
        kind, _, name = str(given.get("job_id")).partition(".")
        if kind != "jobs":
            raise JobError(f"job_id must be ${{resources.jobs.<name>.id}}, got {given.get('job_id')!r}")
        retries, pause = retry_limits(task)
        attempt = 1
        while True:
            status = self.job(name, dict(given.get("job_parameters") or {}), path, nest)
            if status != "failed" or 0 <= retries < attempt or time.monotonic() > nest.until:
                return status
            attempt, nest = attempt + 1, dataclasses.replace(nest, redo=True)
            self.listener.retry("/".join(path), f"job {name} failed", pause)
            self.sleep(pause)

    def _filled(self, value: Any, scope: Scope) -> Any:
        return scope.fill(self.bundle.resolve(value))

    def _each(self, task: Mapping[str, Any], scope: Scope, path: tuple[str, ...], nest: Nest) -> Status:
        """The nested task once for each input; one that fails does not stop the others."""
        key, loop = str(task["task_key"]), task["for_each_task"]
        label = "/".join([*path, key])
        scope.values[key] = {}
        try:
            text = self._filled(loop["inputs"], scope)
            inputs = json.loads(text) if isinstance(text, str) else text
            if not isinstance(inputs, list):
                raise JobError(f"for_each_task.inputs must be a JSON list, got {text!r}")
        except (FinlakeError, json.JSONDecodeError) as error:
            self._note(TaskResult(label, scope.job, key, "failed", error=str(error)))
            return "failed"
        if not inputs:
            self._note(TaskResult(label, scope.job, key, "ok", warnings=["nothing to loop over"]))
        nested = {**loop["task"], "task_key": key}
        statuses = []
        for item, name in zip(inputs, round_names(inputs), strict=True):
            inner = dataclasses.replace(scope, input=item, looping=True)
            statuses.append(self._task(nested, inner, path, nest, f"[{name}]")[0])
        return "failed" if "failed" in statuses else "ok"

    def _condition(self, task: Mapping[str, Any], scope: Scope, result: TaskResult) -> str:
        try:
            outcome = str(holds(self._filled(task["condition_task"], scope))).lower()
        except FinlakeError as error:
            result.error = str(error)
            return ""
        result.status, result.values = "ok", {"outcome": outcome}
        return outcome

    def _wheel(self, task: Mapping[str, Any], scope: Scope, result: TaskResult, nest: Nest) -> None:
        """Tries as often as max_retries says; what finlake refuses on purpose is not tried again."""
        if time.monotonic() > nest.until:
            result.error = f"not begun: {nest.limit}"
            return
        retries, pause = retry_limits(task)
        self.listener.begin(result.path)
        self.ran.append(result.path)
        started = time.monotonic()
        while True:
            scope = dataclasses.replace(scope, task=result.task, attempt=result.attempts)
            result.attempts += 1
            again = self._attempt(task, scope, result, nest)
            if result.status == "ok" or not again or 0 <= retries < result.attempts or time.monotonic() > nest.until:
                break
            self.listener.retry(result.path, result.error, pause)
            self.sleep(pause)
        result.seconds = time.monotonic() - started

    def _attempt(self, task: Mapping[str, Any], scope: Scope, result: TaskResult, nest: Nest) -> bool:
        """One try; True if another may help."""
        own = nest.limited(task.get("timeout_seconds"), "")
        try:
            argv = command_line(self._filled(task["python_wheel_task"], scope))
            with isolated(argv), limited(max(own.until - time.monotonic(), 0.001), own.limit):
                values = dict(self.execute(argv) or {})
            result.warnings = [str(text) for text in values.pop("warnings", None) or []]
            result.values = checked_values(values)
        except TookTooLong as error:
            result.error = str(error)
            return bool(task.get("retry_on_timeout")) and own is not nest
        except (FinlakeError, click.ClickException) as error:
            result.error = error.format_message() if isinstance(error, click.ClickException) else str(error)
            return False
        except SystemExit as error:
            result.error = f"the entry point ended the process with {error.code!r} instead of returning"
            return False
        except Exception as error:
            _LOG.debug("%s failed", result.path, exc_info=True)
            result.error = f"{type(error).__name__}: {error}"
            return True
        result.status, result.error = "ok", ""
        return False

    def _note(self, result: TaskResult) -> None:
        self.state.keep(result)
        self.listener.end(result)


def retry_limits(task: Mapping[str, Any]) -> tuple[int, float]:
    """How often to try again (below 0: without end), and seconds to wait before."""
    return int(task.get("max_retries") or 0), int(task.get("min_retry_interval_millis") or 0) / 1000


def took_longer(who: str, seconds: Any) -> str:
    return f"{who} took longer than timeout_seconds: {float(seconds):g}".strip()


def round_names(inputs: list[Any]) -> list[str]:
    """A name for each round of a loop; a repeated input is numbered, since results are kept by name."""
    names: dict[str, None] = {}
    for item in inputs:
        text = item if isinstance(item, str) else json.dumps(item)
        name, number = text, 1
        while name in names:
            number += 1
            name = f"{text}#{number}"
        names[name] = None
    return list(names)


def command_line(wheel: Mapping[str, Any]) -> list[str]:
    """The arguments a python_wheel_task hands to its entry point.

    Raises:
        JobError: another package or entry point, or an argument that is not text.
    """
    if wheel.get("package_name") != PACKAGE or wheel.get("entry_point") not in ENTRY_POINTS:
        asked = f"{wheel.get('package_name')}:{wheel.get('entry_point')}"
        raise JobError(f"this machine runs only finlake:finlake-job, not {asked}")
    named = wheel.get("named_parameters") or {}
    parameters = [*(wheel.get("parameters") or []), *(f"--{key}={value}" for key, value in named.items())]
    for item in parameters:
        if not isinstance(item, str):
            raise JobError(f"parameters must be text, got {item!r}; write it in quotes")
    return parameters
