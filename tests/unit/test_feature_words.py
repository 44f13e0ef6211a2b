"""Features in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from finlake.config import Config, FeatureGroup, Source, Target, UseCase
from finlake.features.definitions import definition_digest, definitions, select
from finlake.features.words import Wording, describe, number, render, wordings


def config(**features):
    text = {"type": "text"}
    source = Source.model_validate(
        {
            "source": "payments",
            "about": "a",
            "owner": "o",
            "read": {"from": "x", "format": "csv"},
            "key": "id",
            "happened_at": "at",
            "known_at": "at",
            "columns": {
                "id": text,
                "card": text,
                "at": {"type": "timestamp"},
                "amount": {"type": "money", "currency": "EUR", "unit": "EUR"},
            },
        }
    )
    group = FeatureGroup.model_validate(
        {"group": "card", "about": "", "entity": "card", "source": "payments", "features": features}
    )
    use_case = UseCase.model_validate(
        {
            "use_case": "fraud",
            "purpose": "p",
            "owner": "o",
            "approver": "a",
            "materiality": "low",
            "score": {"each": "payments"},
            "label": {"name": "fraud", "positive": "id = 'x'", "from": {"source": "payments"}, "matures_after": "14d"},
            "features": ["card", "this.amount"],
            "split": {"train": "9d", "choose": "2d", "test": "2d"},
            "baseline_rule": "this.amount > 1",
            "policy": {"alerts_per_day": 3, "one_alert_per": "card"},
        }
    )
    return Config(Path(), Target(target="local"), {"payments": source}, {}, {"card": group}, {"fraud": use_case})


def test_a_reason_reads_like_a_sentence():
    conf = config(
        **{
            "n_{window}": {
                "count": "rows",
                "windows": ["1h"],
                "unit": "payments",
                "say": "{value} payments in the last {window}; usual for it: {usual}",
            },
            "mean_30d": {"mean": "amount", "windows": ["30d"], "unit": "EUR"},
            "times": {
                "ratio": ["this.amount", "mean_30d"],
                "say": "amount is {value} times the average ({mean_30d} EUR)",
            },
            "share_{window}": {
                "share": "amount > 3",
                "windows": ["30d", "7d"],
                "say": "{value} in {window}, known by {known_until}",
            },
            "since": {"time_since": "last row", "unit": "minutes"},
            "round": {"row": "this.amount = floor(this.amount)", "say": "a round amount: {value}"},
        }
    )
    words = wordings(conf.use_cases["fraud"], conf)
    row = {"times": 6.0912, "mean_30d": 67.6241, "share_30d": 0.129, "since": 3.0, "round": 1.0, "this_amount": 412.5}

    def said(name, value, **usual):
        return render(words, name, value, row, usual, "30 Sep")

    assert said("n_1h", 9.0, n_1h=0.2) == "9 payments in the last hour; usual for it: 0.2"
    assert said("times", 6.0912) == "amount is 6.1 times the average (67.62 EUR)"
    assert said("share_30d", 0.129) == "12.9% in 30 days, known by 30 Sep"
    assert said("since", 3.0) == "since is 3 min"
    assert said("round", 1.0) == "a round amount: yes"
    assert said("this_amount", 1412.5) == "amount is 1,412.50 EUR"
    assert said("mean_30d", None) == "mean 30d is unknown EUR"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (4.25, "4.2"),
        (1234567.0, "1,234,567"),
        (0.034, "0.034"),
        (99.96, "100"),
        (float("nan"), "unknown"),
    ],
)
def test_numbers_have_as_many_digits_as_say_something(value, text):
    assert number(value, Wording("", "number", "", "")) == text


def test_a_column_comment_says_what_the_feature_is():
    conf = config(
        **{"few": {"count": "rows", "where": "amount < 5", "windows": ["7d"], "ends_before": "14d", "clock": "known"}}
    )
    made = definitions(conf.groups["card"])["few"]
    assert describe(made) == (
        "number of rows of payments with the same card, in the known 7d before, ending 14d earlier, where amount < 5"
    )


def test_the_digest_follows_meaning_and_not_words():
    def digest(**feature):
        conf = config(n={"count": "rows", "windows": ["1h"], **feature})
        return definition_digest(conf.use_cases["fraud"], conf)

    assert digest() == digest(say="{value} payments")
    assert len({digest(), digest(where="amount > 1"), digest(ends_before="1d"), digest(including_this=True)}) == 4


def test_features_come_after_what_they_are_made_from():
    conf = config(
        b={"row": "a + 1"},
        a={"ratio": ["this.amount", "z"]},
        z={"count": "rows", "windows": ["1d"]},
    )
    selection = select(conf.use_cases["fraud"], conf)
    assert list(selection.definitions) == ["z", "a", "b"]
    assert selection.outputs == ("b", "a", "z", "this_amount")
