"""All detectors over one sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from finlake.features.leakage.encodings import target_encodings
from finlake.features.leakage.filled import dates_after, filled_after
from finlake.features.leakage.findings import Finding
from finlake.features.leakage.fitted import fitted_on_all
from finlake.features.leakage.order import identifiers, too_young
from finlake.features.leakage.recomputed import vanishing_power
from finlake.features.leakage.sample import Sample
from finlake.features.leakage.strong import ratios, too_good
from finlake.features.leakage.sums import parts_of
from finlake.features.leakage.twins import twins
from finlake.features.leakage.windows import later_rows, own_label, own_row

Detector = Callable[[Sample], list[Finding]]

# The kinds that say most about the cause come first; a feature is named once.
HISTORIES: tuple[Detector, ...] = (own_label, later_rows, own_row)
ROWS: tuple[Detector, ...] = (
    too_young, vanishing_power, target_encodings, fitted_on_all, dates_after, filled_after, identifiers, twins,
    too_good, ratios,
)  # fmt: skip


def detect(sample: Sample, detectors: Sequence[Detector] = HISTORIES + ROWS) -> list[Finding]:
    """One finding for each feature: the first that is sure, else the first."""
    found: dict[str, Finding] = {}
    for detector in detectors:
        for finding in detector(sample):
            known = found.get(finding.feature)
            if known is None or (finding.sure and not known.sure):
                found[finding.feature] = finding
    leaking = {name for name, finding in found.items() if finding.sure}
    return [*found.values(), *(part for part in parts_of(sample, leaking) if part.feature not in found)]
