"""`python -m benchmarks.leakage`: how often the leakage auditor is right and wrong, on generated and on public tables."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from tests.unit.leakage_cases import Case, clean
from tests.unit.leakage_data import CLEAN, LEAKING, PLANTED, plants_for
from tests.unit.leakage_plants import PLANTS, put

from benchmarks.measure import line
from finlake.features.leakage.detectors import detect
from finlake.features.leakage.findings import Finding
from finlake.features.leakage.frames import sample_from_frame
from finlake.features.leakage.power import area

NOISE = (0.5, 0.6, 0.68, 0.76, 0.85)
SIZES = ((3_000, 0.10), (8_000, 0.06), (20_000, 0.02))


def main() -> None:
    """Prints a line for each table or kind: false alarms where nothing leaks, leaks found where some are planted."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.leakage", description=__doc__)
    options.add_argument("--clean", type=int, default=100, help="generated tables without a leak, of each size")
    options.add_argument("--planted", type=int, default=10, help="tables for each kind of leak")
    given = options.parse_args()
    for rows, rate in SIZES:
        made = [found(clean(seed, rows, rate)) for seed in range(1_000, 1_000 + given.clean)]
        alarms, sure = sum(map(bool, made)), sum(any(f.sure for f in findings.values()) for findings in made)
        line(
            f"generated, {rows:,} rows, rate {rate:.0%}: {alarms} of {given.clean} with a finding, {sure} with a sure one"
        )
    planted("generated", lambda seed: clean(seed), list(PLANTS), range(2_000, 2_000 + given.planted))
    echoes(range(3_000, 3_000 + given.planted))
    if not os.environ.get("FINLAKE_DATA"):
        line("public tables: left out, FINLAKE_DATA names no folder")
        return
    for name, table in {**CLEAN, **LEAKING}.items():
        case = table()
        began = time.perf_counter()
        findings = found(case)
        seconds = time.perf_counter() - began
        sure = sorted(column for column, finding in findings.items() if finding.sure)
        said = sorted(set(findings) - set(sure))
        line(
            f"{name}, {len(case.frame):,} rows, {seconds:.1f} s: {len(case.leaks & set(findings))} of {len(case.leaks)} leaks, "
            f"{len(set(findings) - case.leaks)} others; refused {sure}, said {said}"
        )
    for name, table in PLANTED.items():
        case = table()
        planted(name, lambda seed, case=case: case, plants_for(name), range(3))


def echoes(seeds: range) -> None:
    """How strong a leak must be that is nothing but the label and normal noise."""
    for noise in NOISE:
        said, sure, power = 0, 0, 0.0
        for seed in seeds:
            case = clean(seed)
            label = case.frame["label"].to_numpy()
            echo = label + np.random.default_rng(seed).normal(0, noise, len(label))
            finding = found(put(case, echo)).get("planted")
            said, sure = said + (finding is not None), sure + bool(finding and finding.sure)
            power += area(echo, label) / len(seeds)
        line(
            f"generated, an echo of the label with AUC {power:.2f}: found in {said} of {len(seeds)}, refused in {sure}"
        )


def planted(about: str, table: Callable[[int], Case], names: list[str], seeds: range) -> None:
    """Finds what is planted; a table counts as right if the planted columns are named and no others."""
    right: Counter[tuple[str, str]] = Counter()
    asked: Counter[tuple[str, str]] = Counter()
    for name, case in _planted(table, names, seeds):
        findings = found(case)
        asked[case.kind, name] += 1
        right[case.kind, name] += set(findings) == case.leaks
    for (kind, name), count in sorted(asked.items()):
        line(f"{about}, {kind}: {name}: {right[kind, name]} of {count}")
    line(f"{about}: {right.total()} of {asked.total()} planted leaks named, and nothing else")


def _planted(table: Callable[[int], Case], names: list[str], seeds: range) -> Iterator[tuple[str, Case]]:
    for seed in seeds:
        for name in names:
            yield name, PLANTS[name](table(seed), np.random.default_rng(seed))


def found(case: Case) -> dict[str, Finding]:
    return {finding.feature: finding for finding in detect(sample_from_frame(case.frame, **case.read))}


if __name__ == "__main__":
    main()
