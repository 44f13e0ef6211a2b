"""Effect sizes against hand-computed values; judged by limit and by what chance shows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.drift_shapes import shape

from finlake.monitoring.drift import FEWEST_PERIODS, LIMITS, Effect, judge, pooled
from finlake.monitoring.edges import FEW, MOST_BINS, QUANTILES, edges, place
from finlake.monitoring.findings import drifted, shape_of


def effects(before: list[np.ndarray], now: np.ndarray) -> dict[str, Effect]:
    known = np.concatenate(before)
    known = known[~np.isnan(known)]
    ends = edges(known.min(), [*np.quantile(known, QUANTILES, method="inverted_cdf"), known.max()])
    return {effect.name: effect for effect in judge(shape(before, ends), shape([now], ends))}


def normal(periods: int, rows: int, seed: int = 1) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.normal(50, 10, rows) for _ in range(periods)]


def notable(found: dict[str, Effect]) -> set[str]:
    return {name for name, effect in found.items() if effect.notable}


def test_bins_end_at_quantiles_and_values_never_seen_have_bins_of_their_own() -> None:
    assert len(QUANTILES) == FEW - 1
    ends = edges(1.0, [2.0, 2.0, 5.0])
    assert ends[1:] == [2.0, 5.0]
    assert place(np.array([0.999, 1.0, 2.0, 2.001, 5.0, 5.001]), ends).tolist() == [0, 1, 1, 2, 2, 3]
    assert len(edges(0.0, list(range(FEW)))) + 1 == MOST_BINS


def test_the_mean_difference_and_cliffs_delta_are_as_computed_from_the_rows() -> None:
    before, now = normal(FEWEST_PERIODS, 400), np.random.default_rng(2).normal(56, 13, 300)
    found, rows = effects(before, now), np.concatenate(before)
    spread = math.sqrt((rows.std(ddof=1) ** 2 + now.std(ddof=1) ** 2) / 2)
    assert found["mean"].value == pytest.approx((now.mean() - rows.mean()) / spread)
    exact = np.sign(now[:, None] - rows[None, :]).mean()
    assert found["rank"].value == pytest.approx(exact, abs=0.01)  # values of one bin are tied


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_periods_pool_to_what_their_rows_together_show(periods: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    parts = [draw.normal(1e6, 1, int(draw.integers(2, 50))) for _ in range(periods)]
    ends = edges(1e6 - 9, [1e6, 1e6 + 9])
    found, rows = pooled(shape(parts, ends)), np.concatenate(parts)
    assert found.mean[0] == pytest.approx(rows.mean())
    assert found.std[0] == pytest.approx(rows.std(ddof=1))
    assert found.counts[0].sum() == len(rows)


def test_pools_without_one_period_each() -> None:
    parts = [np.array([1.0, 3.0]), np.array([5.0, 7.0]), np.array([np.nan, 9.0])]
    found = pooled(shape(parts, [4.0]), 1 - np.eye(3))
    assert found.mean.tolist() == pytest.approx([7.0, 13 / 3, 4.0])
    assert found.counts.tolist() == [[0, 3, 1], [2, 1, 1], [2, 2, 0]]


@pytest.mark.parametrize("rows", [50, 1000])
def test_a_factor_of_a_hundred_is_gross_in_small_and_large_samples(rows: int) -> None:
    before, now = normal(8, rows), normal(1, rows, seed=9)[0]
    assert notable(effects(before, now)) == set()
    assert any(effect.gross for effect in effects(before, now * 100).values())


def test_size_alone_makes_no_drift() -> None:
    """A hundredth of a standard deviation is significant in two million rows, and nobody's concern."""
    before, now = normal(6, 300_000), normal(1, 300_000, seed=9)[0] + 0.1
    assert notable(effects(before, now)) == set()


def test_a_shift_is_told_from_chance_only_with_enough_rows() -> None:
    few = effects(normal(8, 40), normal(1, 40, seed=9)[0] + 3)
    many = effects(normal(8, 4000), normal(1, 4000, seed=9)[0] + 3)
    assert notable(few) == set()
    assert {"mean", "rank"} <= notable(many)
    assert not any(effect.gross for effect in many.values())


def test_periods_that_always_differ_widen_what_counts_as_chance() -> None:
    draw = np.random.default_rng(4)
    moving = [draw.normal(50 + 6 * (number % 2), 10, 2000) for number in range(12)]
    now = draw.normal(56, 10, 2000)
    assert notable(effects(moving, now)) == set()
    still = [draw.normal(50, 10, 2000) for _ in range(12)]
    assert {"mean", "rank"} <= notable(effects(still, now))


def test_unknown_values_are_an_effect_of_their_own_and_a_vanished_feature_is_found() -> None:
    before, now = normal(8, 500), normal(1, 500, seed=9)[0]
    some = np.where(np.arange(500) % 4 == 0, np.nan, now)
    found = effects(before, some)
    assert found["unknown"].value == pytest.approx(0.25)
    assert found["unknown"].gross
    gone = effects(before, np.full(500, np.nan))
    assert gone["unknown"].value == 1
    assert gone["unknown"].gross
    assert not gone["mean"].notable


def test_two_constants_differ_without_end_and_one_does_not() -> None:
    before = [np.full(60, 3.0) for _ in range(7)]
    assert notable(effects(before, np.full(60, 3.0))) == set()
    found = effects(before, np.full(60, 2.0))
    assert found["mean"].value == -math.inf
    assert found["mean"].gross


def test_too_little_to_compare_with_is_not_judged() -> None:
    assert effects(normal(FEWEST_PERIODS - 1, 100), normal(1, 100)[0]) == {}
    assert effects(normal(8, 100), normal(1, 20)[0]) == {}
    assert effects([*normal(FEWEST_PERIODS - 1, 100), *normal(4, 10)], normal(1, 100)[0]) == {}


def test_findings_say_figure_limit_and_what_was_usual() -> None:
    parts = [*normal(8, 500), normal(1, 500, seed=9)[0] * 100]
    ends = edges(0.0, [20.0, 40.0, 60.0, 100.0])
    made = shape(parts, ends)
    rows = [
        {"mean": made.mean[n], "std": None if n == 20 else made.std[n], "counts": made.counts[n].tolist()}
        for n in range(len(parts))
    ]
    assert shape_of(rows).counts.tolist() == made.counts.tolist()
    found = drifted("spend", rows[:-1], rows[-1])
    assert found[0].blocking
    assert {finding.effect for finding in found} == {"psi", "mean", "rank"}
    said = next(finding for finding in found if finding.effect == "psi")
    assert said.limit == LIMITS["psi"].notable
    assert "its distribution moved: PSI" in said.text
    assert "(limit 0.1, 0." in said.text
