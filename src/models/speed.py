"""How fast a model answers and how large it is, on the machine that asks."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

import numpy as np

from finlake.models.artefact import Artefact

_SINGLE, _BATCH, _REPEATS = 300, 20_000, 5


@dataclass(frozen=True)
class Speed:
    """`p99_ms` of single rows, `rows_per_second` of a batch on one core, `megabytes` of the model's files."""

    p99_ms: float
    rows_per_second: float
    megabytes: float

    def text(self) -> str:
        return (
            f"99% of single rows within {self.p99_ms:.1f} ms, {self.rows_per_second:,.0f} rows a second, "
            f"{self.megabytes:.1f} MB"
        )


def measure_speed(artefact: Artefact, seed: int = 7) -> Speed:
    """Probabilities of drawn rows, of which a tenth of the values is missing; the best of five batches counts.

    The 1% slowest of single rows are not looked at, so one pause of the machine does not decide.
    """
    scorer = artefact.scorer()
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(_BATCH, len(scorer.features))).astype("float32")
    rows[draw.random(rows.shape) < 0.1] = np.nan

    def seconds(part: np.ndarray) -> float:
        began = time.perf_counter()
        scorer.probability(scorer.margin(part))
        return time.perf_counter() - began

    seconds(rows)
    single = [seconds(rows[place : place + 1]) for place in range(_SINGLE)]
    batch = min(seconds(rows) for _ in range(_REPEATS))
    size = len(artefact.booster) + len(json.dumps(asdict(artefact.card)))
    return Speed(float(np.percentile(single, 99)) * 1e3, _BATCH / batch, size / 2**20)
