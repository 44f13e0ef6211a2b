"""`finlake features list`, `describe` and `audit`: what the definitions say, without building anything."""

from __future__ import annotations

from typing import Any

import click

from finlake.cli.options import Options
from finlake.cli.sql import show
from finlake.config import Config, UseCase
from finlake.errors import UnknownNameError


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
    from finlake.features.words import describe

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
            click.echo(f"  owner {group.owner or config.source(definition.source).owner}")
            said = definition.feature.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
            for key, value in said.items():
                click.echo(f"    {key}: {_plain(value)}")
        click.echo("  comes from")
        for use in trace(chosen, config)[feature]:
            how = {"this": "the decision's own row", "window": "earlier rows", "label": "labels reported by then"}
            place = f"label({use.column})" if use.how == "label" else f"{use.source}.{use.column}"
            click.echo(f"    {place:40} {how[use.how]}, {use.place}")
    if feature not in known:
        raise UnknownNameError("feature", feature, known)
    return {}


def run_audit(options: Options, use_case: str) -> dict[str, Any]:
    """Looks for leaks, with rows that prove them where the lake has any.

    Raises:
        LeakageError: there are some.
    """
    from finlake.features.audit import audit, refuse_leaks
    from finlake.lakehouse import open_lake
    from finlake.pipelines.features import sources_needed

    config = options.config()
    chosen = _chosen(config, use_case)
    lake = open_lake(config)
    for one in chosen:
        sources = sources_needed(one, config)
        versions = {name: lake.read(f"silver.{name}") for name in sources if lake.exists(f"silver.{name}")}
        refuse_leaks(audit(one, config, versions))
        click.echo(f"{one.use_case}: no feature knows what was not known at the decision")
    return {}


def _chosen(config: Config, use_case: str) -> list[UseCase]:
    return list(config.use_cases.values()) if use_case == "all" else [config.use_case(use_case)]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value.get("text", value)) if isinstance(value, dict) else str(value)
