"""The final fit on all rows: on the cluster, or on the driver where there is no cluster; and whether it repeats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pyspark.sql import DataFrame

from finlake.config.use_case import ModelChoice
from finlake.errors import TrainingError
from finlake.models.boosting import Fit, fit_distributed, fit_here
from finlake.models.sample import Rows

THREADS = 2  # of fits in this process; fixed, so that they do not depend on the machine's cores


def final_fit(
    frame: DataFrame,
    parts: Mapping[str, Rows],
    features: Sequence[str],
    parameters: Mapping[str, float],
    choice: ModelChoice,
    constraints: Mapping[str, int],
) -> Fit:
    """Fits on all of train, stopping early on choose.

    Raises:
        TrainingError: `single_node` and not all rows are in `parts`; what `fit_distributed` refuses.
    """
    seed = choice.search.seed
    if choice.fit == "single_node":
        refuse_sample(parts, choice)
        return fit_here(
            parts["train"].learnt, parts["choose"].learnt, features, parameters,
            seed=seed, constraints=constraints, threads=THREADS,
        )  # fmt: skip
    return fit_distributed(frame, features, parameters, workers=choice.workers, seed=seed, constraints=constraints)


def refuse_sample(parts: Mapping[str, Rows], choice: ModelChoice) -> None:
    """Refuses to fit on the driver what the driver did not get in full."""
    for part, rows in parts.items():
        if choice.fit == "single_node" and not rows.complete:
            raise TrainingError(
                f"model.fit: single_node takes all rows to the driver, and {part} has more than model.search.rows "
                f"({choice.search.rows:,}); raise it as far as the driver's memory allows (4 bytes × features a row), "
                "or use model.fit: distributed on the cluster that resources/training.job.yml defines"
            )


def verified(digest: str, again: Callable[[], Fit]) -> None:
    """Fits again and compares.

    Raises:
        TrainingError: the digests differ.
    """
    found = again().digest
    if found != digest:
        raise TrainingError(
            f"the same rows and parameters gave two models: digest {digest}, and fitted again {found}. Training cannot be "
            "repeated here; see whether xgboost's build, model.workers or the training set changed between the fits"
        )
