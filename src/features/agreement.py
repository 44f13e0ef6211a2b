"""Do the executions of the definitions agree? Values of the same decisions side by side. Pure Python."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from finlake.config import Config
from finlake.features.definitions import Definition, Selection

Features = Mapping[str, float | None]
COUNTED = ("count", "distinct", "min", "max", "first", "last")
CLOSE = 1e-9  # relative; sums of doubles in another order


@dataclass(frozen=True)
class Difference:
    """One value on which an execution and the reference differ."""

    decision_key: str
    feature: str
    execution: str
    value: float | None
    reference: float | None

    def __str__(self) -> str:
        return (
            f"{self.feature} of decision {self.decision_key}: {_shown(self.value)} by {self.execution}, "
            f"{_shown(self.reference)} by looking at every version"
        )


def differences(
    executions: Mapping[str, Mapping[str, Features]], reference: Mapping[str, Features], exact: Iterable[str]
) -> list[Difference]:
    """Every value that differs from the reference, in the order of decisions.

    Args:
        executions: name -> decision key -> feature values; a decision that an execution did not compute is left out.
        reference: decision key -> feature values.
        exact: features that must be equal to the bit; others may differ by 1e-9 of their size.
    """
    bits = set(exact)
    return [
        Difference(key, feature, execution, values[key][feature], wanted)
        for key, features in reference.items()
        for feature, wanted in features.items()
        for execution, values in executions.items()
        if key in values and not _same(values[key][feature], wanted, exact=feature in bits)
    ]


def exact_features(selection: Selection, config: Config) -> list[str]:
    """Counts, distincts, minima, maxima, first, last and sums of whole numbers: equal to the bit in every execution."""
    return [name for name, definition in selection.definitions.items() if _exact(definition, config)]


def _exact(definition: Definition, config: Config) -> bool:
    feature = definition.feature
    if feature.half_life or definition.derived:
        return False
    if feature.kind == "sum":
        columns = config.source(definition.source).silver_columns
        return feature.sum in columns and columns[feature.sum].type in ("money", "integer")
    return feature.kind in COUNTED


def _same(value: float | None, wanted: float | None, *, exact: bool) -> bool:
    if value is None or wanted is None:
        return value is wanted
    return value == wanted if exact else math.isclose(value, wanted, rel_tol=CLOSE, abs_tol=CLOSE)


def _shown(value: float | None) -> str:
    return "unknown" if value is None else repr(value)


def table(
    executions: Mapping[str, Mapping[str, Features]], names: Sequence[str], found: Sequence[Difference]
) -> list[list[object]]:
    """For each feature: its name, and of each execution how many values were compared and how many differ."""
    counted = {name: len(values) for name, values in executions.items()}
    wrong: dict[tuple[str, str], int] = {}
    for difference in found:
        place = difference.feature, difference.execution
        wrong[place] = wrong.get(place, 0) + 1
    return [
        [name, *(f"{wrong[name, e]} of {n} differ" if (name, e) in wrong else f"{n} agree" for e, n in counted.items())]
        for name in names
    ]
