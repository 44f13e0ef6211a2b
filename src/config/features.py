"""Feature definitions of one entity. Semantics: docs/features.md."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finlake.config.base import FixedLength, Model, Name, Template
from finlake.config.expect import Expect

OF_NUMBERS = ("sum", "mean", "min", "max", "std", "z_score", "slope", "quantile", "correlation", "first", "last")
OF_ANYTHING = ("distinct", "entropy", "concentration")
OF_PLACES = ("distance", "speed")
OF_DECISIONS = ("ratio", "row", "python")
KINDS = ("count", "share", *OF_NUMBERS, *OF_ANYTHING, "time_since", *OF_PLACES, "lookup", *OF_DECISIONS)
_EVER = ("first", "last", "time_since", *OF_PLACES, "lookup")  # without `windows`: among all earlier rows
_DECAYING = ("count", "sum", "mean")
_CALL = re.compile(r"(?!\d)\w+(\.(?!\d)\w+)*:(?!\d)\w+")


class PythonFunction(Model):
    """A function written in Python, and what it is given."""

    call: str = Field(description="module:function, of a file in conf/python or of an installed package")
    of: list[str] = Field(min_length=1, description="its arguments: this.<column> and features of the group")

    @field_validator("call")
    @classmethod
    def _names_a_function(cls, value: str) -> str:
        if not _CALL.fullmatch(value):
            raise ValueError("is not module:function, for example scores.cards:risk_curve")
        return value

    @property
    def module(self) -> str:
        return self.call.partition(":")[0]

    @property
    def function(self) -> str:
        return self.call.partition(":")[2]


class Feature(Model):
    """One definition; with several windows it makes one feature for each."""

    count: Literal["rows"] | None = None
    sum: str | None = Field(None, description="a column of the source, or an SQL expression over its columns")
    mean: str | None = None
    min: str | None = None
    max: str | None = None
    std: str | None = Field(None, description="sample standard deviation of a column")
    z_score: str | None = Field(
        None, description="standard deviations by which this.<column> lies above the window's mean"
    )
    slope: str | None = Field(None, description="least-squares change of a column in a day")
    quantile: tuple[str, float] | None = Field(None, description="[column, share], for example [amount, 0.9]")
    correlation: tuple[str, str] | None = Field(None, description="Pearson's, of two columns")
    first: str | None = Field(None, description="a column of the earliest row of the window")
    last: str | None = Field(None, description="a column of the latest row before this one")
    distinct: str | None = Field(None, description="how many different values a column has")
    entropy: str | None = Field(None, description="Shannon entropy (nats) of a column's values, 0: all rows alike")
    concentration: str | None = Field(
        None, description="Herfindahl-Hirschman index of a column's values, 1: all rows alike"
    )
    share: str | None = Field(
        None,
        description="a row condition; label(<use case>) = 1 uses labels as reported by then",
    )
    time_since: Literal["last row"] | None = Field(None, description="time from the latest earlier row, in `unit`")
    distance: tuple[str, str] | None = Field(
        None, description="[latitude, longitude]: km from the place of the latest earlier row"
    )
    speed: tuple[str, str] | None = Field(
        None, description="[latitude, longitude]: km/h from the place and time of the latest earlier row"
    )
    lookup: str | None = Field(
        None, description="an SQL expression over the source's columns, as the entity's latest row says it"
    )
    ratio: tuple[str, str] | None = Field(None, description="[this.<column> or feature, feature or this.<column>]")
    row: str | None = Field(
        None,
        description="an SQL expression over this.<column> and features of the group",
    )
    python: PythonFunction | None = Field(
        None, description="a function of this.<column> and features of the group, row by row"
    )
    windows: list[FixedLength] = []
    ends_before: FixedLength | None = Field(None, description="the window stops this long before the decision's row")
    half_life: FixedLength | None = Field(None, description="count, sum, mean: a row this old weighs half")
    clock: Literal["event", "known"] = Field("event", description="known: the window runs over when rows became known")
    where: str | None = Field(None, description="only rows for which this condition holds")
    including_this: bool = Field(False, description="the decision's own row counts too")
    when_empty: Literal["unknown", "0"] | None = Field(
        None, description="default: 0 for count, sum and distinct, else unknown"
    )
    zone: str | None = Field(None, description="time zone for hour() and other parts of times")
    unit: str = ""
    owner: str = Field("", description="who answers for it; default: the group's owner")
    say: str | None = Field(
        None,
        description="words for reasons: {value}, {usual}, {window}, {known_until}, {<feature>}",
    )
    expect: Expect | None = Field(None, description="what its values must be in each period")

    @model_validator(mode="before")
    @classmethod
    def _empty_words(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("when_empty") == 0:
            value = {**value, "when_empty": "0"}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Feature:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}; got {', '.join(given) or 'none'}")
        if not self.windows and given[0] not in (*_EVER, *OF_DECISIONS):
            raise ValueError(f"`{given[0]}` needs `windows`, for example [1h, 30d]")
        if self.lookup and self.windows:
            raise ValueError("`lookup` takes no `windows`: it is the entity's latest row, however old")
        if self.when_empty == "0" and given[0] in ("time_since", *OF_PLACES):
            raise ValueError(f"`when_empty: 0` says nothing for {given[0]}: without an earlier row it is unknown")
        if self.half_life and given[0] not in _DECAYING:
            raise ValueError(f"`half_life` goes with {', '.join(_DECAYING)}, not with {given[0]}")
        if self.quantile and not 0 <= self.quantile[1] <= 1:
            raise ValueError(f"`quantile` takes a column and a share from 0 to 1, got {self.quantile[1]:g}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns, or expressions over columns, of the rows in the window that the feature measures."""
        if self.correlation or self.distance or self.speed:
            return self.correlation or self.distance or self.speed or ()
        if self.quantile:
            return (self.quantile[0],)
        return (str(getattr(self, self.kind)),) if self.kind in (*OF_NUMBERS, *OF_ANYTHING, "lookup") else ()

    @property
    def own_columns(self) -> tuple[str, ...]:
        """Columns of the scored row itself that the feature sets against its window."""
        return (self.z_score,) if self.z_score else self.distance or self.speed or ()


class FeatureGroup(Model):
    """Features of one entity, computed from one source's silver versions."""

    group: Name
    about: str
    owner: str = ""
    entity: str = Field(description="the column that both the source and the scored rows carry")
    source: Name
    features: dict[Template, Feature] = Field(min_length=1)

    @model_validator(mode="after")
    def _window_in_name(self) -> FeatureGroup:
        for name, feature in self.features.items():
            if name == "index":
                raise ValueError("no feature can be called index: that is the page which lists them; say of what")
            if len(feature.windows) > 1 and "{window}" not in name:
                raise ValueError(f"feature {name!r} has {len(feature.windows)} windows: put {{window}} into its name")
        return self

    def expanded(self) -> dict[str, tuple[Feature, FixedLength | None]]:
        """Feature name with its window filled in -> (definition, that window)."""
        made: dict[str, tuple[Feature, FixedLength | None]] = {}
        for name, feature in self.features.items():
            windows: list[FixedLength | None] = [*feature.windows] or [None]
            for window in windows:
                label = window.text.replace(" ", "") if window else ""
                made[name.replace("{window}", label)] = (feature, window)
        return made
