"""What the detectors look at: a bounded, reproducible sample, and what is known of all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from finlake.features.leakage.findings import Finding, Shown

Array = npt.NDArray[Any]
Kind = Literal["number", "category", "date"]
LIMIT = 40_000
SHOWN = 3


@dataclass(frozen=True)
class Profile:
    """A feature over all rows, unknown values left out; `mode` is its most frequent value."""

    rows: int
    mean: float
    std: float
    low: float
    high: float
    at_low: int
    at_high: int
    mode: float
    at_mode: int


@dataclass(frozen=True, eq=False)
class Levels:
    """Rows and positives for each value of a feature."""

    values: Array
    rows: Array
    positives: Array


@dataclass(frozen=True, eq=False)
class Group:
    """A category or an entity, row by row of the sample; the totals are of all rows."""

    codes: Array
    rows: Array
    positives: Array
    entity: bool = False


@dataclass(frozen=True, eq=False)
class History:
    """An entity's other rows, seen from each row of the sample.

    Attributes:
        earlier: rows strictly before it.
        later: rows strictly after it.
        tied_positives: positives among the other rows at the same moment.
        previous: float (rows, features), the last row strictly before; NaN where there is none.
        following: float (rows, features), the first row strictly after; NaN where there is none.
    """

    earlier: Array
    later: Array
    tied_positives: Array
    previous: Array
    following: Array


@dataclass(frozen=True)
class Copies:
    """Rows of the later parts, over all rows: how many, how many are also in train, and some of these."""

    later: int = 0
    copied: int = 0
    rows: tuple[Shown, ...] = ()


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of a training set. Unknown is NaN, or NaT for times; a detector says nothing where it lacks what it needs.

    Attributes:
        values: float (rows, features); a category as its rank by frequency, a date as days since 1970.
        label: 1 or 0.
        part: train, choose or test.
        weight: how many rows a row stands for.
        order: place in the source, or None.
        recomputed: the same features as of the decision, or None.
        profiles: by feature, over all rows; `train_profiles` over those of train.
        levels: by feature, over all rows; `train_levels` over those of train.
        copies: rows of all that lie on both sides of the split.
        masked: features whose values are not shown.
        about: where the rows come from, for the message.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    values: Array
    label: Array
    part: Array
    keys: Array
    event: Array
    decision: Array
    matured: Array
    weight: Array
    as_of: np.datetime64 | None = None
    order: Array | None = None
    recomputed: Array | None = None
    groups: Mapping[str, Group] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    train_profiles: Mapping[str, Profile] = field(default_factory=dict)
    levels: Mapping[str, Levels] = field(default_factory=dict)
    train_levels: Mapping[str, Levels] = field(default_factory=dict)
    copies: Copies = Copies()
    masked: frozenset[str] = frozenset()
    about: str = "training set"

    @property
    def positives(self) -> int:
        return int(self.label.sum())

    @property
    def negatives(self) -> int:
        return len(self.label) - self.positives

    def column(self, name: str) -> Array:
        return self.values[:, self.names.index(name)]

    def finding(self, kind: str, name: str, reason: str, advice: str, rows: Array, *, sure: bool = True) -> Finding:
        """A finding on a feature, with the first of the rows that show it (positions in the sample)."""
        return Finding(name, name, self.about, reason, advice, self.shown(name, rows), kind=kind, sure=sure)

    def shown(self, name: str, rows: Iterable[int]) -> tuple[Shown, ...]:
        """The first rows in words: the feature's value and the label."""
        texts = []
        for row in list(rows)[:SHOWN]:
            value = "" if name not in self.names else f"{self.text(name, row)}, "
            texts.append(Shown(str(self.keys[row]), f"{value}label {int(self.label[row])}"))
        return tuple(texts)

    def text(self, name: str, row: int) -> str:
        value = float(self.column(name)[row])
        if name in self.masked:
            return "***"
        if np.isnan(value):
            return "unknown"
        if self.kinds[self.names.index(name)] == "date":
            return str(np.datetime64(round(value * 86_400), "s").astype("datetime64[D]"))
        return f"{value:.6g}"
