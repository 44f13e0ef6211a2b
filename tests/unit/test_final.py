"""The fit that is made twice, and what is said when search and final fit disagree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from search_data import FEATURES, rows

from finlake.config import UseCase
from finlake.errors import TrainingError
from finlake.models.boosting import Fit, fit_here
from finlake.models.final import verified
from finlake.pipelines.train import AGREEMENT, disagreement

PARAMETERS = {"max_depth": 3, "learning_rate": 0.3, "rounds": 20, "subsample": 0.8}


def fit(seed: int = 1, threads: int = 2) -> Fit:
    return fit_here(rows(1).part, rows(2).part, FEATURES, PARAMETERS, seed=seed, threads=threads)


def test_a_repeated_fit_passes_and_another_is_refused_with_both_digests() -> None:
    first, other = fit(), fit(seed=2)
    verified(first.digest, fit)
    with pytest.raises(TrainingError, match=f"digest {first.digest}, and fitted again {other.digest}"):
        verified(first.digest, lambda: fit(seed=2))


def test_weights_decide_the_digest_only_where_they_differ() -> None:
    part = rows(1)
    even = fit_here(replace(part, loss=part.loss * 1.0).learnt, rows(2).learnt, FEATURES, PARAMETERS, seed=1)
    heavy = fit_here(replace(part, loss=part.loss + part.labels).learnt, rows(2).learnt, FEATURES, PARAMETERS, seed=1)
    assert even.digest == fit(threads=1).digest != heavy.digest


def test_a_final_fit_that_is_worse_by_more_than_the_bound_is_a_warning() -> None:
    assert disagreement(0.60, 0.60 - AGREEMENT + 0.001, "roc_auc") == "" == disagreement(0.5, 0.9, "roc_auc")
    said = disagreement(0.60, 0.54, "average_precision")
    assert "0.600 in the search and 0.540" in said and "raise model.search.rows" in said


def test_value_weights_need_a_value() -> None:
    content = {
        "use_case": "late", "purpose": "p", "owner": "o", "approver": "a", "materiality": "low",
        "score": {"each": "visits"}, "features": ["visits"], "baseline_rule": "visits_1h > 1",
        "label": {"name": "late", "positive": "late", "from": {"source": "visits"}, "matures_after": "2d"},
        "split": {"train": "30d", "choose": "10d", "test": "20d"}, "model": {"weights": "value"},
        "policy": {"alerts_per_day": 5, "one_alert_per": "visitor"},
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"model\.weights: value needs policy\.value"):
        UseCase.model_validate(content)
