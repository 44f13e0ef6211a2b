"""Feature definitions of one entity. Semantics: docs/features.md."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from finlake.config.base import FixedLength, Model, Name, Template

WINDOWED = ("count", "sum", "mean", "min", "max", "share")
KINDS = (*WINDOWED, "time_since", "ratio", "row")


class Feature(Model):
    """One definition; with several windows it makes one feature for each."""

    count: Literal["rows"] | None = None
    sum: str | None = Field(None, description="a column of the source")
    mean: str | None = None
    min: str | None = None
    max: str | None = None
    share: str | None = Field(
        None,
        description="a row condition; label(<use case>) = 1 uses labels as reported by then",
    )
    time_since: Literal["last row"] | None = Field(None, description="time from the latest earlier row, in `unit`")
    ratio: tuple[str, str] | None = Field(None, description="[this.<column> or feature, feature or this.<column>]")
    row: str | None = Field(
        None,
        description="an SQL expression over this.<column> and features of the group",
    )
    windows: list[FixedLength] = []
    ends_before: FixedLength | None = Field(None, description="the window stops this long before the decision's row")
    clock: Literal["event", "known"] = Field("event", description="known: the window runs over when rows became known")
    where: str | None = Field(None, description="only rows for which this condition holds")
    including_this: bool = Field(False, description="the decision's own row counts too")
    when_empty: Literal["unknown", "0"] | None = Field(None, description="default: 0 for count and sum, else unknown")
    zone: str | None = Field(None, description="time zone for hour() and other parts of times")
    unit: str = ""
    say: str | None = Field(
        None,
        description="words for reasons: {value}, {usual}, {window}, {known_until}, {<feature>}",
    )

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
        if given[0] in WINDOWED and not self.windows:
            raise ValueError(f"`{given[0]}` needs `windows`, for example [1h, 30d]")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)


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
