"""Definitions -> row sets of components, and how a feature is put together from them. No data is touched."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from finlake.config import Config, Feature, Source, UseCase
from finlake.config.features import OF_ANYTHING, OF_NUMBERS, OF_PLACES
from finlake.errors import ConfigError, suggestion
from finlake.features.definitions import UNITS, Definition, Selection, row_scope
from finlake.features.expressions import Expr, parse
from finlake.features.rows import Component, RowSet, Value

DAY = 86_400_000_000
_INCLUDING = ("count", "sum", "mean", "min", "max", "share")


@dataclass(frozen=True)
class Windowed:
    """A window feature: where its parts are, and what to divide by."""

    definition: Definition
    parts: Mapping[str, str]  # count, value, std, weight -> component column
    values: Mapping[str, Value]  # the same -> what the decision's own row adds
    divide: float = 1.0
    empty: float | None = None


@dataclass
class Plan:
    """Row sets to compute, and the window features they give."""

    row_sets: dict[tuple[str, str, str, tuple[str, ...]], RowSet] = field(default_factory=dict)
    features: dict[str, Windowed] = field(default_factory=dict)


def make_plan(selection: Selection, use_case: UseCase, config: Config) -> Plan:
    """All window features of a selection, those with the same entity, source, clock and labels together.

    Raises:
        ConfigError: a definition that cannot be computed; the message begins with the feature's name.
    """
    plan = Plan()
    for name, definition in selection.definitions.items():
        if definition.derived:
            continue
        try:
            plan.features[name] = _windowed(definition, use_case, config, plan)
        except ConfigError as error:
            raise ConfigError(f"feature {definition.group}.{name}: {error}") from error
    return plan


def _windowed(definition: Definition, use_case: UseCase, config: Config, plan: Plan) -> Windowed:
    feature, source = definition.feature, config.source(definition.source)
    zone = definition.zone(use_case)
    scope = row_scope(source, config)
    where = (parse(feature.where, scope, "boolean"),) if feature.where else ()
    share = (parse(feature.share, scope, "boolean"),) if feature.share else ()
    refuse(definition, use_case, config, where + share)
    needed = _needed(definition, config, where, share, zone)
    values = [value for _, *pair, _ in needed.values() for value in pair if value]
    labels = tuple(sorted({name for value in values for expr in value.trees for name in expr.names("label")}))
    row_set = plan.row_sets.setdefault(
        (source.source, definition.entity, feature.clock, labels if feature.clock == "known" else ()),
        RowSet(source, definition.entity, feature.clock),
    )
    row_set.labels.update(dict.fromkeys(labels))
    # With the known clock a label moves a row in time, so windows that look at it have rows of their own.
    high = -(feature.ends_before.micros if feature.ends_before else 0) - 1
    low = None if definition.window is None else high + 1 - definition.window.micros
    prefix = f"_c{list(plan.row_sets.values()).index(row_set)}_"
    components = {
        part: Component(function, value, low, high, other, argument)
        for part, (function, value, other, argument) in needed.items()
    }
    zero = feature.when_empty == "0" or (feature.when_empty is None and feature.kind in ("count", "sum", "distinct"))
    return Windowed(
        definition,
        {part: row_set.add(component, prefix) for part, component in components.items()},
        {part: component.value for part, component in components.items()},
        _divide(feature, components),
        0.0 if zero else None,
    )


def _needed(
    definition: Definition, config: Config, where: tuple[Expr, ...], share: tuple[Expr, ...], zone: str
) -> dict[str, tuple[str, Value, Value | None, float]]:
    """Part of the feature -> function, value, second value and argument."""
    feature, kind = definition.feature, definition.feature.kind
    rows, half_life = Value(None, where, zone), float(feature.half_life.micros) if feature.half_life else 0.0
    if kind == "time_since":
        return {"value": ("last_time", rows, None, 0.0)}
    if kind == "share":
        known = _there(*share)
        counted = ("count", Value(None, (*where, known), zone), None, 0.0)
        return {"count": counted, "value": ("count", Value(None, where + share, zone), None, 0.0)}
    if kind == "count":
        decayed = {"value": ("decayed", rows, None, half_life)} if half_life else {}
        return {"count": ("count", rows, None, 0.0), **decayed}
    source = config.source(definition.source)
    columns = [measured(source, config, kind, name, where, zone) for name in feature.measured]
    if kind in OF_PLACES:
        both = (*where, *(_finite(Expr("column", "number", value=name)) for name in feature.measured))
        lat, lon = (("last", replace(column, conditions=both), None, 0.0) for column in columns)
        times = {"at": ("last_time", Value(None, both, zone), None, 0.0)} if kind == "speed" else {}
        return {"lat": lat, "lon": lon, **times}
    value, other = columns[0], columns[1] if len(columns) > 1 else None
    needed: dict[str, tuple[str, Value, Value | None, float]] = {"count": ("count", value, other, 0.0)}
    if half_life:
        needed["value"] = ("decayed_to_last" if kind == "mean" else "decayed", value, None, half_life)
        if kind == "mean":
            known = _there(value.expr or Expr("column", "", value=value.column))
            needed["weight"] = ("decayed_to_last", Value(None, (*where, known), zone), None, half_life)
    elif kind == "z_score":
        needed |= {"value": ("sum", value, None, 0.0), "std": ("std", value, None, 0.0)}
    else:
        argument = feature.quantile[1] if feature.quantile else 0.0
        needed["value"] = ({"mean": "sum", "lookup": "last"}.get(kind, kind), value, other, argument)
    return needed


def _finite(tree: Expr) -> Expr:
    """Neither unknown nor NaN nor infinite."""
    most = Expr("literal", "number", value=sys.float_info.max)
    return Expr("<=", "boolean", (Expr("abs", "number", (tree,)), most))


def _there(tree: Expr) -> Expr:
    return Expr("not", "boolean", (Expr("is null", "boolean", (tree,)),))


def measured(source: Source, config: Config, kind: str, text: str, where: tuple[Expr, ...], zone: str = "UTC") -> Value:
    """What a kind of feature measures of each row: a column as it is, or what an expression gives.

    Raises:
        ConfigError: no such column, or one that this kind cannot measure.
    """
    name = text.strip("`")
    if name in source.silver_columns and kind != "lookup":
        if kind in OF_ANYTHING and source.silver_columns[name].type == "number":
            return Value(None, where, zone, text=True, expr=Expr("column", "number", value=name))
        if kind in OF_ANYTHING:
            return Value(name, where, zone, text=True)
        return Value(name, where, zone, _scale(source, name, where))
    if name.isidentifier() and name not in source.silver_columns:
        raise ConfigError(f"source {source.source} has no column {name!r}{suggestion(name, source.silver_columns)}")
    tree = parse(text, row_scope(source, config), "any" if kind in OF_ANYTHING else None)
    for column in sorted(tree.names("column")):
        if source.silver_columns[column].type == "money":
            _scale(source, column, where)
    return Value(None, where, zone, text=kind in OF_ANYTHING, expr=tree, latest=kind == "lookup")


def _divide(feature: Feature, needed: Mapping[str, Component]) -> float:
    """What the part `value` is divided by: minor units, the unit of time, or microseconds in a day."""
    if feature.kind == "time_since":
        return float(UNITS[feature.unit or "minutes"])
    if feature.kind not in OF_NUMBERS or feature.kind == "correlation":
        return 1.0
    return 10.0 ** (needed["value"].value.scale or 0) / (DAY if feature.kind == "slope" else 1)


def refuse(definition: Definition, use_case: UseCase, config: Config, conditions: tuple[Expr, ...]) -> None:
    """What reads well and cannot be computed.

    Raises:
        ConfigError: see the message.
    """
    feature, scored = definition.feature, config.source(use_case.score.each).silver_columns
    for name in feature.own_columns:
        if name not in scored:
            raise ConfigError(
                f"{use_case.score.each}, which is scored, has no column {name!r}{suggestion(name, scored)}"
            )
    if feature.kind in OF_PLACES:
        for name, column in (
            pair for columns in (config.source(definition.source).silver_columns, scored) for pair in columns.items()
        ):
            if name in feature.own_columns and column.type not in ("number", "integer"):
                raise ConfigError(f"{name!r} is {column.type}, and places are numbers: degrees of latitude, longitude")
    if feature.kind == "time_since" and (feature.unit or "minutes") not in UNITS:
        raise ConfigError(f"unit: {feature.unit!r} is not a unit of time{suggestion(feature.unit, UNITS)}")
    if not feature.including_this:
        return
    if feature.kind == "time_since":
        raise ConfigError("including_this: the time since the decision's own row is always 0")
    if feature.kind not in _INCLUDING or feature.half_life:
        decayed = " with half_life" if feature.half_life else ""
        raise ConfigError(f"including_this: goes with {', '.join(_INCLUDING)}, not with {feature.kind}{decayed}")
    if definition.source != use_case.score.each:
        raise ConfigError(
            f"including_this: scored rows are of {use_case.score.each}, and this window runs over {definition.source}"
        )
    if any(condition.names("label") for condition in conditions):
        raise ConfigError("including_this: the label of the decision's own row is what the model is to find out")


def _scale(source: Source, name: str, where: tuple[Expr, ...]) -> int | None:
    """Digits of a money column's minor unit, 0 for integers, None for other numbers; refuses what has no one unit."""
    column = source.silver_columns[name]
    if column.type == "money":
        currency = str(column.currency)
        if currency in source.silver_columns and not any(_fixes(expr, currency) for expr in where):
            raise ConfigError(
                f"{name!r} is in the currency of each row; add where: \"{currency} = 'EUR'\", or convert it in silver"
            )
        return column.decimals
    if column.type in ("integer", "number"):
        return 0 if column.type == "integer" else None
    raise ConfigError(f"{name!r} is {column.type}, not a number; count rows with where: or share:")


def _fixes(expr: Expr, column: str) -> bool:
    """The condition holds for one value of the column only."""
    if expr.op == "and":
        return any(_fixes(arg, column) for arg in expr.args)
    sides = [arg.op for arg in expr.args]
    return expr.op == "=" and sorted(sides) == ["column", "literal"] and column in expr.names("column")
