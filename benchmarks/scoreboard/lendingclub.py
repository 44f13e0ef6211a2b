"""LendingClub's loans out of time: as published, and with what could be known in 2011."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from benchmarks.scoreboard.board import Reads, Result, Say
from benchmarks.scoreboard.boosted import RISK, Setting, boosted, drawn
from finlake.models.bootstrap import Estimate, day_weights, estimate
from finlake.models.metrics import exact_roc_auc

SEED = 7
TEST = "2011-01-01"
PUBLISHED = {"average precision": 0.268, "ROC AUC": 0.695, "KS": 0.292}
WANTED = {"ROC AUC": 0.705}
SETTINGS = [
    Setting(depth=3, rate=0.02, rounds=500, child=20, rows=0.7, columns=0.4, ridge=10, seeds=5),
    Setting(depth=2, rate=0.03, rounds=500, child=20, rows=0.7, columns=0.4, ridge=10, seeds=5),
    Setting(depth=2, rate=0.02, rounds=300, child=5, rows=0.7, columns=0.4, ridge=10, seeds=5),
]
LEFT_OUT = ("grade_number", "sub_grade_number")  # the lender's own score, which the interest rate already holds
UP = ("this_int_rate", "this_term", "payment_to_income", "this_inq_last_6mths")
DOWN = ("income",)
EARLY = 12  # months within which a charge-off is looked for, where outcomes must be known


def results(
    rows: pd.DataFrame, features: Sequence[str], reads: Reads, say: Say, settings: Sequence[Setting] = SETTINGS
) -> list[Result]:
    """Two rows on the same test loans, those issued in 2011, with their outcome in the end.

    `rows`: event_ts (month of issue), loan_status, last_pymnt_d, features.
    """
    issued = rows["event_ts"].to_numpy("datetime64[D]")
    bad = rows["loan_status"].str.contains("Charged Off").to_numpy().astype("float32")
    features = [name for name in features if name not in LEFT_OUT]
    matrix = rows[features].to_numpy("float32")
    signs = [int(name in UP) - int(name in DOWN) for name in features]
    test = issued >= np.datetime64(TEST)

    early = _charged_off_early(issued, bad, rows["last_pymnt_d"].to_numpy("datetime64[D]"))
    runs = [
        ("train ≤ 2010, test 2011, as published", bad, ("2010-01-01", "2010-07-01", TEST),
         "trains on outcomes that nobody knew in 2011"),
        ("labels matured: charged off within 12 months, issued ≤ 2009", early, ("2009-01-01", "2009-07-01", "2010-01-01"),
         f"learns what was known on {TEST}; a charge-off is dated 150 days after the last payment; tested on final outcomes"),
    ]  # fmt: skip
    made = []
    for protocol, label, halves, note in runs:
        learnt = issued < np.datetime64(halves[-1])
        setting = _chosen(matrix, label, issued, halves, signs, settings, say, protocol)
        score = boosted(matrix[learnt], label[learnt], setting, signs)(matrix[test])
        count = reads.count("lendingclub")
        figures = _measured(score, bad[test], issued[test])
        say(f"lendingclub, {protocol}: " + ", ".join(f"{name} {one.text(4)}" for name, one in figures.items()))
        published = label is bad
        made.append(Result("LendingClub", protocol, figures, f"{len(features)} features, {setting}", PUBLISHED if published else {},
                           WANTED if published else {}, note, count))  # fmt: skip
    return made


def _charged_off_early(issued: np.ndarray, bad: np.ndarray, paid: np.ndarray) -> np.ndarray:
    """Whether a loan was charged off within `EARLY` months of its issue: known on TEST of all loans issued until 2009.

    A loan is charged off 150 days after its last payment; one that never paid, 150 days after its first instalment.
    """
    last = np.where(np.isnat(paid), issued + np.timedelta64(30, "D"), paid)
    off = last + np.timedelta64(150, "D")
    due = (issued.astype("datetime64[M]") + np.timedelta64(EARLY, "M")).astype("datetime64[D]")
    return ((bad == 1) & (off < due)).astype("float32")


def _chosen(
    matrix: np.ndarray,
    label: np.ndarray,
    issued: np.ndarray,
    halves: Sequence[str],
    signs: Sequence[int],
    settings: Sequence[Setting],
    say: Say,
    about: str,
) -> Setting:
    """The setting with the highest mean ROC AUC over half-years, each learnt from all loans issued before it."""
    days = np.array(halves, "datetime64[D]")
    best: tuple[float, Setting] | None = None
    for setting in settings:
        each = []
        for begins, ends in pairwise(days):
            before, choose = issued < begins, (issued >= begins) & (issued < ends)
            score = boosted(matrix[before], label[before], setting, signs)(matrix[choose])
            each.append(exact_roc_auc(score, label[choose]))
        found = float(np.mean(each))
        say(f"lendingclub, {about}, validation: {setting}: mean ROC AUC {found:.4f}")
        if best is None or found > best[0]:
            best = (found, setting)
    assert best is not None
    return best[1]


def _measured(score: np.ndarray, label: np.ndarray, issued: np.ndarray) -> dict[str, Estimate]:
    """Intervals are of resampled months of issue."""
    _, month = np.unique(issued, return_inverse=True)
    weights = day_weights(int(month.max()) + 1, SEED)
    return {name: estimate(values) for name, values in drawn(score, label, month, weights, RISK).items()}
