"""Searches: both engines go on the same way after a stop, and poor trials are stopped by the same rule."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from search_data import FEATURES, rows

from finlake.config.use_case import Search
from finlake.errors import TrainingError, UnknownNameError
from finlake.models.sample import Rows
from finlake.models.search import Cut, Found, Trial, search, told
from finlake.models.search_engines import ENGINES
from finlake.models.search_space import bounds, key_of, powers
from finlake.models.search_stopping import MedianStopping

SPACE = {"rounds": [60, 60], "max_bin": [16, 64], "max_depth": [2, 4]}
CUT = Cut(rows(1), rows(2))
ENGINE = pytest.mark.parametrize("engine", sorted(ENGINES))


def choice(**given: Any) -> Search:
    return Search(**{"trials": 9, "space": SPACE, "stop_poor": True, **given})


def run(given: Search, known: tuple[Trial, ...] = (), cuts: tuple[Cut, ...] = (CUT,), **more: Any) -> Found:
    return search(cuts, FEATURES, given, metric="average_precision", constraints={"a": 1}, known=known, **more)


def timeless(trials: tuple[Trial, ...]) -> list[Trial]:
    return [replace(trial, seconds=0.0) for trial in trials]


@ENGINE
def test_a_stopped_search_goes_on_the_same_way(engine: str) -> None:
    whole = run(choice(engine=engine))
    kinds = [trial.kind for trial in whole.trials]
    assert set(kinds) == {"ok", "pruned"}, "otherwise resuming a pruned trial is not tried"
    pruned = kinds.index("pruned")
    for finished in (1, pruned, pruned + 1, 9):
        told_of: list[tuple[int, bool]] = []
        again = run(
            choice(engine=engine), whole.trials[:finished][::-1],
            finished=lambda trial, known, heard=told_of: heard.append((trial.number, known)),
        )  # fmt: skip
        assert timeless(again.trials) == timeless(whole.trials)
        assert again.best.number == whole.best.number
        assert told_of == [(number, number < finished) for number in range(9)]


@ENGINE
def test_trials_of_another_order_or_that_failed_are_run_again(engine: str) -> None:
    whole = run(choice(engine=engine, trials=3))
    moved = tuple(replace(trial, number=trial.number + 1, metric=2.0) for trial in whole.trials)
    failed = tuple(replace(trial, status="failed: memory", metric=math.nan) for trial in whole.trials)
    for known in (moved, failed):
        assert timeless(run(choice(engine=engine, trials=3), known).trials) == timeless(whole.trials)


@ENGINE
def test_seconds_of_known_trials_count_against_the_budget(engine: str) -> None:
    whole = run(choice(engine=engine, trials=5))
    slow = tuple(replace(trial, seconds=40.0) for trial in whole.trials)
    assert len(run(choice(engine=engine, trials=5, seconds=100), slow).trials) == 3


@ENGINE
def test_engines_stay_within_bounds_and_draw_every_kind(engine: str) -> None:
    space = {**SPACE, "learning_rate": [0.1, 0.2], "gamma": [0, 1], "subsample": [0.7, 0.7]}
    found = run(choice(engine=engine, space=space, trials=12, stop_poor=False))
    for name, (kind, low, high) in bounds(space).items():
        seen = {trial.parameters[name] for trial in found.trials}
        assert all(low <= value <= high for value in seen), (name, seen)
        assert len(seen) > 1 or low == high
        assert kind != "power" or seen <= set(powers(low, high))
        assert kind != "whole" or all(value == int(value) for value in seen)


def test_the_engine_is_part_of_how_a_search_goes() -> None:
    one, two = (run(choice(engine=engine, trials=5)) for engine in ("hyperopt", "optuna"))
    assert [t.parameters for t in one.trials] != [t.parameters for t in two.trials]


def test_stopping_poor_trials_changes_no_finished_trial() -> None:
    fast, full = run(choice()), run(choice(stop_poor=False))
    assert {trial.kind for trial in full.trials} == {"ok"}
    for here, there in zip(fast.trials[:4], full.trials[:4], strict=True):
        assert replace(here, seconds=0) == replace(there, seconds=0), (
            "the first trials are drawn by chance and all finish"
        )


def test_a_pruned_trial_was_below_the_median_and_says_so() -> None:
    found = run(choice())
    for trial in found.trials:
        if trial.kind != "pruned":
            continue
        rule = MedianStopping(tuple((t.kind == "ok", t.curve) for t in found.trials[: trial.number]))
        assert trial.metric == max(trial.curve) < rule.median(len(trial.curve))
        assert not any(rule.poor(trial.curve[:looks]) for looks in range(1, len(trial.curve)))
        assert f"after {10 * len(trial.curve)} rounds" in trial.status
        assert told(trial, found.trials) <= min(t.metric for t in found.trials if t.kind == "ok")


def test_median_rule() -> None:
    rule = MedianStopping(((True, (0.1, 0.3)), (True, (0.5,)), (False, (0.2, 0.2, 0.2)), (True, ())))
    assert rule.median(1) == 0.2
    assert rule.median(2) == pytest.approx(0.2)  # 0.2, 0.5 of the one that had ended, 0.2
    assert rule.median(4) == pytest.approx(0.35)  # the stopped one got no further than three looks
    assert rule.poor((0.19,)) and not rule.poor((0.2,))
    assert not rule.poor((0.4, 0.1)), "the best value so far counts"
    assert not MedianStopping(()).poor((0.0,)), "without earlier trials nothing is stopped"


def test_looks_see_what_a_shorter_fit_would_predict() -> None:
    fixed = {**SPACE, "subsample": [1, 1], "max_depth": [3, 3]}
    long = run(choice(space=fixed, trials=1)).trials[0]
    short = run(choice(space={**fixed, "rounds": [10, 10]}, trials=1)).trials[0]
    assert short.rounds == 10
    assert short.metric == pytest.approx(long.curve[0], abs=1e-6)


def test_folds_are_averaged_and_kept() -> None:
    other = Cut(rows(3), rows(4))
    found = run(choice(trials=2), cuts=(CUT, other)).trials
    assert [len(trial.folds) for trial in found] == [2, 2]
    assert [trial.metric for trial in found] == [pytest.approx(np.mean(trial.folds)) for trial in found]
    assert [trial.curve for trial in found] == [trial.curve for trial in run(choice(trials=2)).trials]


def test_loss_weights_move_the_trees_but_not_what_is_measured() -> None:
    def heavier(given: Rows) -> Rows:
        return replace(given, loss=np.where((given.labels == 1) & (given.matrix[:, 1] > 0), 20.0, 1.0))

    learnt = Cut(heavier(CUT.learn), CUT.held)
    plain, weighed = run(choice(trials=1)), run(choice(trials=1), cuts=(learnt,))
    assert plain.best.metric != weighed.best.metric
    held = Cut(CUT.learn, replace(CUT.held, weights=CUT.held.weights * 3, loss=CUT.held.loss * 3))
    assert run(choice(trials=1), cuts=(held,)).best.metric == pytest.approx(plain.best.metric)


def test_unusable_searches_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"max_dept.*max_depth"):
        run(choice(space={"max_dept": [1, 2]}))
    with pytest.raises(TrainingError, match=r"must be \[low, high\], got \[4.0, 2.0\]"):
        run(choice(space={"max_depth": [4, 2]}))
    with pytest.raises(TrainingError, match="by its logarithm, so low must be above 0"):
        run(choice(space={"learning_rate": [0, 0.1]}))
    infinite = replace(CUT.learn, labels=np.full(len(CUT.learn.labels), 7.0))
    with pytest.raises(TrainingError, match="none of 2 trials succeeded; the last one: failed"):
        run(choice(trials=2), cuts=(Cut(infinite, CUT.held),))


def test_keys_do_not_depend_on_order_or_the_last_digits() -> None:
    assert key_of({"a": 1.0, "b": 0.12345678}) == key_of({"b": 0.12345679, "a": 1})
