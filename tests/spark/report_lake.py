"""A lake with enough in it to fill every part of the report, written through the real tables."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from queue_lake import SAID, SCORES, fill_lending, fill_models, fill_profiles, fill_queue, segments
from tests.unit.small_conf import write_small_conf

from finlake.config import load
from finlake.config.use_case import Policy
from finlake.lakehouse import Lake
from finlake.lakehouse.ops import BATCHES, FIGURES, FILES, FRESHNESS, QUALITY, RUNS
from finlake.models import records
from finlake.pipelines.publish import publish
from finlake.pipelines.step import Step

START = datetime(2025, 9, 1, 5, 12, tzinfo=UTC)
SCRIPT = "<script>alert('broken')</script>"
CARD = "4111 1111 1111 1111"


def fill(lake: Lake, conf: Path, batches: int = 24) -> None:
    """Two sources, one with broken rows; a model with gates, curves and a search; a queue with states; and the views.

    `conf` is a folder for the configuration that the views are made with.
    """
    _data(lake, batches)
    _quarantine(lake)
    _model(lake)
    fill_models(lake)
    fill_queue(lake)
    fill_profiles(lake)
    fill_lending(lake)
    _lapse(lake)
    _run(lake)
    _publish(lake, conf)


def _write(lake: Lake, name: str, rows: list[Any], schema: str) -> None:
    lake.append(name, lake.spark.createDataFrame(rows, schema))


def _data(lake: Lake, batches: int) -> None:
    files, counted, rules = [], [], []
    for number in range(batches):
        when, batch = START + timedelta(days=number, minutes=7 * (number % 5)), f"b{number:02d}"
        rows = 1800 + 400 * (number % 7)
        bad = 30 + 12 * (number % 4) + (260 if number == 17 else 0)
        counted.append(
            ("claims", batch, rows, rows - bad - 25, 15, 10, bad, True, "c1", "refined", "", when, "r1", "key id")
        )
        files.append(
            (
                "claims",
                f"claims_{when:%Y%m%d}.csv.gz",
                f"d{number}",
                batch,
                90_000 + number,
                rows,
                "loaded",
                "",
                ["a"],
                [],
                [],
                when,
                when,
            )
        )
        for rule, severity, failed in (("the claim is not in the future", "quarantine", bad // 3), ("claims are not negative", "quarantine", bad // 2),
                                       ("the policy exists", "warn", 3 * number)):  # fmt: skip
            rules.append(
                {"source": "claims", "batch": batch, "rule": rule, "expectation": "expect_row_condition", "severity": severity,
                 "checked": rows, "failed": failed, "mostly": 1.0, "passed": failed == 0, "measured_at": when}
            )  # fmt: skip
    counted.append(("policies", "p00", 4000, 4000, 0, 0, 0, True, "c1", "refined", "", START, "r1", "key id"))
    files.append(
        ("policies", "policies.jsonl", "p0", "p00", 500_000, 4000, "loaded", "", ["a"], ["tier"], [], START, START)
    )
    late = START + timedelta(days=batches)
    files.append(
        (
            "policies",
            "policies_cut.jsonl.gz",
            "p1",
            "p01",
            12,
            None,
            "refused",
            "the file is cut off",
            [],
            [],
            [],
            late,
            late,
        )
    )
    _write(lake, "ops.batches", counted, BATCHES)
    _write(lake, "ops.files", files, FILES)
    _write(lake, "ops.quality", rules, QUALITY)
    fresh = [
        ("claims", late, late, late, 2000, "ok", "arrived as agreed"),
        ("policies", late, late, START, 0, "late", "nothing since 1 Sep; due every 7 days"),
    ]
    _write(lake, "ops.freshness", fresh, FRESHNESS)


def _quarantine(lake: Lake) -> None:
    rows = []
    for number in range(40):
        reason = "broken rule: claims are not negative" if number % 3 else f"claimed is not a number: '{SCRIPT}'"
        rows.append(
            (f"C{number:05d}", SCRIPT if number % 3 == 0 else "-12.50", f"paid with {CARD}", [reason], ["claims are not negative"],
             f"x-{number}", "b17", "claims_20250918.csv.gz", number + 2, "c1", START, None)
        )  # fmt: skip
    schema = (
        "claim_no string, claimed string, remark string, _reasons array<string>, _rules array<string>, _row_id string, _batch string, "
        "_file string, _row bigint, _contract string, _quarantined_at timestamp, _released_at timestamp"
    )
    _write(lake, "quarantine.claims", rows, schema)


def _curve(power: float) -> list[list[float]]:
    recall = [i / 50 for i in range(1, 51)]
    return [recall, [max(0.02, (1 - x) ** power) for x in recall], [x**3 for x in recall]]


def _estimate(value: float, spread: float) -> dict[str, float]:
    return {"value": value, "low": value - spread, "high": value + spread}


def _value_curves() -> dict[str, list[list[float]]]:
    """Value lost and found on each day of the test."""
    days = [float(START.toordinal() + number) for number in range(60)]
    lost = [800.0 + 13 * (number % 9) for number in range(60)]
    found = [0.6 * value for value in lost]
    return {"value.total": [days, lost], "value.finlake": [days, found, found]}


def evaluation() -> dict[str, object]:
    figures: dict[str, object] = {
        "value_total": _estimate(61_400, 0),
        "calibration": _estimate(1.04, 0.1),
        "psi": _estimate(0.03, 0.01),
    }
    figures |= {"rows": {"value": 54_000.0}, "days": {"value": 60.0}, "positives": {"value": 480.0}}
    for model, better in (("finlake", 1.0), ("logistic_regression", 0.7), ("baseline_rule", 0.3)):
        figures |= {
            f"positives_at_budget.{model}": _estimate(17 * better, 2), f"alerts.{model}": _estimate(25, 0.5), f"average_precision.{model}": _estimate(0.66 * better, 0.04),
            f"roc_auc.{model}": _estimate(0.5 + 0.45 * better, 0.01), f"value_found.{model}": _estimate(38_900 * better, 2100),
        }  # fmt: skip
    months = [
        {"period": f"2025-{m:02d}", "rows": 9000.0, "positives": 80.0, "predicted": 0.01, "observed": 0.009,
         "estimate": _estimate(1.0 + 0.1 * math.sin(m), 0.12)}
        for m in range(4, 10)
    ]  # fmt: skip
    curves = {
        "ranking.finlake": _curve(0.6),
        "ranking.logistic_regression": _curve(1.4),
        "ranking.baseline_rule": _curve(4),
    }
    observed = [0.001, 0.004, 0.03, 0.09, 0.2, 0.34, 0.55, 0.71, 0.9]
    calibration = [[0.001, 0.005, 0.02, 0.08, 0.19, 0.35, 0.5, 0.75, 0.93], observed]
    return {
        "figures": figures,
        "differences": {},
        "calibration_by": {"month": months},
        "stability_by": {
            "month": [
                {**month, "estimate": _estimate(0.02 + 0.015 * place, 0.01)} for place, month in enumerate(months)
            ]
        },
        "segments": segments(),
        "curves": {**curves, "calibration": calibration, "budget.finlake": [[0.34], [0.71]], **_value_curves()},
    }


def _model(lake: Lake) -> None:
    text, when = json.dumps(evaluation()), START + timedelta(days=30)
    rows = [
        ("claim_fraud", "claim_fraud", "1", "ab12cd34", "r1", "m1", {"average_precision.finlake": 0.66}, {"features.claim_fraud": 3, "silver.claims": 24},
         "d1", "t1", ["claims_30d", "this_claimed"], "", text, when, "champion, unopposed", "champion", [], when, when, "s1"),
        ("lapse", "lapse", "1", "ffee", "r1", "m2", {"average_precision.finlake": 0.31}, {"features.lapse": 1}, "d2", "t2", ["this_claimed"], "", text, when,
         "not promoted", "", ["calibrated: 2025-08 predicted 9.1%, observed 12.4%"], when, when, "s2"),
    ]  # fmt: skip
    _write(lake, "ops.models", rows, records.MODELS)
    gates = [
        ("r1", "claim_fraud", "1", "better_than.baseline_rule", True, "average_precision is higher by 0.46 [0.41–0.51]", 0.46, 0.41, 0.51, when),
        ("r1", "claim_fraud", "1", "calibrated", True, "1.04 [0.93–1.15]", 1.04, 0.93, 1.15, when),
        ("r1", "lapse", "1", "calibrated", False, "2025-08: 1.36 [1.14–1.54], must reach 0.8 to 1.25", 1.36, 1.14, 1.54, when),
    ]  # fmt: skip
    _write(lake, "ops.gates", gates, records.GATES)
    reads = [("r1", "claim_fraud", digest, START.date(), when.date(), 900, when) for digest in ("ab12cd34", "0000")]
    _write(lake, "ops.test_reads", reads, records.TEST_READS)
    split = [("r1", "claim_fraud", f"split.{part}", None, None, None, "", span, {}, when, when) for part, span in
             (("train", "2025-01-01 to 2025-05-31"), ("choose", "2025-06-15 to 2025-06-30"), ("test", "2025-07-15 to 2025-08-31"))]  # fmt: skip
    _write(lake, "ops.figures", split, FIGURES)


def _lapse(lake: Lake) -> None:
    """Scores of a use case whose model is not in charge."""
    when = START + timedelta(days=29, hours=18)
    rows = [
        ("lapse", f"C{i:05d}", f"P{i % 9:04d}", when, when, 0.94 - i / 40, 1.0, ("approve", "refer", "decline")[i % 3], "review", None, 12.0,
         SAID, "lapse", "1", "f", {}, "r1", when)
        for i in range(20)
    ]  # fmt: skip
    _write(lake, "scores.lapse", rows, SCORES)


def _publish(lake: Lake, conf: Path) -> None:
    config = load(write_small_conf(conf))
    config.use_cases["claim_fraud"].limits.append("Not for claims above 10,000 EUR.")
    policy = Policy(approve_below=0.2, decline_above=0.8)
    for name in ("lapse", "lending"):
        changes = {"use_case": name, "policy": policy}
        config.use_cases[name] = config.use_cases["claim_fraud"].model_copy(update=changes)
    publish(Step(lake, config, START + timedelta(days=31), "publish"))


def _run(lake: Lake) -> None:
    rows = []
    for number, (step, warnings) in enumerate(
        (("ingest", []), ("refine", ["claims: 828 rows kept, although the policy does not exist"]), ("train", []))
    ):
        began = START + timedelta(days=30, minutes=number)
        rows.append(
            (f"r{number}", "j1", "nightly", step, step, '{"source": "all"}', "ok", began, began, 41.5, "", warnings, {"silver.claims": 24},
             {"ops.batches": 1}, {}, "0123456789abcdef", "0.1.0", "cafe", "{}")
        )  # fmt: skip
    _write(lake, "ops.runs", rows, RUNS)
