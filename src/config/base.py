"""What all configuration models share: strictness, durations, clocks, names."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MICROS = {
    "s": 1_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_UNITS = {
    "s": "s", "second": "s", "seconds": "s",
    "min": "min", "minute": "min", "minutes": "min",
    "h": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d",
    "w": "w", "week": "w", "weeks": "w",
    "month": "month", "months": "month", "year": "year", "years": "year",
}  # fmt: skip
_DURATION = re.compile(r"^\s*(\d+)\s*([a-z]+)\s*$")
NAME = r"^[a-z][a-z0-9_]*$"

Name = Annotated[str, Field(pattern=NAME)]
Template = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\{window\})?[a-z0-9_]*$")]


class Model(BaseModel):
    """Frozen, and a key nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Duration(Model):
    """A length of time: whole calendar months, or microseconds. Written `90d`, `1 day`, `36 months`."""

    text: str
    months: int = 0
    micros: int = 0

    @classmethod
    def parse(cls, value: Any) -> Duration:
        if isinstance(value, Duration):
            return value
        if isinstance(value, dict):
            return cls(**value)
        match = _DURATION.match(str(value))
        unit = _UNITS.get(match.group(2)) if match else None
        if match is None or unit is None:
            raise ValueError(f"not a length of time: {value!r}; write for example 30min, 1h, 14d, 2w or 36 months")
        count = int(match.group(1))
        if unit in ("month", "year"):
            return cls(text=str(value), months=count * (12 if unit == "year" else 1))
        return cls(text=str(value), micros=count * MICROS[unit])

    @property
    def days(self) -> float:
        """Length in days; a month counts as 365.25 / 12."""
        return self.months * 365.25 / 12 + self.micros / MICROS["d"]

    @property
    def interval(self) -> str:
        """A Spark SQL interval literal."""
        return f"INTERVAL '{self.months}' MONTH" if self.months else f"INTERVAL '{self.micros // 1_000_000}' SECOND"


def _fixed(value: Any) -> Duration:
    duration = Duration.parse(value)
    if duration.months:
        raise ValueError(f"{value!r}: a window is counted in s, min, h, d or w, because months differ in length")
    return duration


Length = Annotated[Duration, BeforeValidator(Duration.parse)]
FixedLength = Annotated[Duration, BeforeValidator(_fixed)]


class Clock(Model):
    """A column, or a column plus a delay. Written `arrived_at` or `{happened_at plus: 1 day}`."""

    column: str
    plus: Length | None = None

    @classmethod
    def parse(cls, value: Any) -> Clock:
        if isinstance(value, Clock):
            return value
        if isinstance(value, str):
            return cls(column=value)
        if isinstance(value, dict) and "column" in value:
            return cls(**value)
        if isinstance(value, dict) and len(value) == 1:
            ((key, delay),) = value.items()
            words = str(key).split()
            if len(words) == 2 and words[1] == "plus":
                return cls(column=words[0], plus=Duration.parse(delay))
        raise ValueError(f"not a clock: {value!r}; write a column, or {{happened_at plus: 1 day}}")


ClockField = Annotated[Clock, BeforeValidator(Clock.parse)]
