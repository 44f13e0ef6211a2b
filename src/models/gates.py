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
    gates: Gates,
    evaluation: Evaluation,
    *,
    features: int,
    speed: Speed | None = None,
    verified: bool | None = None,
    auditor: str | None = None,
) -> list[Verdict]:
    """A verdict for each gate of the use case.

    - better_than: the whole interval of the paired difference lies above `by`.
    - calibrated: in no period does the whole interval of the ratio lie outside the bounds. Periods with fewer than ten
      positives, or with an interval wider than the bounds on both sides, say nothing; one at least must say something.
    - stable: in every period the whole interval of the PSI lies below the bound.
    - segments: in no segment does the whole interval of the paired difference to the champion (where there is none, to
      the baselines named) lie below −`by`, nor, where asked, the whole interval of predicted to observed outside the
      bounds. Segments with few positives say nothing; one at least must say something.
    - fast: the whole interval of latency and rate, and the size, as measured in `speed`.
    - reproducible: `verified` says whether a second fit gave the same digest; None: nobody tried.
    - leaks: a training set with a leak never gets this far; the auditor stops the run. `auditor`: what it warned of,
      empty for nothing, None where that is not on record.
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
    made.append(_leaks(features, auditor))
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
    every = [segment for found in by_column.values() for segment in found]
    judged = [segment for segment in every if segment.positives >= gate.fewest_positives]
    if not every:
        reason = "not judged by segment: name features or this.<columns> under `segments` of the use case, then train"
        return Verdict("segments", False, reason, Estimate(None))
    if not judged:
        most = max(segment.positives for segment in every)
        reason = f"no segment has {gate.fewest_positives} positives; the largest has {most:,.0f}"
        return Verdict("segments", False, reason, Estimate(None))
    against = _opponents(gate, judged)
    found = [
        (segment.segment, model, difference)
        for segment in judged
        for model in against
        if (difference := segment.differences.get(f"{gate.metric}.{model}")) and difference.high is not None
    ]
    if worse := [(name, model, d) for name, model, d in found if d.high is not None and d.high < -gate.by]:
        name, model, difference = min(worse, key=lambda item: item[2].value or 0.0)
        others = f", and {len(worse) - 1} more such differences" if len(worse) > 1 else ""
        reason = f"{name}: {gate.metric} differs from {model}'s by {difference.text()}{others}"
        return Verdict("segments", False, reason, difference)
    if gate.predicted_to_observed is not None:
        for segment in judged:
            if _outside(segment.calibration, gate.predicted_to_observed):
                asked = "is not within {:g} to {:g}".format(*gate.predicted_to_observed)
                reason = f"{segment.segment}: predicted to observed {segment.calibration.text(2)} {asked}"
                return Verdict("segments", False, reason, segment.calibration)
    if not found:
        reason = f"unopposed: {', '.join(gate.not_worse_than)} cannot be measured in any of {len(judged)} segments"
        return Verdict("segments", True, reason, Estimate(None))
    name, model, difference = min(found, key=lambda item: item[2].value or 0.0)
    reason = f"in none of {len(judged)} segments surely worse; least in {name}: {difference.text()} to {model}"
    return Verdict("segments", True, reason, difference)


def _opponents(gate: Segments, judged: list[SegmentResult]) -> list[str]:
    """The champion where it was measured, else the baselines that are named."""
    if CHAMPION in gate.not_worse_than and any(f"{gate.metric}.{CHAMPION}" in s.differences for s in judged):
        return [CHAMPION]
    return [model for model in gate.not_worse_than if model != CHAMPION]


def _outside(ratio: Estimate, bounds: tuple[float, float]) -> bool:
    return ratio.low is not None and ratio.high is not None and (ratio.low > bounds[1] or ratio.high < bounds[0])


def _fast(gate: Fast, speed: Speed | None) -> Verdict:
    if speed is None:
        return Verdict("fast", False, "not measured", Estimate(None))
    single, batch, size = speed.p99_ms, speed.rows_per_second, speed.megabytes
    missed: list[tuple[str, Estimate]] = []
    if gate.p99_ms is not None and not (single.high is not None and single.high <= gate.p99_ms):
        missed.append((f"99% within {gate.p99_ms:g} ms", single))
    if gate.rows_per_second is not None and not (batch.low is not None and batch.low >= gate.rows_per_second):
        missed.append((f"at least {gate.rows_per_second:,.0f} rows a second", batch))
    if gate.megabytes is not None and size > gate.megabytes:
        missed.append((f"at most {gate.megabytes:g} MB", Estimate(size)))
    if missed:
        return Verdict("fast", False, f"{speed.text()}; asked: {', '.join(said for said, _ in missed)}", missed[0][1])
    return Verdict("fast", True, speed.text(), single)


def _reproducible(verified: bool | None) -> Verdict:
    if verified is None:
        return Verdict("reproducible", False, "nobody has tried: finlake train --verify", Estimate(None))
    said = "two fits gave the same digest" if verified else "two fits gave different digests"
    return Verdict("reproducible", verified, said, Estimate(float(verified)))


def _leaks(features: int, auditor: str | None) -> Verdict:
    said = {None: "", "": "; the auditor has no objection"}.get(auditor, f"; the auditor asks to look at: {auditor}")
    return Verdict("leaks", True, f"none in {features} features{said}", Estimate(0.0))
