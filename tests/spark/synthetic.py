"""A small training set with the layout of the real ones: rare positives that three features explain in part."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from finlake.config.use_case import UseCase

FEATURES = ["visits_1h", "share_30d", "noise", "this_sum"]
START = datetime(2025, 3, 1)


def use_case(**changes: object) -> UseCase:
    content: dict[str, object] = {
        "use_case": "late_visits", "purpose": "p", "owner": "o", "approver": "a", "materiality": "low",
        "zone": "Europe/Berlin", "score": {"each": "visits", "as_of": "happened_at", "since": "14d"},
        "label": {"name": "late", "positive": "late", "from": {"source": "visits"}, "matures_after": "2d"},
        "features": ["visits", "this.sum"],
        "split": {"train": "30d", "choose": "10d", "test": "20d", "gap_before_each": "2d"},
        "baseline_rule": "visits_1h >= 4",
        "model": {"search": {"trials": 3, "rows": 3000}, "only_increases_with": ["visits_1h"], "workers": 2},
        "policy": {"alerts_per_day": 5, "one_alert_per": "visitor",
                   "queue_opens": "07:00 Europe/Berlin", "value": "this.sum"},
        "gates": {"better_than": {"models": ["baseline_rule", "champion"]},
                  "calibrated": {"predicted_to_observed": [0.2, 5.0]}, "stable": {"psi_below": 0.5}},
    }  # fmt: skip
    return UseCase(**{**content, **changes})


def training_pandas(rows: int = 6000, seed: int = 1, days: int = 64) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    seconds = np.sort(rng.integers(0, days * 86400, rows))
    moment = [START + timedelta(seconds=int(s)) for s in seconds]
    visits = rng.poisson(1.2, rows).astype(float)
    amount = np.round(rng.lognormal(3, 1, rows), 2)
    share = np.where(rng.random(rows) < 0.1, np.nan, rng.random(rows))
    noise = rng.normal(size=rows)
    noise[::97] = np.inf
    logit = -6.0 + 0.8 * visits + 4.5 * np.nan_to_num(share, nan=0.3) * (amount > 30)
    label = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    day = seconds // 86400
    part = np.select(
        [day < 30, (day >= 32) & (day < 42), (day >= 44) & (day < 64)], ["train", "choose", "test"], default="gap"
    )
    return pd.DataFrame(
        {
            "decision_key": [f"d{i:06d}" for i in range(rows)],
            "visitor": [f"v{i % 700:03d}" for i in rng.integers(0, 700, rows)],
            "event_ts": moment, "decision_ts": moment, "label": label, "part": part, "sum": amount,
            "visits_1h": visits, "this_sum": amount, "share_30d": share, "noise": noise,
        }
    )  # fmt: skip


def training_set(spark: SparkSession, **arguments: int) -> DataFrame:
    return spark.createDataFrame(training_pandas(**arguments)).where("part <> 'gap'")
