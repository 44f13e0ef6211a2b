"""Gates: what a model must show before it may decide, judged on intervals."""

from __future__ import annotations

from dataclasses import dataclass

from finlake.config.use_case import Gates
from finlake.models.bootstrap import Estimate
from finlake.models.evaluation import CHAMPION, Evaluation, PeriodResult

FEW_POSITIVES = 10


@dataclass(frozen=True)
class Verdict:
    gate: str
    passed: bool
    reason: str
    estimate: Estimate


def judge(gates: Gates, evaluation: Evaluation, *, features: int) -> list[Verdict]:
    """A verdict for each gate of the use case.

    - better_than: the whole interval of the paired difference lies above `by`.
    - calibrated: in no period does the whole interval of the ratio lie outside the bounds. Periods with fewer than ten
      positives, or with an interval wider than the bounds on both sides, say nothing; one at least must say something.
    - stable: in every period the whole interval of the PSI lies below the bound.
    - leaks: a training set with a leak never gets this far; the auditor stops the run.
    """
    made: list[Verdict] = []
    if gates.better_than is not None:
        made += [
            _better(model, gates.better_than.metric, gates.better_than.by, evaluation)
            for model in gates.better_than.models
        ]
    if gates.calibrated is not None:
        low, high = gates.calibrated.predicted_to_observed
        made.append(_calibrated(evaluation.calibration_by[gates.calibrated.by], low, high))
    if gates.stable is not None:
        made.append(_stable(evaluation.stability_by[gates.stable.by], gates.stable.psi_below))
    made.append(Verdict("leaks", True, f"none in {features} features", Estimate(0.0)))
    return made


def beats(metric: str, model: str, evaluation: Evaluation, by: float = 0.0) -> Verdict | None:
    """The paired comparison with one model; None where it was not evaluated."""
    difference = evaluation.differences.get(f"{metric}.{model}")
    if difference is None:
        return None
    passed = difference.low is not None and difference.low > by
    if difference.low is None:
        reason = f"{metric} differs by {difference.text()}, but the test has too few days for an interval"
    elif passed:
        reason = f"{metric} is higher by {difference.text()}"
    else:
        reason = f"{metric} differs by {difference.text()}; the whole interval must lie above {by:g}"
    return Verdict(f"better_than.{model}", passed, reason, difference)


def _better(model: str, metric: str, by: float, evaluation: Evaluation) -> Verdict:
    found = beats(metric, model, evaluation, by)
    if found is not None:
        return found
    if model == CHAMPION:
        return Verdict("better_than.champion", True, "unopposed: no champion reads these definitions", Estimate(None))
    return Verdict(f"better_than.{model}", False, f"{model} was not evaluated on this test", Estimate(None))


def _calibrated(periods: list[PeriodResult], low: float, high: float) -> Verdict:
    judged = [p for p in periods if p.positives >= FEW_POSITIVES and _says_something(p.estimate, low, high)]
    if not judged:
        reason = f"no period has {FEW_POSITIVES} positives and an interval narrower than {low:g} to {high:g}"
        return Verdict("calibrated", False, reason, Estimate(None))
    for period in judged:
        ratio = period.estimate
        if ratio.low is None or ratio.high is None or ratio.low > high or ratio.high < low:
            reason = (
                f"{period.period}: predicted {period.predicted:.2%}, observed {period.observed:.2%}; "
                f"ratio {ratio.text(2)} is not within {low:g} to {high:g}"
            )
            return Verdict("calibrated", False, reason, ratio)
    worst = max(judged, key=lambda p: abs((p.estimate.value or 1.0) - 1.0))
    reason = f"predicted to observed {worst.estimate.text(2)} in {worst.period}, the worst of {len(judged)} periods"
    return Verdict("calibrated", True, reason, worst.estimate)


def _says_something(ratio: Estimate, low: float, high: float) -> bool:
    return ratio.low is None or ratio.high is None or ratio.low >= low or ratio.high <= high


def _stable(periods: list[PeriodResult], limit: float) -> Verdict:
    worst = max(periods, key=lambda p: p.estimate.high if p.estimate.high is not None else float("inf"))
    found = worst.estimate
    passed = found.high is not None and found.high < limit
    asked = f"below {limit:g}" if passed else f"the whole interval must lie below {limit:g}"
    return Verdict("stable", passed, f"PSI of scores {found.text(3)} in {worst.period}, {asked}", found)
