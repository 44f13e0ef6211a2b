"""The auditor on public tables: silent on what is known at the decision, and naming what is known afterwards."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from tests.unit.leakage_data import CLEAN, LEAKING, PLANTED, SAID, handbook, plants_for
from tests.unit.leakage_plants import PLANTS

from finlake.features.leakage.detectors import detect
from finlake.features.leakage.frames import sample_from_frame

pytestmark = pytest.mark.skipif(
    not os.environ.get("FINLAKE_DATA"), reason="FINLAKE_DATA names no folder with the public data"
)


def found(case):
    return {finding.feature: finding for finding in detect(sample_from_frame(case.frame, **case.read))}


@pytest.mark.parametrize("name", CLEAN)
def test_columns_known_at_the_decision_are_passed_in_silence(name):
    assert found(handbook(days=45) if name == "handbook" else CLEAN[name]()) == {}


@pytest.mark.parametrize("name", LEAKING)
def test_columns_known_afterwards_are_refused_and_no_others(name):
    case = LEAKING[name]()
    findings = found(case)
    assert set(findings) == case.leaks
    assert {column for column, finding in findings.items() if not finding.sure} == case.leaks & set(SAID)


@pytest.mark.parametrize("table", PLANTED)
def test_leaks_planted_into_public_tables_are_named(table):
    case, missed = PLANTED[table](), {}
    case = replace(case, frame=case.frame.iloc[::8].reset_index(drop=True))
    for place, name in enumerate(plants_for(table)):
        planted = PLANTS[name](case, np.random.default_rng(place))
        findings = found(replace(planted, read={**planted.read, "limit": 3_000}))
        if set(findings) != planted.leaks:
            missed[name] = {column: str(finding) for column, finding in findings.items()}
    assert missed == {}
