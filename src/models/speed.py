"""How fast a model answers and how large it is, on the machine that asks."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from finlake.models.artefact import Artefact
from finlake.models.bootstrap import Estimate, estimate

_SINGLE, _BATCH, _BATCHES, _RESAMPLES = 1_000, 10_000, 12, 400


@dataclass(frozen=True)
class Speed:
    """`p99_ms` of single rows, `rows_per_second` of batches on one core, `megabytes` of the model's files."""

    p99_ms: Estimate
    rows_per_second: Estimate
    megabytes: float

    def text(self) -> str:
        rate = self.rows_per_second
        between = f" [{rate.low:,.0f} to {rate.high:,.0f}]" if rate.low is not None and rate.high is not None else ""
        return (
            f"99% of single rows within {self.p99_ms.text(2)} ms, {rate.value or 0:,.0f}{between} rows a second, "
            f"{self.megabytes:.2f} MB"
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Speed:
        return cls(Estimate(**data["p99_ms"]), Estimate(**data["rows_per_second"]), data["megabytes"])


def measure_speed(artefact: Artefact, seed: int = 7) -> Speed:
    """Probabilities of drawn rows, of which a tenth of the values is missing, in this process and without Spark.

    Intervals are 95% percentiles of 400 resamples of the timings: of 1,000 single rows, and of the median of twelve
    batches of 10,000. A machine that does other work at the time is part of what is measured.
    """
    scorer = artefact.scorer()
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(_BATCH, len(scorer.features))).astype("float32")
    rows[draw.random(rows.shape) < 0.1] = np.nan

    def seconds(part: np.ndarray) -> float:
        began = time.perf_counter()
        scorer.probability(scorer.margin(part))
        return time.perf_counter() - began

    seconds(rows)  # the first call builds the booster
    single = np.array([seconds(rows[place : place + 1]) for place in range(_SINGLE)])
    batches = np.array([seconds(rows) for _ in range(_BATCHES)])
    size = len(artefact.booster) + len(json.dumps(asdict(artefact.card)))
    return Speed(
        estimate(np.percentile(_drawn(single, draw), 99, axis=1) * 1e3),
        estimate(_BATCH / np.median(_drawn(batches, draw), axis=1)),
        size / 2**20,
    )


def _drawn(timings: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The timings, then resamples of them, one a row."""
    return np.vstack([timings, draw.choice(timings, (_RESAMPLES, len(timings)))])
