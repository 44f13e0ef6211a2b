"""What windows run over, as data: the values measured of a source's rows, and the aggregates of them. No Spark."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product

from finlake.config import Source
from finlake.features.expressions import Expr
from finlake.features.windows.answers import Part
from finlake.features.windows.functions import OF_WHOLE, WHOLE


@dataclass(frozen=True)
class Value:
    """One value of a row, null where the row does not take part.

    `column` is measured as it is: money in minor units (`scale` digits), integers, doubles, or any other as `text`;
    `expr` is measured as a double, 1 or 0 for a condition, or as `text`. Neither counts rows. With `latest` a row whose
    value is unknown takes part as infinity, which every feature says to be unknown.
    """

    column: str | None
    conditions: tuple[Expr, ...]
    zone: str
    scale: int | None = None
    text: bool = False
    expr: Expr | None = None
    latest: bool = False

    @property
    def labelled(self) -> bool:
        """It depends on what was reported about the row."""
        return any(tree.names("label") for tree in self.trees)

    @property
    def trees(self) -> tuple[Expr, ...]:
        """Every expression that is evaluated on the row."""
        return (*self.conditions, self.expr) if self.expr else self.conditions


@dataclass(frozen=True)
class Component:
    """One aggregate of a value over a frame [low, high] in microseconds from the decision's row; low None: all before."""

    function: str  # of windows.functions
    value: Value
    low: int | None
    high: int
    other: Value | None = None
    argument: float = 0.0

    @property
    def whole(self) -> bool:
        """The answer is a whole number: rows, minor units or microseconds."""
        return self.function in WHOLE or (self.function in OF_WHOLE and self.value.scale is not None)


@dataclass
class RowSet:
    """Windows that share entity, source and clock, so that one pass computes them all."""

    source: Source
    entity: str
    clock: str
    labels: dict[str, None] = field(default_factory=dict)
    components: dict[Component, str] = field(default_factory=dict)

    def add(self, component: Component, prefix: str) -> str:
        """The column that will hold the component."""
        return self.components.setdefault(component, f"{prefix}{len(self.components)}")

    @property
    def reach(self) -> timedelta | None:
        """How long before a decision's row its windows begin; None: they have no beginning."""
        lows = [component.low for component in self.components]
        known = [low for low in lows if low is not None]
        return timedelta(microseconds=-min(known)) if len(known) == len(lows) else None

    def values(self) -> dict[Value, str]:
        """Distinct values and their column names."""
        used = (value for c in self.components for value in (c.value, c.other) if value)
        return {value: f"_v{n}" for n, value in enumerate(dict.fromkeys(used))}

    def parts(self) -> list[Part]:
        """The components, as the kernel takes them."""
        names = self.values()
        return [
            Part(
                name, c.function, names[c.value], c.low, c.high, c.value.labelled,
                names[c.other] if c.other else "", c.argument,
            )
            for c, name in self.components.items()
        ]  # fmt: skip

    def kept(self) -> dict[str, tuple[Value, tuple[int, ...]]]:
        """Columns by which a row's values are kept where its labels may still change: value, and state of the labels.

        A value that depends on labels has one column for each state they can be in.
        """
        states = list(product((0, 1), repeat=len(self.labels)))
        return {
            state_column(name, state): (value, state)
            for value, name in self.values().items()
            for state in (states if value.labelled else [()])
        }

    def columns(self) -> set[str]:
        """Source columns that the values look at."""
        looked = {value.column for value in self.values() if value.column}
        return looked | {n for v in self.values() for e in v.trees for n in e.names("column")} | {self.entity}


def state_column(name: str, state: tuple[int, ...]) -> str:
    """The column of a value for one state of the labels."""
    return f"{name}_{''.join(map(str, state))}" if state else name
