"""Names the use cases in conf/, so that a new file there is scheduled by itself."""

from __future__ import annotations

from finlake.errors import ConfigError
from finlake.pipelines.step import Step


def use_cases(step: Step, only: str = "all") -> dict[str, object]:
    """The task value `use_cases`: all names in order, or those of the comma-separated `only`.

    Raises:
        ConfigError: there is none, so that an empty configuration does not look like a good night.
        UnknownNameError: `only` names one that is not there.
    """
    names = sorted(step.config.use_cases)
    if only not in ("", "all"):
        names = [step.config.use_case(name.strip()).use_case for name in only.split(",")]
    if not names:
        raise ConfigError(f"{step.config.root / 'use_cases'} holds no use case, so there is nothing to train or score")
    return {"use_cases": names}
