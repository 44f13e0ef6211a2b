"""The scoreboard's protocols by hand: who leaves a test, whom a hundred calls reach, which rows choosing may read."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmarks.scoreboard import handbook, lendingclub
from benchmarks.scoreboard.board import Reads, Result, markdown, save
from benchmarks.scoreboard.boosted import RANKING, Setting, boosted, drawn
from sklearn.metrics import average_precision_score, roc_auc_score

from finlake.models.bootstrap import Estimate, day_weights

START = date(2018, 7, 25)


def payments(*rows: tuple[int, int, int]) -> pd.DataFrame:
    """(days after START, customer, fraud)."""
    days = [np.datetime64(START + timedelta(days=row[0]), "D") for row in rows]
    table = pd.DataFrame({"customer_id": [row[1] for row in rows], "fraud": [row[2] for row in rows]})
    return table.assign(day=np.array(days, "datetime64[D]"))


def test_a_fold_trains_seven_days_waits_seven_and_tests_seven() -> None:
    part = handbook.fold(payments(*((day, day, 0) for day in range(-3, 30))), START, 7)
    assert list(part.train - 3) == list(range(7))
    assert list(part.test - 3) == list(range(14, 21))


def test_longer_training_ends_on_the_same_day_and_tests_the_same_rows() -> None:
    rows = payments(*((day, day % 5, int(day == 2 or day == -20)) for day in range(-60, 30)))
    week, longer = handbook.fold(rows, START, 7), handbook.fold(rows, START, 60)
    assert len(longer.train) == 60 and longer.train.max() == week.train.max()
    assert list(longer.test) == list(week.test)


def test_customers_leave_when_their_fraud_is_known() -> None:
    rows = payments(
        (3, 1, 1), (8, 2, 1), (15, 3, 1),  # known before the test; known on test day 2; a fraud inside the test
        *((14 + day, customer, 0) for day in range(7) for customer in (1, 2, 3, 4)),
    )  # fmt: skip
    tested = rows.iloc[handbook.fold(rows, START, 7).test]
    days = tested.groupby("customer_id")["day"].apply(
        lambda found: sorted({(day - rows["day"][0]).days + 3 for day in found})
    )
    assert 1 not in days
    assert days[2] == [14, 15]
    assert days[3] == days[4] == list(range(14, 21))


def test_card_precision_calls_customers_once_a_day_and_the_found_leave() -> None:
    table = pd.DataFrame(
        [
            (0, 1, 1, 9.0),
            (0, 1, 0, 1.0),
            (0, 2, 0, 8.0),
            (0, 3, 1, 1.0),
            (1, 1, 1, 9.0),
            (1, 2, 0, 8.0),
            (1, 3, 1, 7.0),
        ],
        columns=["day", "customer", "fraud", "score"],
    )
    found = handbook.card_precision(*(table[name].to_numpy() for name in table), calls=2)
    assert list(found) == [0.5, 0.5]  # day 0: 1 and 2; day 1: 1 has left, so 2 and 3


def test_choosing_never_reads_a_test_row() -> None:
    first_test = min(handbook.STARTS) + timedelta(days=14)
    assert max(handbook.BEFORE) + timedelta(days=20) < first_test
    assert len(handbook.STARTS) == len(handbook.BEFORE) == 4


def test_a_charge_off_comes_150_days_after_the_last_payment_and_counts_as_early_within_a_year() -> None:
    issued = np.array(["2009-12-01"] * 4, "datetime64[D]")
    paid = np.array(["2010-07-01", "2010-07-04", "NaT", "2010-01-01"], "datetime64[D]")
    bad = np.array([1, 1, 1, 0], "float32")  # 28 November, 1 December, never paid, paid back
    assert list(lendingclub._charged_off_early(issued, bad, paid)) == [1, 0, 1, 0]
    assert np.datetime64("2009-12-31") + np.timedelta64(366, "D") <= np.datetime64(lendingclub.TEST)


def test_choosing_a_loan_model_never_reads_a_test_loan(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    rows = pd.DataFrame({"event_ts": pd.date_range("2008-01-01", "2011-12-31", periods=600)})
    bad = draw.random(600) < 0.3
    rows = rows.assign(
        loan_status=np.where(bad, "Charged Off", "Fully Paid"), last_pymnt_d=rows["event_ts"], a=draw.normal(size=600)
    )
    said: list[str] = []
    settings = [Setting(depth=2, rate=0.3, rounds=5, child=0)] * 2
    lendingclub.results(rows, ["a", "grade_number"], Reads(tmp_path / "one.json"), said.append, settings)
    other = rows.assign(loan_status=np.where(rows["event_ts"] < lendingclub.TEST, rows["loan_status"], "Charged Off"))
    again: list[str] = []
    other.loc[599, "loan_status"] = "Fully Paid"
    lendingclub.results(other, ["a", "grade_number"], Reads(tmp_path / "two.json"), again.append, settings)
    assert [text for text in said if "validation" in text] == [text for text in again if "validation" in text]


def test_measures_equal_scikit_learn_with_rows_repeated_as_their_days_are_drawn() -> None:
    draw = np.random.default_rng(3)
    label, day = (draw.random(400) < 0.2).astype(float), draw.integers(0, 7, 400)
    score = np.round(draw.normal(size=400) + label, 1)
    weights = day_weights(7, 1, 5)
    found = drawn(score, label, day, weights, RANKING)
    for place, row in enumerate(weights):
        assert found["average precision"][place] == pytest.approx(
            average_precision_score(label, score, sample_weight=row[day])
        )
        assert found["ROC AUC"][place] == pytest.approx(roc_auc_score(label, score, sample_weight=row[day]))


def test_the_same_setting_gives_the_same_scores_and_more_seeds_their_mean() -> None:
    draw = np.random.default_rng(5)
    matrix = draw.normal(size=(500, 3)).astype("float32")
    label = (matrix[:, 0] + draw.normal(size=500) > 1).astype("float32")
    one = Setting(depth=2, rate=0.3, rounds=5, rows=0.7)
    assert list(boosted(matrix, label, one)(matrix)) == list(boosted(matrix, label, one)(matrix))
    two = boosted(matrix, label, Setting(depth=2, rate=0.3, rounds=5, rows=0.7, seeds=2))(matrix)
    assert not np.allclose(two, boosted(matrix, label, one)(matrix))


def test_reads_are_counted_before_they_happen_and_the_table_says_so(tmp_path: Path) -> None:
    reads = Reads(tmp_path / "work" / "test_reads.json")
    assert [reads.count("a"), reads.count("b"), reads.count("a")] == [1, 1, 2]
    result = Result(
        "File", "protocol", {"ROC AUC": Estimate(0.7123, 0.70, 0.72)}, "depth 3", {"ROC AUC": 0.695}, test_reads=2
    )
    assert "| File | protocol | ROC AUC | 0.7123 | 0.700–0.720 | 0.695 |  | 2 | depth 3 |" in markdown([result])
    written = save([result], tmp_path / "board")
    assert json.loads(written[1].read_text())[0]["figures"]["ROC AUC"]["value"] == 0.7123
