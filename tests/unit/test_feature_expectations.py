"""Expectations in definitions: strict models, and what a period breaks."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from finlake.config import Feature
from finlake.config.expect import Expect
from finlake.monitoring.expectations import by_meaning, unmet

PROFILE = {"min": 0.0, "max": 900.0, "mean": 41.5, "unknown": 0.12, "zeros": 0.3}


def expect(**parts: Any) -> Expect:
    return Expect.model_validate(parts)


def broken(given: Expect | None, meaning: Any = None, **changes: Any) -> dict[str, tuple[float, float]]:
    return {f.effect: (f.value, f.limit) for f in unmet("spend", given, meaning, PROFILE | changes)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"between": [5, 1]}, "the lowest value, 5, is above the highest, 1; swap them"),
        ({"mean_between": [None, None]}, "`mean_between` has two open ends"),
        ({"between": [0, float("inf")]}, "null leaves an end open"),
        ({"unknown_below": 0}, "greater than 0"),
        ({"zeros_below": 20}, "less than or equal to 1"),
        ({"unknown_under": 0.2}, "Extra inputs are not permitted"),
        ({}, "`expect` is empty"),
    ],
)
def test_mistakes_are_named(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        expect(**parts)


def test_a_feature_may_say_what_it_expects() -> None:
    feature = Feature.model_validate({"mean": "amount", "windows": ["7d"], "expect": {"between": [0, None]}})
    assert feature.expect is not None
    assert feature.expect.between == (0, None)


def test_what_holds_is_no_finding() -> None:
    assert broken(None) == {}
    assert broken(expect(between=[0, 900], mean_between=[40, 42], unknown_below=0.2, zeros_below=0.5)) == {}


def test_each_part_is_judged_by_itself_with_figure_and_limit() -> None:
    given = expect(between=[1, 800], mean_between=[50, None], unknown_below=0.1, zeros_below=0.3)
    found = unmet("spend", given, None, PROFILE)
    assert [(f.effect, f.value, f.limit) for f in found] == [
        ("between", 0.0, 1.0),
        ("between", 900.0, 800.0),
        ("mean_between", 41.5, 50.0),
        ("unknown_below", 0.12, 0.1),
        ("zeros_below", 0.3, 0.3),
    ]
    assert all(f.blocking and f.kind == "expectation" and f.feature == "spend" for f in found)
    assert found[1].text == "there is 900, values must be at most 800"
    assert found[2].text == "its mean is 41.5, at least 50 is expected"
    assert found[3].text == "12.0% of its values are unknown, less than 10.0% is expected"


@pytest.mark.parametrize(
    ("definition", "low", "high", "holds"),
    [
        ({"share": "amount > 1", "windows": ["7d"]}, 0.0, 1.0, True),
        ({"share": "amount > 1", "windows": ["7d"]}, 0.0, 1.0 + 1e-12, True),  # sums of doubles
        ({"share": "amount > 1", "windows": ["7d"]}, 0.0, 1.5, False),
        ({"count": "rows", "windows": ["7d"]}, -1.0, 5.0, False),
        ({"entropy": "shop", "windows": ["7d"]}, -0.1, 2.0, False),
        ({"correlation": ["a", "b"], "windows": ["7d"]}, -1.0, 1.2, False),
        ({"time_since": "last row"}, -3.0, 10.0, False),
        ({"mean": "amount", "windows": ["7d"]}, -3.0, 10.0, True),
    ],
)
def test_bounds_that_follow_from_the_kind_need_not_be_written(
    definition: dict[str, Any], low: float, high: float, holds: bool
) -> None:
    meaning = by_meaning(Feature.model_validate(definition))
    assert (broken(None, meaning, min=low, max=high) == {}) is holds


def test_a_yes_or_no_column_is_between_zero_and_one() -> None:
    assert by_meaning(None, yes_or_no=True) == (0.0, 1.0)
    assert by_meaning(None) is None


def test_a_period_in_which_all_is_unknown_breaks_no_bounds_but_its_unknown_share() -> None:
    nothing = {"min": None, "max": None, "mean": None, "zeros": None, "unknown": 1.0}
    given = expect(between=[0, 1], mean_between=[0, 1], zeros_below=0.1, unknown_below=1)
    assert broken(given, (0.0, 1.0), **nothing) == {"unknown_below": (1.0, 1.0)}
