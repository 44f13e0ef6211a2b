"""What the values of a feature are expected to be, in each period of monitoring."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field, model_validator

from finlake.config.base import Model

Span = tuple[float | None, float | None]
Share = Annotated[float, Field(gt=0, le=1)]


class Expect(Model):
    """Every part is optional; one that does not hold is a finding, and stops an online publication."""

    between: Span | None = Field(None, description="[lowest, highest] value; null leaves an end open")
    mean_between: Span | None = Field(
        None, description="[lowest, highest] mean of known values; null leaves an end open"
    )
    unknown_below: Share | None = Field(None, description="share of decisions whose value is unknown stays below this")
    zeros_below: Share | None = Field(None, description="share of zeros among known values stays below this")

    @model_validator(mode="after")
    def _sound(self) -> Expect:
        for name in ("between", "mean_between"):
            span = getattr(self, name)
            if span is None:
                continue
            low, high = span
            if low is None and high is None:
                raise ValueError(f"`{name}` has two open ends: give at least one number, for example [0, null]")
            if any(end is not None and not math.isfinite(end) for end in span):
                raise ValueError(f"`{name}` takes numbers, got {low} and {high}; null leaves an end open")
            if low is not None and high is not None and low > high:
                raise ValueError(f"`{name}`: the lowest value, {low:g}, is above the highest, {high:g}; swap them")
        if not self.model_dump(exclude_none=True):
            raise ValueError("`expect` is empty: give between, mean_between, unknown_below or zeros_below")
        return self
