"""Definitions -> row sets of components, and how a feature is put together from them. No data is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from finlake.config import Config, Source, UseCase
from finlake.errors import ConfigError, suggestion
from finlake.features.definitions import UNITS, Definition, Selection, row_scope
from finlake.features.expressions import Expr, parse
from finlake.features.rows import Component, RowSet, Value

MEASURES = ("sum", "mean", "min", "max")


@dataclass(frozen=True)
class Windowed:
    """A window feature: where its parts are, and what to divide by."""

    definition: Definition
    parts: Mapping[str, str]  # count, sum, low, hits … -> component column
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
    refuse(definition, use_case, where + share)
    labels = tuple(sorted({name for expr in where + share for name in expr.names("label")}))
    row_set = plan.row_sets.setdefault(
        (source.source, definition.entity, feature.clock, labels if feature.clock == "known" else ()),
        RowSet(source, definition.entity, feature.clock),
    )
    row_set.labels.update(dict.fromkeys(labels))
    # With the known clock a label moves a row in time, so windows that look at it have rows of their own.
    high = -(feature.ends_before.micros if feature.ends_before else 0) - 1
    low = None if definition.window is None else high + 1 - definition.window.micros
    prefix = f"_c{list(plan.row_sets.values()).index(row_set)}_"
    values: dict[str, tuple[str, Value]] = {}
    if feature.kind == "time_since":
        values["last"] = ("last", Value(None, where, zone))
    elif feature.kind == "share":
        known = Expr("not", "boolean", (Expr("is null", "boolean", share),))
        values["count"] = ("count", Value(None, (*where, known), zone))
        values["sum"] = ("count", Value(None, where + share, zone))
    elif feature.kind == "count":
        values["count"] = ("count", Value(None, where, zone))
    else:
        column = str(getattr(feature, feature.kind))
        scale = measure_scale(source, column, where)
        value = Value(column, where, zone, scale)
        values["count"] = ("count", value)
        values["sum"] = ({"mean": "sum"}.get(feature.kind, feature.kind), value)
    parts = {
        part: row_set.add(Component(function, value, low, high), prefix) for part, (function, value) in values.items()
    }
    divide = 10.0 ** (values["sum"][1].scale or 0) if feature.kind in MEASURES else 1.0
    if feature.kind == "time_since":
        divide = float(UNITS[feature.unit or "minutes"])
    zero = feature.when_empty == "0" or (feature.when_empty is None and feature.kind in ("count", "sum"))
    return Windowed(
        definition, parts, {part: value for part, (_, value) in values.items()}, divide, 0.0 if zero else None
    )


def refuse(definition: Definition, use_case: UseCase, conditions: tuple[Expr, ...]) -> None:
    """What reads well and cannot be computed.

    Raises:
        ConfigError: see the message.
    """
    feature = definition.feature
    if feature.kind == "time_since" and (feature.unit or "minutes") not in UNITS:
        raise ConfigError(f"unit: {feature.unit!r} is not a unit of time{suggestion(feature.unit, UNITS)}")
    if not feature.including_this:
        return
    if feature.kind == "time_since":
        raise ConfigError("including_this: the time since the decision's own row is always 0")
    if definition.source != use_case.score.each:
        raise ConfigError(
            f"including_this: scored rows are of {use_case.score.each}, and this window runs over {definition.source}"
        )
    if any(condition.names("label") for condition in conditions):
        raise ConfigError("including_this: the label of the decision's own row is what the model is to find out")


def measure_scale(source: Source, name: str, where: tuple[Expr, ...] = ()) -> int | None:
    """Digits of a money column's minor unit, 0 for integers, None for other numbers.

    Raises:
        ConfigError: no such column, not a number, or money in several currencies.
    """
    column = source.silver_columns.get(name)
    if column is None:
        raise ConfigError(f"source {source.source} has no column {name!r}{suggestion(name, source.silver_columns)}")
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
