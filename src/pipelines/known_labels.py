"""Up to when labels are known, which is not always now."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame

from finlake.config import UseCase
from finlake.features.labels import known_until
from finlake.pipelines.step import Step


def labels_until(step: Step, use_case: UseCase, versions: DataFrame) -> datetime:
    """The moment at which labels stand, with a warning where their source ends earlier than the step's moment.

    `versions`: silver versions of the label source.
    """
    until = known_until(versions, step.now)
    if until < step.now:
        step.warn(
            f"{use_case.use_case}: silver.{use_case.label.from_.source} holds nothing newer than {until:%d %b %Y}, so its labels "
            f"count as known until then, not until {step.now:%d %b %Y}; if it should have gone on, see what became of its files"
        )
    return until
