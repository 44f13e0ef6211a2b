"""Cross-validation in time: no fold is judged on what it learnt from, nor within the gap of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_data import rows

from finlake.config import Duration
from finlake.config.use_case import Folds
from finlake.errors import TrainingError
from finlake.models.folds import cuts_of, fold_bounds

FIRST = date(2025, 1, 31)
DAY = Duration.parse("1d")


def folds(**given: Any) -> Folds:
    return Folds(**{"count": 3, **given})


def test_expanding_and_rolling_folds_of_ninety_days() -> None:
    first, last = date(2025, 1, 1), date(2025, 3, 31)  # 90 days: 45, then three pieces of 15
    made = fold_bounds(first, last, folds(gap="14d"), DAY)
    assert [(f.judged_since, f.judged_until) for f in made] == [
        (date(2025, 3, 17), date(2025, 4, 1)),
        (date(2025, 3, 2), date(2025, 3, 17)),
        (date(2025, 2, 15), date(2025, 3, 2)),
    ]
    assert [(f.since, f.until) for f in made] == [
        (first, date(2025, 3, 3)), (first, date(2025, 2, 16)), (first, date(2025, 2, 1)),
    ]  # fmt: skip
    rolling = fold_bounds(first, last, folds(gap="14d", kind="rolling"), DAY)
    assert [f.until for f in rolling] == [f.until for f in made]
    assert {f.until - f.since for f in rolling} == {timedelta(days=31)}
    assert str(made[2]) == "learns 2025-01-01 to 2025-01-31, judged 2025-02-15 to 2025-03-01"


def test_the_gap_is_the_labels_maturity_unless_given_and_parts_of_days_are_whole_ones() -> None:
    last = FIRST + timedelta(days=399)
    for gap, days in ((Duration.parse("14d"), 14), (Duration.parse("30h"), 2), (Duration.parse("0d"), 0)):
        made = fold_bounds(FIRST, last, folds(), gap)
        assert {(f.judged_since - f.until).days for f in made} == {days}
        assert made == fold_bounds(FIRST, last, folds(gap=gap), DAY)
    months = fold_bounds(FIRST, last, folds(gap="2 months", count=2), DAY)
    assert [(f.judged_since, f.until) for f in months] == [
        (date(2025, 11, 27), date(2025, 9, 27)), (date(2025, 8, 19), date(2025, 6, 19)),
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    count=st.integers(2, 6), kind=st.sampled_from(["expanding", "rolling"]), gap=st.integers(0, 30),
    days=st.integers(5, 300),
)  # fmt: skip
def test_no_judged_row_is_before_or_within_the_gap_of_a_learnt_row(count: int, kind: str, gap: int, days: int) -> None:
    data = rows(count + gap, 4000, days, FIRST)
    try:
        made = fold_bounds(*data.span, folds(count=count, kind=kind, gap=f"{gap}d"), DAY)
    except TrainingError:
        assert days // 2 < count or days - days // 2 // count * count - gap < 1
        return
    judged: list[int] = []
    for fold in made:
        learnt, held = data.between(fold.since, fold.until), data.between(fold.judged_since, fold.judged_until)
        assert held.days.min() - learnt.days.max() > gap
        judged += list(held.days)
    assert len(judged) == np.isin(data.days, judged).sum(), "no row is judged twice"
    assert data.days.max() in judged
    lengths = {(fold.until - fold.since).days for fold in made}
    assert len(lengths) == (1 if kind == "rolling" else count)


def test_rows_keep_their_places_in_a_fold() -> None:
    data = rows(3)
    since, until = data.span[0] + timedelta(days=10), data.span[0] + timedelta(days=20)
    some = data.between(since, until)
    kept = (data.days >= data.days.min() + 10) & (data.days < data.days.min() + 20)
    np.testing.assert_array_equal(some.matrix, data.matrix[kept])
    np.testing.assert_array_equal(some.labels, data.labels[kept])
    assert some.span == (since, until - timedelta(days=1))


def test_too_little_history_and_one_class_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"40 days of train .* too few for 3 folds after a gap of 30d"):
        fold_bounds(FIRST, FIRST + timedelta(days=39), folds(), Duration.parse("30d"))
    with pytest.raises(TrainingError, match="4 days of train"):
        fold_bounds(FIRST, FIRST + timedelta(days=3), folds(), Duration.parse("0d"))
    data = rows(5)
    data.labels[data.days > data.days.min() + 49] = 0
    with pytest.raises(
        TrainingError, match=r"the fold that learns .* has \d+ rows with 0 positives between 2025-02-20"
    ):
        cuts_of(data, fold_bounds(*data.span, folds(), DAY))
