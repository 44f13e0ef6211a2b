"""The module of conf/python in the payments world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Curve:
    height: float
    width: float

    def at(self, x: pd.Series[float]) -> pd.Series[float]:
        return self.height * np.tanh(x / self.width)


CURVE = Curve(0.5, 1000.0)


def damped(
    amount: pd.Series[float], usual: pd.Series[float], shop: pd.Series[str], km: pd.Series[float]
) -> pd.Series[float]:
    """How far an amount lies above what is usual, at most so far; plus 1 in one shop, and plus the distance elsewhere."""
    return CURVE.at(amount - usual.fillna(0.0)) + shop.map({"s1": 1.0}).fillna(km)
