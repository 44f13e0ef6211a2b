"""Window features of one decision from their parts, as `features.build` puts columns together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

from finlake.config.features import OF_PLACES
from finlake.features.definitions import UNITS
from finlake.features.expressions import Expr
from finlake.features.online.functions import great_circle_km
from finlake.features.plan import Windowed
from finlake.serving.row import Measured, OwnRow

Number = float | int | None
Assemble = Callable[[Mapping[str, Number], OwnRow, int], float | None]


def assembler(windowed: Windowed, zone: str) -> Assemble:
    """A function of the parts by component column, the scored row, and the decision's time in microseconds."""
    feature, kind = windowed.definition.feature, windowed.definition.feature.kind
    names, divide, empty = windowed.parts, windowed.divide, windowed.empty
    if kind in (*OF_PLACES, "time_since"):
        return partial(_time_since if kind == "time_since" else _distance, windowed)
    own = {part: Measured(value) for part, value in windowed.values.items()} if feature.including_this else {}
    column = Expr("this", "number", value=feature.z_score) if feature.z_score else None

    def assemble(parts: Mapping[str, Number], this: OwnRow, at: int) -> float | None:
        found = {part: parts[name] for part, name in names.items()}
        if own:
            found = {part: _with_own(part, kind, found[part], own[part].of(this)) for part in found}
        count = found["count"]
        if count is None:
            return None
        if count == 0:
            return empty
        value = found.get("value", count)
        made = None if value is None else float(value) / divide
        if kind in ("mean", "share"):
            made = divided(made, found["weight"] if "weight" in found else count)
        elif column is not None:
            mean, spread, mine = divided(made, count), found["std"], this.value(column, zone)
            if mean is None or spread is None or mine is None:
                return None
            made = divided(mine - mean, spread / divide)
        return made

    return assemble


def finite(value: float | None) -> float | None:
    """NaN and infinities are unknown."""
    return value if value is not None and math.isfinite(value) else None


def divided(a: Number, b: Number) -> float | None:
    """Unknown by zero and of the unknown."""
    return None if a is None or not b else a / b


def _with_own(part: str, kind: str, others: Number, own: Number) -> Number:
    if part == "count" or kind == "share":
        return None if others is None else others + (own is not None)
    if others is None or own is None:
        return own if others is None else others
    return {"min": min, "max": max}[kind](others, own) if kind in ("min", "max") else others + own


def _time_since(windowed: Windowed, parts: Mapping[str, Number], this: OwnRow, at: int) -> float | None:
    last = parts[windowed.parts["value"]]
    return None if last is None else (at - last) / windowed.divide


def _distance(windowed: Windowed, parts: Mapping[str, Number], this: OwnRow, at: int) -> float | None:
    there = [parts[windowed.parts[part]] for part in ("lat", "lon")]
    here = [this.value(Expr("this", "number", value=name), "UTC") for name in windowed.definition.feature.own_columns]
    known = [degree for degree in (*there, *here) if degree is not None]
    km = great_circle_km(*known) if len(known) == 4 else None
    if "at" not in windowed.parts or km is None:
        return km
    return divided(km, (at - (parts[windowed.parts["at"]] or 0)) / UNITS["hours"])
