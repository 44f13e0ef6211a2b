"""Gates of a use case: what a model must show before it may decide, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from finlake.config.base import Model

Opponent = Literal["baseline_rule", "logistic_regression", "champion"]


class BetterThan(Model):
    models: list[Opponent]
    metric: Literal["average_precision", "roc_auc"] = "average_precision"
    by: float = 0


class Calibrated(Model):
    predicted_to_observed: tuple[float, float] = (0.8, 1.25)
    by: Literal["all", "month", "quarter", "year"] = "all"


class Stable(Model):
    psi_below: float = 0.25
    by: Literal["month", "quarter", "year"] = "month"


class Segments(Model):
    """No segment may pay for a better average."""

    not_worse_than: list[Opponent] = Field(
        ["champion"], description="models that must not be surely better in any segment of the use case's `segments`"
    )
    metric: Literal["average_precision", "roc_auc"] = "average_precision"
    by: float = Field(0.0, ge=0, description="how much worse a segment may surely be")
    predicted_to_observed: tuple[float, float] | None = Field(
        None, description="calibration of every segment; its interval must not lie outside"
    )
    fewest_positives: int = Field(30, ge=1, description="segments with fewer say nothing")


class Fast(Model):
    """What serving can bear; measured where the gates are judged."""

    p99_ms: float | None = Field(None, gt=0, description="99% of single rows are scored within so many milliseconds")
    rows_per_second: float | None = Field(None, gt=0, description="at least so many in batches, on one core")
    megabytes: float | None = Field(None, gt=0, description="the model's files are not larger")

    @model_validator(mode="after")
    def _something(self) -> Fast:
        if self.p99_ms is None and self.rows_per_second is None and self.megabytes is None:
            raise ValueError("give at least one of p99_ms, rows_per_second, megabytes")
        return self


class Gates(Model):
    """Each is judged on its 95% interval, not on its point."""

    better_than: BetterThan | None = None
    calibrated: Calibrated | None = None
    stable: Stable | None = None
    segments: Segments | None = None
    fast: Fast | None = None
    reproducible: bool = Field(False, description="the final fit was made twice, with the same digest")
    leaks: Literal["none"] = "none"
