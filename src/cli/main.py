"""The `finlake` command. Heavy imports happen inside commands, so that --help answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from finlake.cli.feature_commands import with_commands
from finlake.cli.groups import Commands
from finlake.cli.model_commands import approve, deployment, models, rollback
from finlake.cli.options import Options, common
from finlake.errors import FinlakeError
from finlake.pipelines.registry import AGAIN, REBUILDS, STEPS, VERIFY


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="finlake")
def cli() -> None:
    """finlake: from raw files to explained scores in Delta, on a laptop and on Databricks.

    Begin with `finlake demo`, then `finlake draft FILE` for a table of your own.
    """


@cli.command()
@click.option("--payments", default=510_000, show_default=True, help="Card payments to generate.")
@click.option("--loans", default=60_000, show_default=True, help="Loans to generate.")
@click.option(
    "--seed",
    default=7,
    show_default=True,
    help="The same seed gives the same data, model and scores.",
)
@common
def demo(options: Options, payments: int, loans: int, seed: int) -> dict[str, Any]:
    """Generates data, runs the nightly job, and shows what came out."""
    from finlake.cli.demo import run_demo

    return run_demo(options, payments=payments, loans=loans, seed=seed)


@cli.command()
@click.option("--accounts", default=5_000, show_default=True, help="Accounts of the bank.")
@click.option("--transfers", default=200_000, show_default=True, help="Transfers to generate, about.")
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same files.")
@common
def simulate(options: Options, accounts: int, transfers: int, seed: int) -> dict[str, Any]:
    """Writes the files of a bank with laundering, for --conf examples/laundering."""
    from finlake.cli.simulate import run_simulate

    return run_simulate(options, accounts=accounts, transfers=transfers, seed=seed)


@cli.command()
@click.argument("job")
@click.option(
    "--param",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="A job parameter; may be repeated.",
)
@click.option(
    "--repair",
    metavar="RUN",
    help="Run again only what failed or was skipped in this run.",
)
@click.option(
    "--each-task-a-process",
    is_flag=True,
    help="Run every task as a process of its own.",
)
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Folder of databricks.yml [default: found upwards].",
)
@common
def run(
    options: Options,
    job: str,
    parameters: tuple[str, ...],
    repair: str | None,
    each_task_a_process: bool,
    bundle: Path | None,
) -> dict[str, Any]:
    """Runs a job of the bundle (medallion, training, batch_scoring, nightly) on this machine."""
    from finlake.cli.jobs import run_command

    return run_command(
        options,
        job,
        parameters=parameters,
        repair=repair,
        each_task_a_process=each_task_a_process,
        bundle=bundle,
    )


@cli.command()
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="Folder of databricks.yml [default: found upwards].",
)
@common
def check(options: Options, bundle: Path | None) -> dict[str, Any]:
    """Reads all of conf/ and the bundle, resolves every name, and lists all problems with file and line."""
    from finlake.cli.check import run_check

    return run_check(options, bundle)


@cli.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
)
@click.option("--limit", default=1000, show_default=True, help="Most rows to print.")
@common
def sql(options: Options, query: str | None, form: str, limit: int) -> dict[str, Any]:
    """Queries the lake; without a query, lists its tables and views."""
    from finlake.cli.sql import run_sql

    return run_sql(options, query, form, limit)


@cli.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of the report [default: <lake>/report].",
)
@common
def report(options: Options, out: Path | None) -> dict[str, Any]:
    """Writes the offline HTML report: quality, models, gates, queue."""
    from finlake.cli.report import run_report

    return run_report(options, out)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the source [default: from the file's name].")
@click.option(
    "--write",
    is_flag=True,
    help="Write into conf/ instead of printing.",
)
@click.option("--use-case", metavar="COLUMN", help="Also draft features and a use case that predicts this column.")
@common
def draft(options: Options, file: Path, name: str | None, write: bool, use_case: str | None) -> dict[str, Any]:
    """Proposes a contract from a file: format, types, key, clocks, expectations."""
    from finlake.cli.draft import run_draft

    return run_draft(options, file, name, write, use_case)


@cli.command()
@click.option("--deep", is_flag=True, help="Also start Spark and write a Delta table.")
@common
def doctor(options: Options, deep: bool) -> dict[str, Any]:
    """Tests what this machine lacks, and says how to mend it."""
    from finlake.cli.doctor import run_doctor

    return run_doctor(options, deep)


@cli.command()
@click.option("--use-case", required=True, help="Whose decisions.")
@click.option("--decision", "keys", multiple=True, required=True, metavar="KEY", help="A decision; may be repeated.")
@common
def reasons(options: Options, use_case: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Says why any scored decision got its score, also where nobody acted on it."""
    from finlake.cli.reasons import run_reasons

    return run_reasons(options, use_case, keys)


def _step_command(name: str, argument: str | None, about: str) -> click.Command:
    def command(options: Options, **arguments: Any) -> dict[str, Any]:
        from finlake.cli.steps import run_named_step

        return run_named_step(options, name, arguments)

    made: Callable[..., Any] = common(command)
    if argument:
        flag = "--" + argument.replace("_", "-")
        made = click.option(flag, default="all", show_default=True, help="One by name, or all.")(made)
    if name in REBUILDS:
        made = click.option("--rebuild", is_flag=True, help=REBUILDS[name])(made)
    if name == "train":
        made = click.option("--verify", is_flag=True, help=VERIFY)(made)
    if name == "ingest":
        made = click.option("--again", default="", metavar="PATTERN", help=AGAIN)(made)
    return click.command(name=name, help=f"Step: {about}")(made)


for _name, (_argument, _about) in STEPS.items():
    cli.add_command(_step_command(_name, _argument, _about))


cli.add_command(with_commands(cli.commands["features"]))
for _command in (models, approve, rollback, deployment):
    cli.add_command(_command)


def execute(argv: list[str]) -> dict[str, Any]:
    """Runs one command in this process and returns its values; errors are raised, nothing exits."""
    result = cli.main(args=argv, prog_name="finlake", standalone_mode=False)
    return result if isinstance(result, dict) else {}


def job() -> None:
    """Entry point of the bundle's tasks: returns or raises, so that a workspace sees the error itself."""
    from finlake.workspace.task_values import publish_values

    publish_values(execute(sys.argv[1:]))


def console() -> None:
    """The `finlake` command: one clear message for errors a user can act on, and exit code 2."""
    began = datetime.now(UTC)
    try:
        values = execute(sys.argv[1:])
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except KeyboardInterrupt:
        click.echo(
            f"stopped after {(datetime.now(UTC) - began).seconds} s; run it again to go on",
            err=True,
        )
        sys.exit(130)
    except FinlakeError as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        click.echo(
            f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            err=True,
        )
        click.echo("this is a fault of finlake or its set-up; --debug shows where", err=True)
        sys.exit(1)
    sys.exit(values.get("exit_code", 0))
