"""Generated decisions without a leak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

DAY = 86_400_000_000


@dataclass(frozen=True)
class Case:
    """A table, how to read it, the columns that leak, and columns to make leaks from."""

    frame: pd.DataFrame
    read: dict[str, Any]
    leaks: frozenset[str] = frozenset()
    kind: str = ""
    amount: str = "amount"
    category: str = "shop"
    owed: str = "limit"


READ = {"label": "label", "time": "at", "entity": ["customer"], "key": "key", "as_of": datetime(2025, 1, 1)}


def clean(seed: int, rows: int = 8_000, rate: float = 0.06) -> Case:
    """Half a year of decisions of customers in shops; the outcome depends on features of moderate power, past bursts and chance.

    Windows hold earlier rows only, and labels of rows at least a week older. Some values are missing, more so for some
    outcomes; one flag is rare; the rate drifts.
    """
    draw = np.random.default_rng(seed)
    customer = (draw.pareto(1.5, rows) * 40).astype(int) % (rows // 15)
    micros = np.sort(draw.integers(0, 180 * DAY, rows))
    shop = draw.integers(0, 40, rows)
    parts = draw.normal(size=(rows, 6))
    amount = np.round(np.exp(draw.normal(3, 1, rows)), 2)
    limit = np.round(np.exp(draw.normal(8, 0.7, rows)), 0)
    strong = draw.normal(size=rows)
    strength = draw.uniform(0.4, 1.3)
    risk = draw.normal(0, 0.5, 40)[shop] + draw.normal(0, 0.4, rows // 15)[customer]
    odds = strength * strong + parts @ np.linspace(0.1, 0.5, 6) + 0.4 * (np.log(amount) - 3) + risk
    odds += 0.8 * micros / (180 * DAY)
    odds += draw.logistic(size=rows)
    label = (odds > np.quantile(odds, 1 - rate)).astype(int)
    frame = pd.DataFrame(
        {
            "key": [f"d{number}" for number in draw.permutation(rows)],
            "at": pd.to_datetime(micros + 1_719_792_000_000_000, unit="us"),
            "customer": customer,
            "shop": np.char.add("shop", shop.astype(str)),
            "amount": amount,
            "limit": limit,
            "used": np.round(limit * draw.beta(2, 3, rows), 2),
            "strong": strong,
            "night": (draw.random(rows) < 0.1).astype(int),
            "rare": (draw.random(rows) < 0.004 + 0.02 * label).astype(int),
            "label": label,
        }
    )
    for place in range(6):
        missing = draw.random(rows) < 0.1 * place / 5 + 0.05 * label
        frame[f"part{place}"] = np.where(missing, np.nan, parts[:, place])
    count, total = past(customer, micros, amount, 30)
    frame["spend_mean_30d"] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    frame["rows_7d"] = past(customer, micros, amount, 7)[0]
    count, hits = past(shop, micros, label, 30, ends_before=7)
    frame["shop_share_30d"] = np.where(count > 0, hits / np.maximum(count, 1), np.nan)
    count, hits = past(customer, micros, label, 60, ends_before=7)
    frame["share_60d"] = np.where(count > 0, hits / np.maximum(count, 1), 0.0)
    frame["amount_before"] = frame.groupby("customer")["amount"].shift(1)
    return Case(frame, dict(READ))


def past(
    entity: Any, micros: Any, values: Any, days: float, ends_before: float = 0, own: bool = False
) -> tuple[Any, Any]:
    """Count and sum over the entity's rows in [at - ends_before - days, at - ends_before), or up to and with `at`."""
    codes = pd.factorize(entity)[0].astype(np.int64)
    micros = np.asarray(micros, dtype=np.int64)
    micros = micros - micros.min()
    order = np.lexsort((micros, codes))
    place = codes[order] * (1 << 50) + micros[order]
    summed = np.r_[0.0, np.cumsum(np.asarray(values, dtype=float)[order])]
    until = np.searchsorted(place, place - int(ends_before * DAY), "right" if own else "left")
    since = np.searchsorted(place, place - int((ends_before + days) * DAY), "left")
    first = np.searchsorted(codes[order], codes[order], "left")
    until, since = np.maximum(until, first), np.maximum(since, first)
    count, total = np.empty(len(order)), np.empty(len(order))
    count[order], total[order] = until - since, summed[until] - summed[since]
    return count, total
