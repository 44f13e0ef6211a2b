"""The model as it is served: loads from its folder and scores with numpy, pandas and xgboost alone.

MLflow packs this one file into the logged model, so a serving endpoint needs no finlake installed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

BOOSTER, CARD = "booster.ubj", "model.json"


class Scorer:
    """A booster that holds only its useful rounds, with calibration. Nulls, NaN and infinities count as missing."""

    def __init__(self, booster: bytes, card: dict[str, Any]) -> None:
        self.card = card
        self.features: list[str] = list(card["features"])
        self.rounds: int = int(card["rounds"])
        self._booster = xgb.Booster(params={"nthread": 1})
        self._booster.load_model(bytearray(booster))
        self._booster.set_param({"nthread": 1})

    @classmethod
    def load(cls, folder: str | Path) -> Scorer:
        path = Path(folder)
        return cls((path / BOOSTER).read_bytes(), json.loads((path / CARD).read_text("utf-8")))

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """Features in the model's order as float32; what is missing or infinite is NaN."""
        return clean(frame[self.features].to_numpy(dtype="float32", na_value=np.nan))

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        """Log odds before calibration."""
        made = self._booster.inplace_predict(
            matrix, iteration_range=(0, self.rounds), predict_type="margin", missing=np.nan, validate_features=False
        )
        return np.asarray(made, dtype="float64")

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability; never falls when the margin rises."""
        return calibrated(self.card["calibration"], margin)

    def contributions(self, matrix: np.ndarray) -> np.ndarray:
        """Exact tree SHAP in log odds, a column for each feature and the bias last; a row sums to its margin."""
        data = xgb.DMatrix(matrix, missing=np.nan, nthread=1)
        made = self._booster.predict(
            data, pred_contribs=True, iteration_range=(0, self.rounds), validate_features=False
        )
        return np.asarray(made, dtype="float64")


def clean(matrix: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(matrix), matrix, np.float32("nan")).astype("float32", copy=False)


def sigmoid(margin: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -40, 40))))


def calibrated(calibration: dict[str, Any], margin: np.ndarray) -> np.ndarray:
    """`platt`: sigmoid(slope·margin + offset); `isotonic`: straight lines between knots; `none`: sigmoid(margin)."""
    kind = calibration["kind"]
    if kind == "isotonic":
        return np.asarray(np.interp(margin, calibration["margins"], calibration["probabilities"]))
    if kind == "platt":
        return sigmoid(calibration["slope"] * np.asarray(margin) + calibration["offset"])
    return sigmoid(np.asarray(margin))


def top_reasons(scorer: Scorer, matrix: np.ndarray, count: int) -> list[list[tuple[str, float, float]]]:
    """For each row its strongest upward features: (feature, value, contribution), strongest first."""
    made = scorer.contributions(matrix)[:, :-1]
    rows = []
    for values, parts in zip(matrix, made, strict=True):
        order = np.argsort(-parts, kind="stable")[:count]
        rows.append([(scorer.features[i], float(values[i]), float(parts[i])) for i in order if parts[i] > 0])
    return rows


def decide(policy: dict[str, Any], probability: np.ndarray) -> list[str]:
    """Decision by cut-offs; an alert budget needs the whole day, so a single row gets none."""
    low, high = policy.get("approve_below"), policy.get("decline_above")
    if low is None or high is None:
        return [""] * len(probability)
    return ["approve" if p < low else "decline" if p > high else "refer" for p in probability]


def pyfunc() -> Any:
    """The MLflow model: probability, decision and reasons for each row."""
    from mlflow.pyfunc import PythonModel

    class Served(PythonModel):
        def load_context(self, context: Any) -> None:
            self.scorer = Scorer.load(context.artifacts["model"])

        def predict(
            self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
        ) -> pd.DataFrame:
            matrix = self.scorer.matrix(model_input)
            probability = self.scorer.probability(self.scorer.margin(matrix))
            count = int((params or {}).get("reasons", 0))
            reasons = top_reasons(self.scorer, matrix, count) if count else [[] for _ in probability]
            return pd.DataFrame(
                {
                    "probability": probability,
                    "decision": decide(self.scorer.card["policy"], probability),
                    "reasons": [json.dumps(row) for row in reasons],
                }
            )

    return Served()


if not __name__.startswith("finlake."):  # run by MLflow as the model's own code
    from mlflow.models import set_model

    set_model(pyfunc())
