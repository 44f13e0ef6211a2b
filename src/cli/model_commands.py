"""`finlake models`, `approve` and `rollback`: who decides, why, and since when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from finlake.cli.groups import Commands
from finlake.cli.options import Options, common


def _of_one(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--use-case", required=True, help="Whose model.")(command)


@click.group(cls=Commands)
def models() -> None:
    """Versions of models: what they are, how their gates judged them, and why one does not decide."""


@models.command("list")
@click.option("--use-case", default="all", show_default=True, help="One by name, or all.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@common
def list_models(options: Options, use_case: str, form: str) -> dict[str, Any]:
    """Lists versions with status, alias and what they measured on their test."""
    from finlake.cli.models import run_list

    return run_list(options, use_case, form)


@models.command()
@click.argument("version", required=False, default="")
@_of_one
@common
def describe(options: Options, version: str, use_case: str) -> dict[str, Any]:
    """Shows a version (default: the newest): its gates one by one, why it does not decide, and who moved it."""
    from finlake.cli.models import run_describe

    return run_describe(options, use_case, version)


@click.command()
@_of_one
@click.option("--version", default="", help="Which version [default: the challenger].")
@click.option("--by", required=True, metavar="NAME", help="Who says yes.")
@click.option("--reason", default="", help="Why; kept on record.")
@click.option("--revoke", is_flag=True, help="Take the approval back.")
@common
def approve(options: Options, use_case: str, **said: Any) -> dict[str, Any]:
    """The approver's yes to a version that passed its gates; a challenger that won is put in charge at once."""
    from finlake.cli.steps import run_named_step

    return run_named_step(options, "approve", {"use_case": use_case, **said})


@click.command()
@_of_one
@click.option("--to", default="", metavar="VERSION", help="Which version [default: the champion before].")
@click.option("--by", default="", metavar="NAME", help="Who decides it.")
@click.option("--reason", required=True, help="Why; kept on record.")
@common
def rollback(options: Options, use_case: str, **said: Any) -> dict[str, Any]:
    """Takes the champion out of charge and puts the one before it back. It is not promoted again by itself."""
    from finlake.cli.steps import run_named_step

    return run_named_step(options, "rollback", {"use_case": use_case, **said})


@click.command()
@click.option("--stage", type=click.Choice(["evaluation", "approval", "deployment"]), required=True, help="Which task.")
@click.option("--model-name", required=True, help="As registered: catalog.schema.name, or the name alone.")
@click.option("--model-version", default="", help="Which version [default: the newest].")
@common
def deployment(options: Options, **said: Any) -> dict[str, Any]:
    """A task of the deployment job: judges one version, asks for approval, or moves the aliases."""
    from finlake.cli.steps import run_named_step

    return run_named_step(options, "deployment", said)
