"""The Fraud Detection Handbook's protocol: four folds of 7 days training, 7 days delay, 7 days test.

Le Borgne, Siblini, Lebichot, Bontempi: "Reproducible Machine Learning for Credit Card Fraud Detection" (2022), chapters on
performance and validation. Customers known to be compromised leave the test: those with fraud in the training week, and on
test day d those with fraud between the end of that week and seven days before d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.scoreboard.board import Reads, Result, Say
from benchmarks.scoreboard.boosted import RANKING, Setting, boosted, drawn
from finlake.models.bootstrap import Estimate, day_weights, estimate

CALLS, SEED = 100, 7
_WEEK = timedelta(days=7)
STARTS = [date(2018, 7, 25) + _WEEK * place for place in (3, 2, 1, 0)]
# Validation weeks end before the first test week begins, on 8 August; choosing reads no test row.
BEFORE = [date(2018, 7, 18) - _WEEK * place for place in range(4)]
PUBLISHED = {"average precision": 0.687, "ROC AUC": 0.879, "card precision@100": 0.305}
WANTED = {
    7: {"average precision": 0.71, "ROC AUC": 0.879, "card precision@100": 0.306},
    28: {"average precision": 0.73, "ROC AUC": 0.885, "card precision@100": 0.312},
    60: {"average precision": 0.73, "ROC AUC": 0.885, "card precision@100": 0.312},
}
PROTOCOL = [
    "this_amount", "weekend", "night",
    *(f"customer_{what}_{days}d" for what in ("payments", "mean") for days in (1, 7, 30)),
    *(f"terminal_{what}_{days}d" for what in ("payments", "fraud_share") for days in (1, 7, 30)),
]  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """Row positions; `start` is the first day of the protocol's training week."""

    start: date
    train: np.ndarray
    test: np.ndarray


def fold(rows: pd.DataFrame, start: date, days: int) -> Fold:
    """`days` of training that end with the protocol's training week.

    The protocol's own week says who is known to be compromised, so all lengths are tested on the same rows.

    `rows`: day, customer_id, fraud.
    """
    day, customer = rows["day"].to_numpy(), rows["customer_id"].to_numpy()
    fraud = rows["fraud"].to_numpy() == 1
    at = np.datetime64(start)
    train = np.flatnonzero((day >= at + 7 - days) & (day < at + 7))
    parts = []
    for number in range(7):
        known = customer[fraud & (day >= at) & (day < at + 7 + number)]
        today = np.flatnonzero(day == at + 14 + number)
        parts.append(today[~np.isin(customer[today], known)])
    return Fold(start, train, np.concatenate(parts))


def card_precision(
    day: np.ndarray, customer: np.ndarray, fraud: np.ndarray, score: np.ndarray, calls: int = CALLS
) -> np.ndarray:
    """By day, the share of the `calls` highest customers that have fraud that day; who is found leaves on later days."""
    found: np.ndarray = np.array([], dtype=customer.dtype)
    made = []
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & ~np.isin(customer, found))
        table = pd.DataFrame({"customer": customer[rows], "fraud": fraud[rows], "score": score[rows]})
        called = table.groupby("customer").max().sort_values("score", ascending=False, kind="stable").head(calls)
        hits = called.index[called["fraud"] == 1].to_numpy()
        found = np.concatenate([found, hits])
        made.append(len(hits) / calls)
    return np.array(made)


def measured(rows: pd.DataFrame, test: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The protocol's three measures of a fold under resampled test days."""
    part = rows.iloc[test]
    fraud, day = part["fraud"].to_numpy(), part["day"].to_numpy()
    _, place = np.unique(day, return_inverse=True)
    found = drawn(score, fraud, place, weights, RANKING)
    daily = card_precision(day, part["customer_id"].to_numpy(), fraud, score)
    return {**found, "card precision@100": weights @ daily / weights.sum(axis=1)}


def over_folds(
    rows: pd.DataFrame, features: Sequence[str], starts: Sequence[date], days: int, setting: Setting, draws: int
) -> dict[str, np.ndarray]:
    """Mean over folds of each measure: first as it is, then under `draws` resamples of test days."""
    fraud, found = rows["fraud"].to_numpy("float32"), []
    for place, start in enumerate(starts):
        part = fold(rows, start, days)
        train, test = (rows.iloc[which][list(features)].to_numpy("float32") for which in (part.train, part.test))
        score = boosted(train, fraud[part.train], setting)(test)
        weights = day_weights(7, SEED + place, draws) if draws else np.ones((1, 7))
        found.append(measured(rows, part.test, score, weights))
    return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}


def chosen(
    rows: pd.DataFrame, features: Sequence[str], days: int, settings: Sequence[Setting], say: Say, folds: int = 4
) -> Setting:
    """The setting with the highest mean average precision over the validation weeks."""
    best: tuple[float, Setting] | None = None
    for setting in settings:
        found = over_folds(rows, features, BEFORE[:folds], days, setting, 0)
        figures = ", ".join(f"{name} {values[0]:.4f}" for name, values in found.items())
        say(f"handbook, {days} days, validation: {setting}: {figures}")
        if best is None or found["average precision"][0] > best[0]:
            best = (float(found["average precision"][0]), setting)
    assert best is not None
    return best[1]


def tested(
    rows: pd.DataFrame, features: Sequence[str], days: int, setting: Setting, reads: Reads, say: Say
) -> tuple[dict[str, Estimate], int]:
    """The four test folds, read once."""
    count = reads.count("handbook")
    found = over_folds(rows, features, STARTS, days, setting, 400)
    figures = {name: estimate(values) for name, values in found.items()}
    say(f"handbook, {days} days, test: " + ", ".join(f"{name} {one.text(4)}" for name, one in figures.items()))
    return figures, count


PLAIN = Setting(depth=3, rate=0.1, rounds=100, bins=8192)
SETTINGS = {
    7: [
        Setting(depth=3, rate=0.1, rounds=100, bins=2048),
        Setting(depth=3, rate=0.05, rounds=200, bins=2048, rows=0.8, columns=0.3, seeds=3),
    ],
    28: [
        Setting(depth=4, rate=0.08, rounds=120, bins=4096, rows=0.8, columns=0.3, seeds=3),
        Setting(depth=5, rate=0.08, rounds=100, bins=4096, child=5, rows=0.8, columns=0.3, seeds=3),
        Setting(depth=3, rate=0.05, rounds=200, bins=2048, rows=0.8, columns=0.3, seeds=3),
    ],
}
LONGEST = 60  # days; takes the setting chosen with 28
DATES = ("terminal_first_", "terminal_last_")  # days in the calendar, which mean nothing in a later week


def results(rows: pd.DataFrame, features: Sequence[str], reads: Reads, say: Say) -> list[Result]:
    """The protocol with its own features, then with finlake's, then with longer training on the same test rows."""
    features = [name for name in features if not name.startswith(DATES)]
    setting = {
        days: chosen(rows, features, days, listed, say, 4 if days == 7 else 2) for days, listed in SETTINGS.items()
    }
    setting[LONGEST] = setting[28]
    figures, count = tested(rows, PROTOCOL, 7, PLAIN, reads, say)
    made = [Result("Handbook", "four folds, 7 days of training, the protocol's 15 features", figures, str(PLAIN), PUBLISHED,
                   test_reads=count)]  # fmt: skip
    for days, taken in setting.items():
        figures, count = tested(rows, features, days, taken, reads, say)
        protocol = f"four folds, {days} days of training" + ("" if days == 7 else ", same test rows")
        said = f"{len(features)} features, {taken}"
        made.append(Result("Handbook", protocol, figures, said, PUBLISHED if days == 7 else {}, WANTED[days],
                           test_reads=count))  # fmt: skip
    return made
