"""Gates: what a model must show before it may decide, judged on intervals."""

from __future__ import annotations

from dataclasses import dataclass

from finlake.config.gates import Fast, Gates, Segments
from finlake.models.bootstrap import Estimate
from finlake.models.evaluation import CHAMPION, Evaluation, PeriodResult, SegmentResult
from finlake.models.speed import Speed

FEW_POSITIVES = 10


@dataclass(frozen=True)
class Verdict:
    gate: str
    passed: bool
    reason: str
    estimate: Estimate


def judge(
    gates: Gates, evaluation: Evaluation, *, features: int, speed: Speed | None = None, verified: bool | None = None
) -> list[Verdict]:
    """A verdict for each gate of the use case.

    - better_than: the whole interval of the paired difference lies above `by`.
    - calibrated: in no period does the whole interval of the ratio lie outside the bounds. Periods with fewer than ten
      positives, or with an interval wider than the bounds on both sides, say nothing; one at least must say something.
    - stable: in every period the whole interval of the PSI lies below the bound.
    - segments: in no segment does the whole interval of the paired difference lie below −`by`, nor, where asked, the
      whole interval of predicted to observed outside the bounds. Segments with few positives say nothing.
    - fast: seconds and size as measured on this machine, in `speed`.
    - reproducible: `verified` says whether a second fit gave the same digest; None: nobody tried.
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
    if gates.segments is not None:
        made.append(_segments(gates.segments, evaluation.segments))
    if gates.fast is not None:
        made.append(_fast(gates.fast, speed))
    if gates.reproducible:
        made.append(_reproducible(verified))
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


def _segments(gate: Segments, by_column: dict[str, list[SegmentResult]]) -> Verdict:
    judged = [s for found in by_column.values() for s in found if s.positives >= gate.fewest_positives]
    if not judged:
        reason = f"no segment has {gate.fewest_positives} positives; name columns under `segments` of the use case"
        return Verdict("segments", False, reason, Estimate(None))
    for segment in judged:
        for model in gate.not_worse_than:
            difference = segment.differences.get(f"{gate.metric}.{model}")
            if difference is not None and difference.high is not None and difference.high < -gate.by:
                reason = f"{segment.segment}: {gate.metric} is lower than {model}'s by {difference.text()}"
                return Verdict("segments", False, reason, difference)
        ratio, bounds = segment.calibration, gate.predicted_to_observed
        if bounds and ratio.low is not None and ratio.high is not None:
            if ratio.low > bounds[1] or ratio.high < bounds[0]:
                reason = f"{segment.segment}: predicted to observed {ratio.text(2)} is not within {bounds[0]:g} to {bounds[1]:g}"
                return Verdict("segments", False, reason, ratio)
    against = ", ".join(gate.not_worse_than)
    return Verdict("segments", True, f"in none of {len(judged)} segments surely worse than {against}", Estimate(None))


def _fast(gate: Fast, speed: Speed | None) -> Verdict:
    if speed is None:
        return Verdict("fast", False, "not measured", Estimate(None))
    found = speed.text()
    if gate.p99_ms is not None and speed.p99_ms > gate.p99_ms:
        return Verdict("fast", False, f"{found}; asked: 99% within {gate.p99_ms:g} ms", Estimate(speed.p99_ms))
    if gate.rows_per_second is not None and speed.rows_per_second < gate.rows_per_second:
        asked = f"at least {gate.rows_per_second:,.0f} rows a second"
        return Verdict("fast", False, f"{found}; asked: {asked}", Estimate(speed.rows_per_second))
    if gate.megabytes is not None and speed.megabytes > gate.megabytes:
        return Verdict("fast", False, f"{found}; asked: at most {gate.megabytes:g} MB", Estimate(speed.megabytes))
    return Verdict("fast", True, found, Estimate(speed.p99_ms))


def _reproducible(verified: bool | None) -> Verdict:
    if verified is None:
        return Verdict("reproducible", False, "nobody has tried: finlake train --verify", Estimate(None))
    said = "two fits gave the same digest" if verified else "two fits gave different digests"
    return Verdict("reproducible", verified, said, Estimate(float(verified)))
