"""`finlake check`: all problems of conf/ and the bundle at once, with file and line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from finlake.cli.options import Options
from finlake.config import Config, Problem, survey
from finlake.config.check import check_config


def run_check(options: Options, bundle: Path | None) -> dict[str, Any]:
    """Prints a line for each problem, then what was read; exit code 2 if anything is wrong."""
    config = survey(options.conf, options.target, options.tenant)
    problems = all_problems(config, bundle)
    for problem in problems:
        click.echo(shown(problem))
    counts = ", ".join(
        f"{len(found)} {word}{'' if len(found) == 1 else 's'}"
        for word, found in (
            ("source", config.sources),
            ("network", config.networks),
            ("mart", config.marts),
            ("feature group", config.groups),
            ("use case", config.use_cases),
        )
        if found or word != "network"
    )
    if problems:
        click.echo(
            f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in {options.conf}: {counts} could be read"
        )
    elif not config.sources:
        click.echo(f"{counts}: nothing to do yet; `finlake draft FILE --write` proposes the first source")
    else:
        click.echo(f"{counts}: all names resolve")
    return {"problems": len(problems), "exit_code": 2 if problems else 0}


def all_problems(config: Config, bundle: Path | None) -> list[Problem]:
    """Configuration first, then the bundle: the one given, else the one in or above the configuration's folder."""
    from finlake.cli.jobs import check_bundle, find_bundle
    from finlake.cli.jobs.bundle import ROOT_FILE
    from finlake.features.check import check_features

    problems = check_config(config)
    for more in (_rules(config), check_features(config)):
        problems += _not_said(more, problems)
    problems.sort(key=lambda problem: (str(problem.file), problem.line or 0))
    if bundle is not None or any((folder / ROOT_FILE).is_file() for folder in config.root.parents):
        problems += check_bundle(find_bundle(config.root, bundle))
    return problems


def _not_said(more: list[Problem], said: list[Problem]) -> list[Problem]:
    """A mistake that two checks see is shown once: the second is left out where its line is already named."""
    places = {(problem.file, problem.line) for problem in said}
    return [problem for problem in more if (problem.file, problem.line) not in places]


def _rules(config: Config) -> list[Problem]:
    """What is wrong with the expectations of the contracts."""
    from finlake.contracts.check_contract import check_expectations

    return [
        config.problem("source", name, message, *keys)
        for name, source in config.sources.items()
        for message, keys in check_expectations(source, config.sources)
    ]


def shown(problem: Problem) -> str:
    """Relative to the working folder where that is shorter, so that terminals make it a link."""
    path = os.path.relpath(problem.file)
    if len(path) > len(str(problem.file)):
        path = str(problem.file)
    return str(Problem(Path(path), problem.line, problem.message))
