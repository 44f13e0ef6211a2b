"""Which features a use case has, in the order in which they can be computed. Pure Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from finlake.config import Config, Duration, Feature, FeatureGroup, Network, Source, UseCase
from finlake.config.features import OF_DECISIONS
from finlake.config.words import sql_columns
from finlake.errors import ConfigError, UnknownNameError
from finlake.features.expressions import KINDS, Expr, Scope, parse
from finlake.features.python_calls import PythonCall, meaning

SEMANTICS = "features/3"  # raise it when the same definition begins to give other values
_WORDS = {"say", "owner", "expect"}  # what a feature is called and expected to be does not change its values
UNITS = {
    **dict.fromkeys(("s", "second", "seconds"), 1_000_000), **dict.fromkeys(("min", "minute", "minutes"), 60_000_000),
    **dict.fromkeys(("h", "hour", "hours"), 3_600_000_000), **dict.fromkeys(("d", "day", "days"), 86_400_000_000),
}  # fmt: skip


@dataclass(frozen=True)
class Definition:
    """One feature: its group's entity and source, its text with the window filled in."""

    name: str
    group: str
    entity: str
    source: str
    feature: Feature
    window: Duration | None

    def fill(self, text: str) -> str:
        """`{window}` replaced, so that derived features name the window's siblings."""
        return text.replace("{window}", window_label(self.window)) if self.window else text

    def zone(self, use_case: UseCase) -> str:
        return self.feature.zone or use_case.zone

    @property
    def derived(self) -> bool:
        return self.feature.kind in OF_DECISIONS

    @property
    def expressions(self) -> list[str]:
        """Texts over features and `this.` columns."""
        parts = self.feature.ratio or (self.feature.python.of if self.feature.python else ())
        if parts:
            return [self.fill(part) for part in parts]
        return [self.fill(self.feature.row)] if self.feature.row else []


@dataclass(frozen=True)
class Selection:
    """What a use case's `features` comes to."""

    definitions: dict[str, Definition]  # in an order in which each finds what it names
    outputs: tuple[str, ...]  # feature columns, in the order of the use case
    own: dict[str, str]  # this_<column> -> column of the scored row


def window_label(window: Duration | None) -> str:
    return window.text.replace(" ", "") if window else ""


def select(use_case: UseCase, config: Config) -> Selection:
    """Features of a use case, with the ones they are made from.

    Raises:
        ConfigError: an unknown group or feature, a name used twice, or features that name each other in a circle.
    """
    outputs: dict[str, None] = {}
    own: dict[str, str] = {}
    known: dict[str, Definition] = {}
    for entry in use_case.features:
        first, _, rest = entry.partition(".")
        if first == "this":
            own[f"this_{rest}"] = own_column(rest, config.source(use_case.score.each))
            outputs[f"this_{rest}"] = None
            continue
        made = definitions(config.group(first))
        for name, definition in made.items():
            if name in known and known[name].group != definition.group:
                raise ConfigError(f"features {known[name].group}.{name} and {definition.group}.{name} have one name")
            known[name] = definition
        chosen = [n for n in made if not rest or n == rest or rest == template_of(config.group(first), n)]
        if not chosen:
            raise UnknownNameError("feature", rest, made, f"group {first}")
        outputs |= dict.fromkeys(chosen)
    needs = {name: needed(known[name], known) for name in _closure([n for n in outputs if n in known], known)}
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ConfigError(f"features name each other in a circle: {' → '.join(error.args[1])}") from error
    return Selection({name: known[name] for name in order}, tuple(outputs), own)


def own_column(name: str, scored: Source) -> str:
    """A column of the scored row that can be a feature as it is.

    Raises:
        ConfigError: there is none, or it is not a number.
    """
    if name not in scored.silver_columns:
        raise UnknownNameError("column", name, scored.silver_columns, f"source {scored.source}")
    kind = scored.silver_columns[name].type
    if kind not in ("money", "integer", "number", "boolean"):
        raise ConfigError(
            f"features: this.{name} is {kind}, and models take numbers; "
            f"give a group a row feature, for example row: \"this.{name} = '…'\""
        )
    return name


def definitions(group: FeatureGroup) -> dict[str, Definition]:
    """Every feature of a group by its full name."""
    return {
        name: Definition(name, group.group, group.entity, group.source, feature, window)
        for name, (feature, window) in group.expanded().items()
    }


def template_of(group: FeatureGroup, name: str) -> str:
    """The name under which the file defines a feature, for example `payments_{window}`."""
    for template, feature in group.features.items():
        windows: list[Duration | None] = [*feature.windows] or [None]
        if any(template.replace("{window}", window_label(window)) == name for window in windows):
            return template
    return name


def needed(definition: Definition, known: Mapping[str, Definition]) -> list[str]:
    """Features of the same group that a derived feature names; names nobody defines are left to the parser."""
    named = dict.fromkeys(name for text in definition.expressions for table, name, _ in sql_columns(text) if not table)
    return [name for name in named if name in known and known[name].group == definition.group]


def _closure(names: list[str], known: Mapping[str, Definition]) -> list[str]:
    seen: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen[name] = None
            waiting += needed(known[name], known)
    return list(seen)


def row_scope(source: Source, config: Config) -> Scope:
    """What a condition on a source's rows may name."""
    labels = [name for name, use_case in config.use_cases.items() if use_case.score.each == source.source]
    return Scope(kinds(source), None, labels, f"column of {source.source}")


def decision_scope(definition: Definition, siblings: Mapping[str, Definition], scored: Source) -> Scope:
    """What a ratio or row expression may name: features of its group and the scored row's columns."""
    names = {
        name: "number"
        for name, other in siblings.items()
        if other.group == definition.group and name != definition.name
    }
    return Scope(names, kinds(scored), (), f"feature of group {definition.group}")


def kinds(source: Source) -> dict[str, str]:
    """Silver column -> number, boolean, text or time."""
    return {name: KINDS[column.type] for name, column in source.silver_columns.items()}


def positive_condition(use_case: UseCase, source: Source) -> Expr:
    """When a row of the label source says positive.

    Raises:
        ConfigError: `label.positive` is not a condition over the source's columns.
    """
    return parse(use_case.label.positive, Scope(kinds(source), about=f"column of {source.source}"), "boolean")


def match_columns(use_case: UseCase, scored: Source) -> list[str]:
    """Columns by which label rows find scored rows."""
    return [use_case.label.from_.match] if use_case.label.from_.match else scored.key


def parse_derived(definition: Definition, siblings: Mapping[str, Definition], scored: Source) -> list[Expr]:
    """Trees of a ratio's two parts, of a row expression, or of what a Python function is given."""
    scope = decision_scope(definition, siblings, scored)
    if definition.feature.python:
        return [_argument(text, scope) for text in definition.expressions]
    want = "number" if definition.feature.ratio else None
    return [parse(text, scope, want) for text in definition.expressions]


def _argument(text: str, scope: Scope) -> Expr:
    tree = parse(text, scope, "any")
    if tree.op not in ("this", "column"):
        raise ConfigError(f"{text!r} is an expression, and functions are given names; make a row feature of it")
    if tree.kind == "time":
        raise ConfigError(
            f"{text!r} is a time; make a row feature of what matters of it, for example row: hour({text})"
        )
    return tree


def python_call(definition: Definition, trees: Sequence[Expr], config: Config) -> PythonCall | None:
    """The function of a python feature, to be called with what its trees give; None for other kinds."""
    function = definition.feature.python
    if function is None:
        return None
    name, text = f"{definition.group}.{definition.name}", config.modules.get(function.module)
    return PythonCall(name, function, text, tuple(tree.kind for tree in trees))


def definition_digest(use_case: UseCase, config: Config) -> str:
    """Digest of everything that decides the values of a use case's features; words and owners do not."""
    used = sorted({entry.partition(".")[0] for entry in use_case.features} - {"this"})
    named = {
        name for definition in select(use_case, config).definitions.values() for name in _labels(definition, config)
    }
    labels = {
        name: config.use_case(name).label.model_dump(mode="json", by_alias=True)
        for name in sorted(named | {use_case.use_case})
    }
    said = {
        "semantics": SEMANTICS,
        "features": use_case.features,
        "score": use_case.score.model_dump(mode="json", exclude={"since", "max_age"}),
        "zone": use_case.zone,
        "labels": labels,
        "groups": {name: _meaning(config.group(name)) for name in used},
    }
    networks = {config.group(name).source for name in used} & config.networks.keys()
    if networks:  # so that digests of use cases without networks stay
        said["networks"] = {name: network_meaning(config.network(name)) for name in sorted(networks)}
    called = {f.python.call: f.python for name in used for f in config.group(name).features.values() if f.python}
    if called:  # so that digests of use cases without functions stay
        said["python"] = {call: meaning(function, config.modules) for call, function in called.items()}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def network_meaning(network: Network) -> dict[str, object]:
    """What decides the values of a network's snapshots; words and owners do not."""
    return network.model_dump(mode="json", exclude={"about", "owner", "backfill"})


def _labels(definition: Definition, config: Config) -> set[str]:
    """Use cases whose labels a feature looks at."""
    feature, scope = definition.feature, row_scope(config.source(definition.source), config)
    texts = [text for text in (feature.where, feature.share, *feature.measured) if text]
    return {name for text in texts for name in parse(text, scope, "any").names("label")}


def _meaning(group: FeatureGroup) -> dict[str, object]:
    features = {n: f.model_dump(mode="json", exclude=_WORDS, exclude_none=True) for n, f in group.features.items()}
    return {"entity": group.entity, "source": group.source, "features": features}
