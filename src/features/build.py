"""Features of decisions, from the versions of the sources: the batch execution of the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, Feature, UseCase
from finlake.config.features import OF_PLACES
from finlake.config.words import sql_columns
from finlake.features.columns import Resolve, compile_expr, great_circle_km
from finlake.features.components import window_components
from finlake.features.definitions import (
    UNITS,
    Selection,
    definition_digest,
    kinds,
    parse_derived,
    python_call,
    select,
)
from finlake.features.expressions import Expr, Scope, parse
from finlake.features.plan import Plan, Windowed, make_plan
from finlake.features.python_calls import PythonCall
from finlake.features.python_columns import python_column
from finlake.features.row_columns import resolver, value_column
from finlake.features.rows import RowSet
from finlake.features.window_rows import window_rows
from finlake.features.windows.known import Asking

META = ("decision_key", "event_ts", "decision_ts", "known_from")


def build_features(
    decisions: DataFrame,
    versions: Mapping[str, DataFrame],
    use_case: UseCase,
    config: Config,
    earliest: datetime | None = None,
) -> DataFrame:
    """The feature table of a use case: one row for each decision, whatever its windows hold.

    Args:
        decisions: of `decisions.decisions`.
        versions: silver versions of every source in `sources_read`.
        use_case: names the features.
        config: their definitions and the contracts.
        earliest: when no decision happened before it, rows that no window can reach are left out.

    Returns:
        decision_key, event_ts, decision_ts, the columns in `carried`, one DOUBLE column for each feature (null is
        unknown, also where the entity is unknown) and `_definition`.

    Raises:
        ConfigError: a definition that cannot be computed.
    """
    scored = config.source(use_case.score.each)
    selection = select(use_case, config)
    plan = make_plan(selection, use_case, config)
    own = _read_of_the_row(plan, selection, use_case, config)
    frame = decisions.select(*META, F.struct(*(f"`{name}`" for name in decisions.columns if name in own)).alias("this"))
    for row_set in plan.row_sets.values():
        frame = _with_components(frame, versions, row_set, use_case, config, earliest)
    windowed = {
        name: _assemble(w, resolver(frame, w.definition.zone(use_case), "this")) for name, w in plan.features.items()
    }
    frame = frame.select(*META, "this", *(finite(made).alias(f"f_{name}") for name, made in windowed.items()))
    for definition in selection.definitions.values():
        if definition.derived:
            trees = parse_derived(definition, selection.definitions, scored)
            call = python_call(definition, trees, config)
            made = _derive(trees, call, frame, definition.zone(use_case))
            frame = frame.withColumn(f"f_{definition.name}", made)
    plain = {name: F.col("this")[column].cast("double") for name, column in selection.own.items()}
    return frame.select(
        "decision_key", *(F.col("this")[name].alias(name) for name in carried(use_case, config)),
        "event_ts", "decision_ts",
        *(finite(plain[n] if n in plain else F.col(f"f_{n}")).alias(n) for n in selection.outputs),
        F.lit(definition_digest(use_case, config)).alias("_definition"),
    )  # fmt: skip


def carried(use_case: UseCase, config: Config) -> list[str]:
    """Columns of the scored row that stay beside the features: entities, value, rule, whom to alert, label match, contexts."""
    scored = config.source(use_case.score.each)
    named = [d.entity for d in select(use_case, config).definitions.values()]
    named += [use_case.policy.one_alert_per or "", use_case.label.from_.match or ""]
    named += sorted(rule(use_case, config).names("this"))
    named += [(name or "").removeprefix("this.") for name in (use_case.policy.value, use_case.model.weights)]
    named += use_case.policy.context_columns
    named += [name.removeprefix("this.") for name in use_case.segments if name.startswith("this.")]
    named += [use_case.split.hold_out.of] if use_case.split.hold_out else []
    return [name for name in dict.fromkeys(named) if name in scored.silver_columns and name not in scored.later_columns]


def _read_of_the_row(plan: Plan, selection: Selection, use_case: UseCase, config: Config) -> set[str]:
    """Columns of the scored row that features, or those who read the table, look at."""
    names = {*carried(use_case, config), *selection.own.values()}
    for definition in selection.definitions.values():
        named = (column for text in definition.expressions for column in sql_columns(text))
        names |= {definition.entity, *definition.feature.own_columns, *(name for table, name, _ in named if table)}
    for windowed in plan.features.values():
        for value in windowed.values.values():
            names |= {value.column or "", *(name for tree in value.trees for name in tree.names("column"))}
    return names


def rule(use_case: UseCase, config: Config) -> Expr:
    """The rule people use today, over features and `this.` columns.

    Raises:
        ConfigError: it is not such an expression.
    """
    names = dict.fromkeys(select(use_case, config).outputs, "number")
    scored = config.source(use_case.score.each)
    return parse(use_case.baseline_rule, Scope(names, kinds(scored), (), "feature of this use case"))


def sources_read(use_case: UseCase, config: Config) -> list[str]:
    """Sources whose silver versions `build_features` needs."""
    names = {use_case.score.each: None}
    for row_set in make_plan(select(use_case, config), use_case, config).row_sets.values():
        names[row_set.source.source] = None
        names |= dict.fromkeys(config.use_case(label).label.from_.source for label in row_set.labels)
    return list(names)


def _with_components(
    frame: DataFrame, versions: Mapping[str, DataFrame], row_set: RowSet, use_case: UseCase, config: Config,
    earliest: datetime | None,
) -> DataFrame:  # fmt: skip
    """Adds the components of one row set; null where the entity is unknown."""
    same = row_set.source.source == use_case.score.each
    entity = F.col("this")[row_set.entity].cast("string")
    asked = frame.select(
        F.col("decision_key").alias("_id"),
        # decisions without an entity are each one of their own: they spread, and find nothing
        F.coalesce(entity, F.concat(F.lit("\0"), F.col("decision_key"))).alias("_entity"),
        F.unix_micros("event_ts").alias("_at"),
        F.unix_micros("decision_ts").alias("_from"),
        F.unix_micros("known_from").alias("_until"),
        F.struct(*(name for name in frame.columns if name not in META)).alias("_brought"),
    )
    rows = window_rows(versions, row_set, config, earliest)
    at = row_set.source.happened_at if row_set.clock == "event" else ""
    if not same and set(row_set.source.key) <= {row_set.entity, at}:  # no two rows of one time to be told apart
        rows = rows.withColumn("_key", F.lit(None).cast("string"))
    asking = Asking(
        own_rows=same,
        own_early=same and (row_set.clock == "known" or use_case.score.as_of == "happened_at"),
        # a report about a row does not move it among the rows of its moment
        placed_by="_version_from" if row_set.labels and row_set.clock == "event" else "_from",
    )
    made = window_components(rows, asked, row_set, asking).select(
        F.col("_id").alias("decision_key"),
        *(F.timestamp_micros(name).alias(clock) for name, clock in zip(("_at", "_from", "_until"), META[1:], strict=True)),
        "_brought.*", *row_set.components.values(),
    )  # fmt: skip
    return made.withColumns({name: F.when(entity.isNotNull(), F.col(name)) for name in row_set.components.values()})


def _assemble(windowed: Windowed, this: Resolve) -> Column:
    """A window feature from its components, and from the decision's own row if that counts."""
    definition = windowed.definition
    feature, kind = definition.feature, definition.feature.kind
    parts = {part: F.col(name) for part, name in windowed.parts.items()}
    if feature.including_this:
        known = F.col("this")[definition.entity].isNotNull()
        parts = {p: F.when(known, _with_own(p, kind, c, windowed, this)) for p, c in parts.items()}
    if kind in (*OF_PLACES, "time_since"):
        if kind == "time_since":
            return (F.unix_micros("event_ts") - parts["value"]).cast("double") / windowed.divide
        return _distance(feature, parts, this)
    count = parts["count"].cast("double")
    made = parts.get("value", count).cast("double") / windowed.divide
    if kind in ("mean", "share"):
        made = F.try_divide(made, parts["weight"] if "weight" in parts else F.nullif(count, F.lit(0.0)))
    if kind == "z_score":
        own = this(Expr("this", "number", value=feature.z_score)).cast("double")
        made = F.try_divide(own - made / F.nullif(count, F.lit(0.0)), parts["std"] / windowed.divide)
    return F.when(count == 0, F.lit(windowed.empty).cast("double")).otherwise(made)


def _distance(feature: Feature, parts: Mapping[str, Column], this: Resolve) -> Column:
    """From the place of the latest earlier row to the decision's own, in km, or km an hour."""
    here = [this(Expr("this", "number", value=name)).cast("double") for name in feature.own_columns]
    km = great_circle_km(parts["lat"].cast("double"), parts["lon"].cast("double"), *here)
    if "at" not in parts:
        return km
    return F.try_divide(km, (F.unix_micros("event_ts") - parts["at"]).cast("double") / UNITS["hours"])


def _with_own(part: str, kind: str, others: Column, windowed: Windowed, this: Resolve) -> Column:
    def own_row(expr: Expr) -> Column:
        return this(Expr("this", expr.kind, value=expr.value))

    own = value_column(windowed.values[part], own_row)
    if part == "count" or kind == "share":
        return others + own.isNotNull().cast("bigint")
    if kind in ("min", "max"):
        return {"min": F.least, "max": F.greatest}[kind](others, own)
    return F.coalesce(others + own, others, own)


def _derive(trees: list[Expr], call: PythonCall | None, frame: DataFrame, zone: str) -> Column:
    this = resolver(frame, zone, "this")

    def resolve(expr: Expr) -> Column:
        return this(expr) if expr.op == "this" else F.col(f"f_{expr.value}")

    made = [compile_expr(tree, resolve, zone) for tree in trees]
    return python_column(call, made) if call else finite(reduce(F.try_divide, (part.cast("double") for part in made)))


def finite(column: Column) -> Column:
    """NaN and infinities are unknown."""
    return F.when(F.abs(column) < float("inf"), column)
