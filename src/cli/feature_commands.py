"""What `finlake features` can do besides building: list, describe, plan, verify, answer, audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO

import click

from finlake.cli.groups import Commands
from finlake.cli.options import Options, common


def with_commands(build: click.Command) -> click.Command:
    """The step `features` as a command that also has commands of its own."""
    group = Commands("features", params=build.params, help=build.help, invoke_without_command=True)
    group.callback = _unless_asked_more(build.callback)
    for command in (list_features, describe, audit, plan, build_features, backfill, answer, verify):
        group.add_command(command)
    return group


def _of_use_case(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--use-case", default="all", show_default=True, help="One by name, or all.")(command)


def _unless_asked_more(build: Callable[..., Any] | None) -> Callable[..., Any]:
    """The step itself, where no command of its own follows."""

    @click.pass_context
    def run(context: click.Context, /, **given: Any) -> Any:
        if context.invoked_subcommand is None and build is not None:
            return build(**given)
        return None

    return run


@click.command("list")
@_of_use_case
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@common
def list_features(options: Options, use_case: str, form: str) -> dict[str, Any]:
    """Lists features with unit and meaning."""
    from finlake.cli.features import run_list

    return run_list(options, use_case, form)


@click.command()
@click.argument("feature")
@_of_use_case
@common
def describe(options: Options, feature: str, use_case: str) -> dict[str, Any]:
    """Shows a feature's definition and every column it comes from."""
    from finlake.cli.features import run_describe

    return run_describe(options, feature, use_case)


@click.command()
@_of_use_case
@common
def audit(options: Options, use_case: str) -> dict[str, Any]:
    """Looks for features that know what was not known at the decision; builds nothing."""
    from finlake.cli.features import run_audit

    return run_audit(options, use_case)


@click.command()
@_of_use_case
@common
def plan(options: Options, use_case: str) -> dict[str, Any]:
    """Says what a build would compute, and why; builds nothing."""
    from finlake.cli.features import run_plan

    return run_plan(options, use_case)


@click.command("build")
@_of_use_case
@common
def build_features(options: Options, use_case: str) -> dict[str, Any]:
    """Computes the decisions that news touches; the same as `finlake features`."""
    from finlake.cli.steps import run_named_step

    return run_named_step(options, "features", {"use_case": use_case, "rebuild": False})


@click.command()
@_of_use_case
@common
def backfill(options: Options, use_case: str) -> dict[str, Any]:
    """Computes every decision of the past again; the same as `finlake features --rebuild`."""
    from finlake.cli.steps import run_named_step

    return run_named_step(options, "features", {"use_case": use_case, "rebuild": True})


@click.command()
@click.argument("row", type=click.File(encoding="utf-8"))
@click.option("--use-case", required=True, help="Whose features.")
@common
def answer(options: Options, row: TextIO, use_case: str) -> dict[str, Any]:
    """Features of one row (a JSON file, or - for standard input) from the online store, without Spark."""
    from finlake.cli.features import run_answer

    return run_answer(options, row, use_case)


@click.command()
@_of_use_case
@click.option("--rows", default=40, show_default=True, help="Decisions to compare, for each use case.")
@common
def verify(options: Options, use_case: str, rows: int) -> dict[str, Any]:
    """Recomputes decisions in batch, in steps, as a stream and online, and compares all with brute force."""
    from finlake.cli.features import run_verify

    return run_verify(options, use_case, rows)
