"""What an evaluation found, as plain values that are stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from finlake.models.bootstrap import Estimate


@dataclass(frozen=True)
class PeriodResult:
    """Calibration or stability of one period of the test."""

    period: str
    rows: float
    positives: float
    predicted: float
    observed: float
    estimate: Estimate


@dataclass(frozen=True)
class SegmentResult:
    """One segment of the test, `channel = online`: figures by model as in `Evaluation`, paired differences, calibration."""

    segment: str
    rows: float
    positives: float
    figures: dict[str, Estimate]
    differences: dict[str, Estimate]
    calibration: Estimate


@dataclass(frozen=True)
class Evaluation:
    """Everything gates, figures, plots and pages need; stored as JSON."""

    figures: dict[str, Estimate]
    differences: dict[str, Estimate]  # "average_precision.baseline_rule": finlake minus that model
    calibration_by: dict[str, list[PeriodResult]]
    stability_by: dict[str, list[PeriodResult]]
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    segments: dict[str, list[SegmentResult]] = field(default_factory=dict)  # by what `segments` of the use case names
    apart: list[SegmentResult] = field(default_factory=list)  # by entities learnt from or held out, and time

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Evaluation:
        periods = {
            key: {
                by: [PeriodResult(**{**row, "estimate": Estimate(**row["estimate"])}) for row in rows]
                for by, rows in data[key].items()
            }
            for key in ("calibration_by", "stability_by")
        }
        return cls(
            {name: Estimate(**row) for name, row in data["figures"].items()},
            {name: Estimate(**row) for name, row in data["differences"].items()},
            periods["calibration_by"], periods["stability_by"], data["curves"],
            {by: [_segment(row) for row in rows] for by, rows in data.get("segments", {}).items()},
            [_segment(row) for row in data.get("apart", [])],
        )  # fmt: skip


def _segment(data: dict[str, Any]) -> SegmentResult:
    estimates = {
        part: {name: Estimate(**row) for name, row in data[part].items()} for part in ("figures", "differences")
    }
    return SegmentResult(**{**data, **estimates, "calibration": Estimate(**data["calibration"])})
