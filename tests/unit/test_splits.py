"""Parts of a training set in time."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from finlake.config import UseCase
from finlake.errors import ConfigError, TrainingError
from finlake.features.splits import split_bounds

AS_OF = datetime(2025, 10, 15, tzinfo=UTC)


def use_case(split: dict[str, Any], matures: str = "14d", zone: str = "Europe/Berlin") -> UseCase:
    return UseCase.model_validate(
        {
            "use_case": "fraud",
            "purpose": "p",
            "owner": "o",
            "approver": "a",
            "materiality": "low",
            "zone": zone,
            "score": {"each": "payments"},
            "label": {"name": "fraud", "positive": "x = 1", "from": {"source": "reports"}, "matures_after": matures},
            "features": ["this.amount"],
            "split": split,
            "baseline_rule": "this.amount > 1",
            "policy": {"alerts_per_day": 3, "one_alert_per": "card"},
        }
    )


LENGTHS = {"train": "90d", "choose": "14d", "test": "21d", "gap_before_each": "14d"}


def test_lengths_are_laid_back_from_the_last_day_with_mature_labels():
    bounds = split_bounds(use_case(LENGTHS), AS_OF)
    assert bounds.test.days("Europe/Berlin") == (date(2025, 9, 10), date(2025, 9, 30))
    assert bounds.choose.days("Europe/Berlin") == (date(2025, 8, 13), date(2025, 8, 26))
    assert bounds.train.days("Europe/Berlin") == (date(2025, 5, 1), date(2025, 7, 29))
    assert bounds.test.until == datetime(2025, 9, 30, 22, tzinfo=UTC)  # midnight in Berlin


def test_days_keep_their_length_when_clocks_change():
    bounds = split_bounds(use_case(LENGTHS), datetime(2025, 6, 20, tzinfo=UTC))
    since = bounds.train.since
    assert since is not None
    assert (since.hour, bounds.train.until.hour) == (23, 22)  # winter, then summer time


def test_the_last_day_with_events_ends_the_test():
    bounds = split_bounds(use_case(LENGTHS), AS_OF, last_event=datetime(2025, 8, 1, 10, tzinfo=UTC))
    assert bounds.test.days("Europe/Berlin")[1] == date(2025, 8, 1)


def test_months_are_months():
    split = {"train": "12 months", "choose": "3 months", "test": "3 months", "gap_before_each": "1 month"}
    bounds = split_bounds(use_case(split, matures="14 months", zone="UTC"), AS_OF)
    assert bounds.test.days("UTC") == (date(2024, 5, 15), date(2024, 8, 14))
    assert bounds.choose.days("UTC") == (date(2024, 1, 15), date(2024, 4, 14))
    assert bounds.train.days("UTC") == (date(2022, 12, 15), date(2023, 12, 14))


def test_periods_are_taken_as_they_are():
    split = {
        "train": {"until": "2020-12-31"},
        "choose": {"from": "2022-03-01", "until": "2022-08-31"},
        "test": {"from": "2023-11-01", "until": "2024-07-31"},
    }
    bounds = split_bounds(use_case(split, zone="UTC"), AS_OF)
    assert bounds.train.since is None
    assert bounds.train.until == datetime(2021, 1, 1, tzinfo=UTC)
    assert bounds.test.days("UTC") == (date(2023, 11, 1), date(2024, 7, 31))


def test_too_little_history_and_part_days_are_refused():
    with pytest.raises(TrainingError, match="before the first event"):
        split_bounds(use_case(LENGTHS), AS_OF, first_event=datetime(2025, 8, 1, tzinfo=UTC))
    with pytest.raises(ConfigError, match="30h is not whole days"):
        split_bounds(use_case({**LENGTHS, "choose": "30h"}), AS_OF)
