"""Measures against scikit-learn and hand-computed values; intervals against simulation."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from finlake.models import metrics
from finlake.models.bootstrap import Estimate, day_weights, estimate, resampled
from finlake.models.calibration import fit_calibration, isotonic
from finlake.models.periods import periods, wilson
from finlake.models.served import calibrated, sigmoid


def scores(seed: int, rows: int = 2000, ties: int = 40):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.07).astype(float)
    return np.round(rng.normal(size=rows) + labels, 1 if ties else 9), labels, rng.integers(1, 5, rows).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_ranking_measures_equal_scikit_learn_with_ties_and_weights(seed: int) -> None:
    score, label, weight = scores(seed)
    assert metrics.exact_average_precision(score, label, weight) == pytest.approx(
        average_precision_score(label, score, sample_weight=weight), abs=1e-12
    )
    assert metrics.exact_roc_auc(score, label, weight) == pytest.approx(
        roc_auc_score(label, score, sample_weight=weight), abs=1e-12
    )


def test_brier_equals_scikit_learn() -> None:
    score, label, _ = scores(3)
    positives, negatives = metrics.counts_of(score, label)
    probability = sigmoid(np.unique(score)[::-1])
    assert metrics.brier(positives, negatives, probability) == pytest.approx(brier_score_loss(label, sigmoid(score)))


def test_ks_of_a_hand_made_case() -> None:
    # scores 4 3 2 1, positives at 4 and 2: after 4 the shares are 1/2 and 0, after 3 1/2 and 1/2, after 2 1 and 1/2
    positives, negatives = np.array([1.0, 0, 1, 0]), np.array([0.0, 1, 0, 1])
    assert metrics.ks(positives, negatives) == pytest.approx(0.5)


def test_psi_is_zero_for_equal_shares_and_matches_the_formula_else() -> None:
    usual = np.array([100.0, 100.0])
    assert metrics.psi(usual, usual * 7) == pytest.approx(0, abs=1e-4)
    first, second = np.array([100.5, 100.5]) / 201, np.array([150.5, 50.5]) / 201
    assert metrics.psi(usual, np.array([150.0, 50.0])) == pytest.approx(
        ((second - first) * np.log(second / first)).sum()
    )


def test_a_sample_without_positives_has_no_measure() -> None:
    assert np.isnan(metrics.average_precision(np.zeros(3), np.ones(3)))
    assert np.isnan(metrics.roc_auc(np.zeros(3), np.ones(3)))


def test_intervals_of_resampled_days_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    covered, runs, days = 0, 120, 40
    for run in range(runs):
        rate = np.clip(rng.normal(0.3, 0.08, days), 0, 1)  # days differ: rows of one day are not independent
        rows = np.full(days, 200.0)
        positives = rng.binomial(200, rate).astype(float)
        weights = day_weights(days, seed=run)
        found = estimate((weights @ positives) / (weights @ rows))
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.3 <= found.high
    assert 0.88 <= covered / runs <= 0.99


def test_resampling_matrices_equals_resampling_rows() -> None:
    score, label, _ = scores(1, rows=600)
    day = np.arange(600) % 6
    bins = np.unique(score)[::-1]
    place = len(bins) - 1 - np.searchsorted(bins[::-1], score)
    positives, negatives = np.zeros((6, len(bins))), np.zeros((6, len(bins)))
    np.add.at(positives, (day, place), label)
    np.add.at(negatives, (day, place), 1 - label)
    weights = day_weights(6, seed=2, resamples=20)
    fast = resampled(weights, metrics.average_precision, positives, negatives)
    slow = [average_precision_score(label, score, sample_weight=row[day]) for row in weights]
    np.testing.assert_allclose(fast, slow, atol=1e-12)


def test_one_day_gives_no_interval() -> None:
    assert estimate(np.array([0.4])) == Estimate(0.4)


def test_wilson_holds_for_no_hits_and_known_values() -> None:
    low, high = wilson(0, 50)
    assert low == 0 and 0.06 < high < 0.08
    low, high = wilson(10, 100)
    assert (low, high) == pytest.approx((0.0552, 0.1744), abs=1e-3)


@pytest.mark.parametrize("positives", [60, 5000])
def test_calibration_repairs_scores_that_are_too_sure(positives: int) -> None:
    rng = np.random.default_rng(0)
    rows = positives * 10
    truth = rng.normal(-2.5, 1.0, rows)
    label = (rng.random(rows) < sigmoid(truth)).astype(float)
    margins = 2 * truth + 1.5
    bins, place = np.unique(np.round(margins, 2), return_inverse=True)
    hits, total = np.bincount(place, label), np.bincount(place)
    found = fit_calibration(bins, hits, total - hits)
    made = calibrated(found, bins)
    assert np.all(np.diff(made) >= 0)
    assert (made * total).sum() / sigmoid(truth).sum() == pytest.approx(1, abs=0.35 if positives == 60 else 0.05)
    assert np.abs(made - sigmoid((bins - 1.5) / 2)).mean() < (0.1 if positives == 60 else 0.05)


def test_isotonic_pools_violators_and_never_says_never() -> None:
    found = isotonic(np.array([0.0, 1.0, 2.0]), np.array([0.0, 3.0, 1.0]), np.array([10.0, 7.0, 9.0]))
    assert found["margins"] == [0.0, 1.5]
    assert found["probabilities"] == pytest.approx([1e-6, 0.2])


def test_a_period_with_few_rows_is_joined_to_its_neighbour() -> None:
    days = np.array([date(2025, 8, 31), *(date(2025, 9, day) for day in range(1, 31)), date(2025, 10, 1)])
    rows = np.array([1.0, *[100.0] * 30, 2.0])
    assert {name: int(inside.sum()) for name, inside in periods(days, "month", rows).items()} == {"2025-09": 32}
    assert list(periods(days, "month", np.full(32, 100.0) * np.where(np.arange(32) == 31, 30, 1))) == [
        "2025-09",
        "2025-10",
    ]
