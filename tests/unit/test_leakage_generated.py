"""Every kind of leak is found where it is planted, with its column named; tables without one are passed in silence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.leakage_cases import clean
from tests.unit.leakage_plants import PLANTS

from finlake.errors import LeakageError, UnknownNameError
from finlake.features.leakage.detectors import detect
from finlake.features.leakage.findings import refuse_leaks
from finlake.features.leakage.frames import sample_from_frame


def found(case):
    return {finding.feature: finding for finding in detect(sample_from_frame(case.frame, **case.read))}


@pytest.mark.parametrize("seed", range(20))
def test_honest_decisions_are_passed_in_silence(seed):
    assert found(clean(seed, rows=3_000)) == {}


@pytest.mark.parametrize("seed", [100, 101])
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_leak_is_named_with_its_kind_and_rows_and_nothing_else_is(name, seed):
    case = PLANTS[name](clean(seed, rows=5_000), np.random.default_rng(seed))
    findings = found(case)
    assert set(findings) == case.leaks
    assert {finding.kind for finding in findings.values()} == {case.kind}
    assert all(finding.rows and finding.advice for finding in findings.values())


def test_at_least_ten_kinds_are_planted_and_the_page_has_each():
    kinds = {make(clean(1, rows=600), np.random.default_rng(1)).kind for make in PLANTS.values()}
    assert len(kinds) >= 10
    page = (Path(__file__).resolve().parents[2] / "docs" / "leakage.md").read_text(encoding="utf-8")
    assert {kind for kind in kinds if f"| {kind} |" not in page} == set()


def test_leaks_do_not_hide_each_other():
    case = clean(3)
    label = case.frame["label"].to_numpy()
    draw = np.random.default_rng(3)
    names = {f"echo{place}": label + draw.normal(0, 0.4, len(label)) for place in range(4)}
    assert found(replace(case, frame=case.frame.assign(**names))).keys() == names.keys()


def test_of_a_telling_pair_alike_in_strength_both_are_named():
    case = clean(101, rows=6_000)
    findings = found(PLANTS["paid_of_owed"](replace(case, owed="amount"), np.random.default_rng(101)))
    assert findings.keys() == {"planted", "amount"}
    assert "It or amount is known too late" in findings["planted"].advice


def test_a_sure_finding_stops_the_run_and_a_suspicion_does_not():
    draw = np.random.default_rng(5)
    sure = found(PLANTS["nearly_the_label"](clean(5), draw))["planted"]
    said = found(PLANTS["mean_with_own_row"](clean(5), draw))["planted"]
    refuse_leaks([said])
    with pytest.raises(LeakageError, match=r"1 feature would leak:\n  planted: alone it tells .*\n    d\d+: "):
        refuse_leaks([said, sure])


def test_the_sample_is_bounded_keeps_positives_and_does_not_depend_on_the_order_of_rows():
    case = clean(7, rows=6_000)
    one = sample_from_frame(case.frame, **case.read, limit=2_000)
    two = sample_from_frame(case.frame.sample(frac=1, random_state=1), **case.read, limit=2_000)
    assert len(one.keys) == 2_000 and one.positives == case.frame["label"].sum()
    assert set(one.keys) == set(two.keys)
    assert one.weight.sum() == pytest.approx(6_000)
    assert one.profiles["amount"].mode == two.profiles["amount"].mode


def test_a_leak_is_found_in_a_small_sample_of_a_large_table():
    case = PLANTS["category_mean"](clean(8, rows=20_000), np.random.default_rng(8))
    (finding,) = detect(sample_from_frame(case.frame, **case.read, limit=4_000))
    assert (finding.feature, finding.kind) == ("planted", "target encoding")


def test_values_of_masked_features_are_not_shown():
    case = PLANTS["recovered_amount"](clean(9), np.random.default_rng(9))
    (finding,) = detect(sample_from_frame(case.frame, **case.read, masked=["planted"]))
    assert all("***, label 1" in str(row) for row in finding.rows)


def test_tables_that_say_little_are_read():
    alone = pd.DataFrame({"y": [0, 1] * 40, "x": np.nan, "same": 1.0, "text": None})
    assert detect(sample_from_frame(alone, label="y")) == []
    assert detect(sample_from_frame(alone[["y"]], label="y")) == []
    assert detect(sample_from_frame(alone.assign(y=0), label="y")) == []


def test_a_wrong_column_or_label_is_said():
    case = clean(1, rows=600)
    with pytest.raises(UnknownNameError, match=r"unknown column 'labe'.*label"):
        sample_from_frame(case.frame, label="labe")
    with pytest.raises(LeakageError, match="label amount has the value"):
        sample_from_frame(case.frame, label="amount")
