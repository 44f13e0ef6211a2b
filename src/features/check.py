"""What `finlake check` says about feature definitions: every problem with its file and line, without data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from finlake.config import Config, FeatureGroup, Problem, UseCase
from finlake.config.check_use_case import check_use_case
from finlake.config.words import never_equal
from finlake.errors import ConfigError, LeakageError, UnknownNameError, suggestion
from finlake.features.build import rule
from finlake.features.definitions import (
    Definition,
    definitions,
    own_column,
    parse_derived,
    positive_condition,
    python_call,
    row_scope,
    select,
    template_of,
)
from finlake.features.expressions import parse
from finlake.features.leakage.declared import audit
from finlake.features.leakage.findings import refuse_leaks
from finlake.features.networks.definition import expressions
from finlake.features.plan import measured, refuse
from finlake.features.python_check import impure, unfit
from finlake.features.words import FIXED, PLACEHOLDER

Found = Iterator[tuple[str, tuple[object, ...]]]


def check_features(config: Config) -> list[Problem]:
    """Problems of all feature groups, and of each use case with the groups it names; each problem once."""
    found: dict[Problem, None] = {}
    for name, group in config.groups.items():
        if group.source in config.silver:
            for message, keys in _group(group, config):
                found[config.problem("group", name, message, "features", *keys)] = None
    broken = {problem.file.stem for problem in found}
    for name, network in config.networks.items():
        for message, keys in expressions(network, config):
            found[config.problem("network", name, message, *keys)] = None
            broken |= {group.group for group in config.groups.values() if group.source == name}
    for name, use_case in config.use_cases.items():
        for message, keys in _use_case(use_case, config, broken):
            found[config.problem("use_case", name, message, *keys)] = None
    return list(found)


def _group(group: FeatureGroup, config: Config) -> Found:
    seen: dict[str, str] = {}
    for template, feature in group.features.items():
        for name in FeatureGroup.expanded(group.model_copy(update={"features": {template: feature}})):
            if name in seen:
                yield f"features {seen[name]!r} and {template!r} are both called {name!r}", (template,)
            seen[name] = template
    made = definitions(group)
    scored = [u for u in config.use_cases.values() if group.group in _groups(u) and u.score.each in config.sources]
    failed: set[str] = set()
    for name, definition in made.items():
        template = template_of(group, name)
        if template in failed:
            continue
        checks = (
            _derived(definition, made, scored, config) if definition.derived else _windowed(definition, scored, config)
        )
        said = (("say", message) for message in _placeholders(definition, made))
        for key, message in chain(checks, said):
            failed.add(template)
            yield f"{name}: {key}: {message}", (template, *key.split("."))


def _derived(
    definition: Definition, made: dict[str, Definition], scored: list[UseCase], config: Config
) -> Iterator[tuple[str, str]]:
    kind, function = definition.feature.kind, definition.feature.python
    found = list(unfit(function, config.modules)) if function else []
    yield from found
    for use_case in scored:
        try:
            trees = parse_derived(definition, made, config.source(use_case.score.each))
        except ConfigError as error:
            yield "python.of" if function else kind, str(error)
            return
        scored_source = config.source(use_case.score.each)
        for message in chain.from_iterable(never_equal(text, scored_source, "this") for text in definition.expressions):
            yield kind, message
            return
        call = python_call(definition, trees, config)
        if call and not found:
            found = list(impure(call))
            yield from found


def _windowed(definition: Definition, scored: list[UseCase], config: Config) -> Iterator[tuple[str, str]]:
    feature, source = definition.feature, config.source(definition.source)
    conditions = []
    for key in ("where", "share"):
        text = getattr(feature, key)
        if text:
            try:
                conditions.append(parse(text, row_scope(source, config), "boolean"))
            except ConfigError as error:
                yield key, str(error)
            else:
                yield from ((key, message) for message in never_equal(text, source))
    for column in feature.measured:
        try:
            measured(source, config, feature.kind, column, tuple(conditions))
        except ConfigError as error:
            yield feature.kind, str(error)
    for use_case in scored:
        try:
            refuse(definition, use_case, config, tuple(conditions))
        except ConfigError as error:
            key = next((key for key in ("including_this", "unit") if str(error).startswith(key)), feature.kind)
            yield key, str(error)
            return


def _placeholders(definition: Definition, made: dict[str, Definition]) -> Iterator[str]:
    known = [*FIXED, *made]
    for name in PLACEHOLDER.findall(definition.feature.say or ""):
        if name == "window" and definition.window is None:
            yield "{window} says nothing here, the feature has no windows"
        elif name not in known:
            yield f"nothing is called {{{name}}}{suggestion(name, known)}"


def _use_case(use_case: UseCase, config: Config, broken: set[str]) -> Found:
    groups = [name for name in _groups(use_case) if name in config.groups]
    scored = config.sources.get(use_case.score.each)
    sources = [config.groups[name].source for name in groups] + [use_case.label.from_.source]
    said = {keys for _, keys in check_use_case(config, use_case)}
    if use_case.label.from_.source in config.sources and ("label", "positive") not in said:
        try:
            positive_condition(use_case, config.source(use_case.label.from_.source))
        except ConfigError as error:
            yield f"label.positive: {error}", ("label", "positive")
            return
    if scored is None or len(groups) < len(_groups(use_case)) or any(name not in config.silver for name in sources):
        return
    for number, entry in enumerate(use_case.features):
        first, _, rest = entry.partition(".")
        if first == "this" and rest in scored.silver_columns:
            try:
                own_column(rest, scored)
            except ConfigError as error:
                yield str(error), ("features", number)
                return
    if broken & set(groups):
        return
    try:
        select(use_case, config)
        refuse_leaks(audit(use_case, config))
    except UnknownNameError:
        return
    except (ConfigError, LeakageError) as error:
        yield str(error), ("features",)
        return
    if ("baseline_rule",) not in said:
        try:
            rule(use_case, config)
        except ConfigError as error:
            yield f"baseline_rule: {error}", ("baseline_rule",)


def _groups(use_case: UseCase) -> list[str]:
    firsts = (entry.partition(".")[0] for entry in use_case.features)
    return [name for name in dict.fromkeys(firsts) if name != "this"]
