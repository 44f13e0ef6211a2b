"""`finlake features list`, `describe`, `audit` and others: what definitions and tables say, without building any."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from finlake.cli.options import Options
from finlake.cli.sql import show
from finlake.config import Config, UseCase
from finlake.errors import InputError, TableError, TrainingError, UnknownNameError

if TYPE_CHECKING:
    from finlake.pipelines.step import Step


def run_list(options: Options, use_case: str, form: str) -> dict[str, Any]:
    """Every feature of the use cases, with what it is."""
    from finlake.features.definitions import select
    from finlake.features.words import describe

    rows: list[list[Any]] = []
    config = options.config()
    for chosen in _chosen(config, use_case):
        selection = select(chosen, config)
        for name in selection.outputs:
            definition = selection.definitions.get(name)
            group, unit = (definition.group, definition.feature.unit) if definition else ("this row", "")
            about = describe(definition) if definition else f"{selection.own[name]} of the scored row"
            rows.append([chosen.use_case, group, name, unit, about])
    show(["use_case", "group", "feature", "unit", "about"], rows, form)
    return {}


def run_describe(options: Options, feature: str, use_case: str) -> dict[str, Any]:
    """A feature's definition, its null behaviour, its owner, and every column it looks at.

    Raises:
        UnknownNameError: no use case has such a feature.
    """
    from finlake.features.definitions import select
    from finlake.features.trace import trace
    from finlake.features.words import describe, when_unknown

    config = options.config()
    known: dict[str, None] = {}
    for chosen in _chosen(config, use_case):
        selection = select(chosen, config)
        known |= dict.fromkeys(selection.outputs)
        if feature not in selection.outputs:
            continue
        definition = selection.definitions.get(feature)
        click.echo(f"{feature} of {chosen.use_case}")
        if definition:
            click.echo(f"  {describe(definition)}")
            group = config.group(definition.group)
            click.echo(f"  group {group.group} (conf/features/{group.group}.yml): {group.about}")
            owner = definition.feature.owner or group.owner or config.source(definition.source).owner
            click.echo(f"  owner {owner}")
            click.echo(f"  unknown {when_unknown(definition.feature)}")
            said = definition.feature.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            for key, value in said.items():
                click.echo(f"    {key}: {_plain(value)}")
        click.echo("  comes from")
        for use in trace(chosen, config)[feature]:
            how = {"this": "the decision's own row", "window": "earlier rows", "label": "labels reported by then"}
            place, arrives = f"label({use.column})", ""
            if use.how != "label":
                source = config.source(use.source)
                received = next(name for name, silver in source.silver_names.items() if silver == use.column)
                place = f"{use.source}.{use.column}"
                arrives = f", arrives as {received!r}" if received != use.column else ""
            click.echo(f"    {place:40} {how[use.how]}, {use.place}{arrives}")
    if feature not in known:
        raise UnknownNameError("feature", feature, known)
    return {}


def run_audit(options: Options, use_case: str) -> dict[str, Any]:
    """Looks for leaks in the definitions, and in the rows that the stored feature table would give a model now.

    Raises:
        LeakageError: there are some.
    """
    from finlake.lakehouse import open_lake
    from finlake.pipelines.step import Step

    config = options.config()
    chosen = _chosen(config, use_case)
    step = Step(open_lake(config), config, options.now(config), "audit", say=options.say)
    for one in chosen:
        audit_one(step, one)
    return {}


def audit_one(step: Step, use_case: UseCase) -> None:
    """Prints what was looked at and found; or, of the rows, why they were not looked at.

    Raises:
        LeakageError: a finding is sure.
    """
    from finlake.features.leakage.declared import audit
    from finlake.features.leakage.findings import refuse_leaks
    from finlake.pipelines.feature_build import sources_needed
    from finlake.pipelines.training_data import leaks_in_rows

    name, lake = use_case.use_case, step.lake
    sources = sources_needed(use_case, step.config)
    versions = {source: lake.read(f"silver.{source}") for source in sources if lake.exists(f"silver.{source}")}
    refuse_leaks(audit(use_case, step.config, versions))
    click.echo(f"{name}: by their definitions, no feature knows what was not known at the decision")
    try:
        rows, positives, findings = leaks_in_rows(step, use_case)
    except (TableError, TrainingError) as error:
        click.echo(f"{name}: its rows were not looked at: {error}")
        return
    refuse_leaks(findings)
    looked = f"{rows:,} decisions with mature labels, {positives:,} of them {use_case.label.name}"
    said = "".join(f"\n  {finding}" for finding in findings)
    click.echo(f"{name}: {looked}: " + (f"no leak is sure; look at{said}" if said else "no leak is found"))


def run_plan(options: Options, use_case: str) -> dict[str, Any]:
    """What a build of each use case's table would do, and from what."""
    from finlake.lakehouse import open_lake
    from finlake.pipelines.feature_build import Build
    from finlake.pipelines.feature_versions import in_use
    from finlake.pipelines.step import Step

    config = options.config()
    chosen = _chosen(config, use_case)
    step = Step(open_lake(config), config, options.now(config), "plan", say=options.say)
    rows: list[list[Any]] = []
    for one in chosen:
        versions = [(step, one, ""), *((old.step, old.use_case, old.table) for old in in_use(step, one))]
        for seen, definitions, table in versions:
            build = Build.open(seen, definitions, table)
            changed = ", ".join(build.changed()) or "nothing"
            rows.append([build.table, build.definition.partition(" ")[0], build.would(), changed])
    show(["table", "definitions", "a build would", "changed since"], rows, "table")
    return {}


def run_answer(options: Options, row: TextIO, use_case: str) -> dict[str, Any]:
    """Features of one row from the online store, as JSON; afterwards its windows hold the row.

    Raises:
        InputError: the file is not one JSON object.
    """
    from finlake.serving import open_features

    try:
        given = json.load(row)
    except ValueError as error:
        raise InputError(f"{row.name} is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise InputError(f"{row.name} must hold one JSON object with the row's columns, not a {type(given).__name__}")
    config = options.config()
    with open_features(config, use_case) as features:
        answer = features.decide(given, config.target.as_of)
    known = datetime.fromtimestamp(answer.watermark / 1e6, UTC)
    said = {"decision_key": answer.decision_key, "known_until": known.isoformat(), "features": answer.values}
    click.echo(json.dumps(said, indent=2, ensure_ascii=False))
    return {}


def run_verify(options: Options, use_case: str, rows: int) -> dict[str, Any]:
    """Compares every execution of the definitions with brute force, on decisions of the lake.

    Raises:
        ParityError: two executions differ; the first difference is shown with the rows that explain it.
    """
    from finlake.errors import ParityError
    from finlake.features.agreement import table
    from finlake.lakehouse import open_lake
    from finlake.pipelines.step import Step
    from finlake.pipelines.verify import verify

    config = options.config()
    chosen = _chosen(config, use_case)
    step = Step(open_lake(config), config, options.now(config), "verify", say=options.say)
    failed = []
    for one in chosen:
        found = verify(step, one, rows)
        show(["feature", *found.executions], table(found.executions, found.features, found.differences), "table")
        values = sum(len(found.features) * len(decisions) for decisions in found.executions.values())
        if found.differences:
            first = found.differences[0]
            click.echo(f"first difference: {first}")
            _show_rows(config, one, first.feature, found.rows)
            failed.append(f"{len(found.differences)} of {values:,} values of {one.use_case} differ; first {first}")
        else:
            click.echo(f"{one.use_case}: {values:,} values agree with what looking at every version gives")
    if failed:
        raise ParityError("\n  ".join(failed))
    return {}


def _show_rows(config: Config, use_case: UseCase, feature: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows a feature's window held; personal columns stay hidden."""
    from finlake.features.definitions import select

    definition = select(use_case, config).definitions.get(feature)
    if definition is None or not rows:
        click.echo("  its window held no rows")
        return
    columns = config.source(definition.source).silver_columns
    names = [name for name in rows[0] if name not in columns or columns[name].pii is None]
    show(names, [[row[name] for name in names] for row in rows], "table")


def _chosen(config: Config, use_case: str) -> list[UseCase]:
    return list(config.use_cases.values()) if use_case == "all" else [config.use_case(use_case)]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return str(value["text"]) if "text" in value else "; ".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return str(value)
