"""Gates are judged on intervals: luck does not pass."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest

from finlake.config.gates import BetterThan, Calibrated, Fast, Gates, Segments, Stable
from finlake.models.artefact import Artefact, Card
from finlake.models.boosting import fit_here
from finlake.models.bootstrap import Estimate
from finlake.models.evaluation import Evaluation, PeriodResult, SegmentResult
from finlake.models.gates import Verdict, judge
from finlake.models.speed import Speed, measure_speed

BETTER = BetterThan(models=["baseline_rule", "champion"], metric="average_precision")


STEADY = Estimate(0.1, 0.05, 0.2)


def evaluation(difference: Estimate, ratios: Sequence[Estimate] = (), psi: Estimate = STEADY) -> Evaluation:
    periods = [PeriodResult(f"2025-0{i}", 1000, 50, 0.05, 0.05, ratio) for i, ratio in enumerate(ratios, 1)]
    return Evaluation(
        {}, {"average_precision.baseline_rule": difference}, {"month": periods, "all": periods},
        {"month": [PeriodResult("2025-01", 1000, 0, 0, 0, psi)]},
    )  # fmt: skip


def verdicts(gates: Gates, seen: Evaluation) -> dict[str, bool]:
    return {verdict.gate: verdict.passed for verdict in judge(gates, seen, features=3)}


def test_a_lucky_model_whose_interval_crosses_zero_is_refused() -> None:
    lucky = verdicts(Gates(better_than=BETTER), evaluation(Estimate(0.2, -0.01, 0.4)))
    sure = verdicts(Gates(better_than=BETTER), evaluation(Estimate(0.05, 0.01, 0.09)))
    assert lucky["better_than.baseline_rule"] is False
    assert sure["better_than.baseline_rule"] is True


def test_a_difference_without_an_interval_does_not_pass() -> None:
    found = judge(Gates(better_than=BETTER), evaluation(Estimate(0.2)), features=3)
    assert not found[0].passed and "too few days" in found[0].reason


def test_without_a_champion_the_model_is_unopposed() -> None:
    found = {v.gate: v for v in judge(Gates(better_than=BETTER), evaluation(Estimate(0.2, 0.1, 0.3)), features=3)}
    assert found["better_than.champion"].passed and "unopposed" in found["better_than.champion"].reason


def test_one_badly_calibrated_month_fails_and_is_named() -> None:
    gates = Gates(calibrated=Calibrated(predicted_to_observed=(0.8, 1.25), by="month"))
    good, bad = Estimate(1.0, 0.9, 1.1), Estimate(0.7, 0.6, 0.75)
    found = judge(gates, evaluation(Estimate(0), [good, bad]), features=3)[0]
    assert not found.passed and "2025-02" in found.reason and "0.70" in found.reason
    assert judge(gates, evaluation(Estimate(0), [good]), features=3)[0].passed


def test_calibration_is_judged_on_the_interval_not_on_its_point() -> None:
    gates = Gates(calibrated=Calibrated(predicted_to_observed=(0.8, 1.25), by="month"))
    good = Estimate(1.0, 0.9, 1.1)
    assert judge(gates, evaluation(Estimate(0), [good, Estimate(1.26, 0.98, 1.6)]), features=3)[0].passed
    assert not judge(gates, evaluation(Estimate(0), [good, Estimate(1.3, 1.26, 1.35)]), features=3)[0].passed


def test_a_ratio_nobody_can_measure_does_not_pass() -> None:
    gates = Gates(calibrated=Calibrated(predicted_to_observed=(0.8, 1.25), by="month"))
    assert not judge(gates, evaluation(Estimate(0), []), features=3)[0].passed
    assert not judge(gates, evaluation(Estimate(0), [Estimate(1.2, 0.05, 9.0)]), features=3)[0].passed
    assert not judge(gates, evaluation(Estimate(0), [Estimate(1.0)]), features=3)[0].passed


def test_stability_needs_the_whole_interval_below_the_bound() -> None:
    gates = Gates(stable=Stable(psi_below=0.25))
    assert verdicts(gates, evaluation(Estimate(0)))["stable"]
    assert not verdicts(gates, evaluation(Estimate(0), psi=Estimate(0.2, 0.1, 0.3)))["stable"]


def by_segment(**differences: Estimate) -> Evaluation:
    """Better than the champion on all rows; in each segment as given."""
    found = [
        SegmentResult(name, 1000, 80, {}, {"average_precision.champion": difference}, Estimate(1.0, 0.9, 1.1))
        for name, difference in differences.items()
    ]
    return replace(evaluation(Estimate(0.05, 0.01, 0.09)), segments={"channel": found})


def judged(gates: Gates, seen: Evaluation, **more: object) -> Verdict:
    return judge(gates, seen, features=3, **more)[0]


def test_a_model_that_is_better_on_average_and_surely_worse_in_one_segment_is_stopped() -> None:
    gates = Gates(segments=Segments())
    worse = judged(gates, by_segment(online=Estimate(0.1, 0.05, 0.15), branch=Estimate(-0.08, -0.12, -0.02)))
    assert not worse.passed and worse.reason.startswith("branch: average_precision differs from champion's by -0.080")
    unsure = judged(gates, by_segment(online=Estimate(0.1, 0.05, 0.15), branch=Estimate(-0.08, -0.2, 0.01)))
    assert unsure.passed and "none of 2 segments" in unsure.reason
    assert judged(Gates(segments=Segments(by=0.05)), by_segment(branch=Estimate(-0.08, -0.12, -0.02))).passed


def test_segments_with_few_positives_say_nothing_and_one_at_least_must_speak() -> None:
    gates = Gates(segments=Segments(fewest_positives=100))
    assert not judged(gates, by_segment(branch=Estimate(0.1, 0.05, 0.15))).passed
    assert "under `segments`" in judged(Gates(segments=Segments()), evaluation(Estimate(0))).reason


def test_a_segment_that_is_badly_calibrated_is_named() -> None:
    seen = by_segment(online=Estimate(0.1, 0.05, 0.15))
    off = replace(seen.segments["channel"][0], calibration=Estimate(0.5, 0.4, 0.6))
    seen = replace(seen, segments={"channel": [off]})
    found = judged(Gates(segments=Segments(predicted_to_observed=(0.8, 1.25))), seen)
    assert not found.passed and found.reason.startswith("online: predicted to observed 0.50")
    assert judged(Gates(segments=Segments()), seen).passed


def test_without_a_champion_segments_are_compared_with_the_baselines_named_and_with_nobody_else() -> None:
    worse, fine = Estimate(-0.08, -0.12, -0.02), Estimate(0.1, 0.05, 0.15)
    seen = by_segment(online=fine)
    rule = replace(seen.segments["channel"][0], differences={"average_precision.baseline_rule": worse})
    first = replace(seen, segments={"channel": [rule]})
    assert not judged(Gates(segments=Segments(not_worse_than=["champion", "baseline_rule"])), first).passed
    alone = judged(Gates(segments=Segments()), first)
    assert alone.passed and alone.reason.startswith("unopposed")

    both = {"average_precision.baseline_rule": worse, "average_precision.champion": fine}
    opposed = replace(seen, segments={"channel": [replace(rule, differences=both)]})
    assert judged(Gates(segments=Segments(not_worse_than=["champion", "baseline_rule"])), opposed).passed


@pytest.mark.parametrize(
    ("asked", "passes"),
    [({"p99_ms": 2}, True), ({"p99_ms": 1.2}, False), ({"rows_per_second": 95_000}, False),
     ({"rows_per_second": 90_000, "megabytes": 2}, True), ({"megabytes": 0.5}, False)],
)  # fmt: skip
def test_a_slow_or_large_model_does_not_pass_nor_one_whose_interval_crosses_the_bar(
    asked: dict[str, float], passes: bool
) -> None:
    speed = Speed(Estimate(1.0, 0.8, 1.5), Estimate(100_000, 90_000, 110_000), megabytes=1.0)
    found = judged(Gates(fast=Fast(**asked)), evaluation(Estimate(0)), speed=speed)
    assert found.passed is passes and "100,000 [90,000 to 110,000] rows a second" in found.reason
    assert not judged(Gates(fast=Fast(**asked)), evaluation(Estimate(0))).passed


def test_the_speed_of_a_model_is_measured_with_intervals_and_stored_as_text() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(400, 2)).astype("float32")
    part = (matrix, (matrix[:, 0] > 0).astype("float64"), np.ones(400))
    fit = fit_here(part, part, ["a", "b"], {"max_depth": 3, "learning_rate": 0.3, "rounds": 20}, seed=1)
    card = Card("visits", ["a", "b"], fit.rounds, fit.digest, {"kind": "none"}, {}, {}, {})
    found = measure_speed(Artefact(fit.booster, card))
    for figure in (found.p99_ms, found.rows_per_second):
        assert figure.low is not None and figure.value is not None and figure.high is not None
        assert 0 < figure.low <= figure.value <= figure.high
    assert found.megabytes == pytest.approx(len(fit.booster) / 2**20, rel=0.5)
    assert Speed.from_dict(json.loads(json.dumps(asdict(found)))) == found


def test_the_leak_gate_repeats_what_the_auditor_said() -> None:
    said = [judged(Gates(), evaluation(Estimate(0)), auditor=told).reason for told in (None, "", "n_1d: too good")]
    assert said == [
        "none in 3 features", "none in 3 features; the auditor has no objection",
        "none in 3 features; the auditor asks to look at: n_1d: too good",
    ]  # fmt: skip


def test_what_nobody_verified_is_not_reproducible() -> None:
    gates = Gates(reproducible=True)
    assert "train --verify" in judged(gates, evaluation(Estimate(0))).reason
    assert judged(gates, evaluation(Estimate(0)), verified=True).passed
    assert not judged(gates, evaluation(Estimate(0)), verified=False).passed
