"""Rows of an alert queue and of models, as the steps that keep them write them: for views, dashboards and pages."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from finlake.lakehouse import Lake
from finlake.monitoring.records import FINDINGS_COLUMNS

DAY, DAYS = date(2025, 9, 1), 30  # the first queue day; the newest one is the 30th
NEWEST = DAY + timedelta(days=DAYS - 1)
REASONS = "array<struct<rank: int, feature: string, value: double, contribution: double, text: string>>"
ALERTS = (
    "alert_id string, use_case string, queue_day date, entity string, decision_key string, event_ts timestamp, decision_ts "
    "timestamp, probability double, raw_score double, value decimal(18,2), expected_loss double, reasons "
    f"{REASONS}, model_name string, model_version string, origin string, state string, state_since timestamp, "
    "verdict_by string, expires_on date, queued_at timestamp, run_id string"
)
OUTCOMES = (
    "use_case string, decision_key string, entity string, decision_ts timestamp, event_ts timestamp, queue_day date, decision "
    "string, kind string, value decimal(18,2), outcome string, matured_on date, alerted boolean, origin string, found "
    "decimal(18,2), missed decimal(18,2), model_version string"
)
THRESHOLDS = (
    "use_case string, context string, approve_below double, decline_above double, alert_above double, alerts_per_day int, "
    "basis string, labels_from date, labels_until date, rows bigint, positives bigint, valid_from timestamp, run_id string"
)
LEADERBOARD = (
    "use_case string, model string, version string, origin string, digest string, test_digest string, figure string, value "
    "double, low double, high double, difference double, difference_low double, difference_high double, measured_at "
    "timestamp, run_id string"
)
PROMOTIONS = (
    "use_case string, version string, alias string, before string, action string, by string, reason string, at timestamp, "
    "run_id string"
)
TRIALS = (
    "run_id string, use_case string, study string, trial int, params map<string,double>, metric double, rounds int, seconds "
    "double, status string, mlflow_run string, finished_at timestamp, engine string, curve array<double>"
)
SCORES = (
    "use_case string, decision_key string, entity string, event_ts timestamp, decision_ts timestamp, probability double, "
    "raw_score double, decision string, kind string, value decimal(18,2), expected_loss double, reasons "
    f"{REASONS}, model_name string, model_version string, feature_digest string, tables map<string,bigint>, run_id string, "
    "scored_at timestamp"
)
PROFILES = (
    "use_case string, definition string, feature string, period string, period_start date, rows bigint, unknown double, mean "
    "double, std double, edges array<double>, counts array<bigint>, base string"
)
SAID = [
    (1, "claims_30d", 9.0, 2.1, "9 claims on this policy in the last 30 days; usual for it: 0.2"),
    (2, "this_claimed", 412.5, 1.2, "the claim is 6.1 times this policy's average (67.62 EUR)"),
]


def morning(number: int) -> datetime:
    """Seven in the morning of a queue day."""
    return datetime.combine(DAY + timedelta(days=number), datetime.min.time(), UTC) + timedelta(hours=7)


def fill_queue(lake: Lake, use_case: str = "claim_fraud") -> None:
    """Five alerts a day and now and then a sample, states as analysts left them; outcomes, thresholds, scores."""
    alerts, outcomes, scores = [], [], []
    for number in range(DAYS):
        for place in range(6):
            alert = _alert(use_case, number, place)
            scores.append(_score(use_case, number, place, alert))
            if place < 5 or number % 3 == 0:
                alerts.append(alert)
            outcomes.append(_outcome(use_case, number, place))
    write(lake, "ops.alerts", alerts, ALERTS)
    write(lake, "ops.outcomes", outcomes, OUTCOMES)
    write(lake, f"scores.{use_case}", scores, SCORES)
    cuts = []
    for week in range(4):
        days = (DAY + timedelta(days=7 * week - 60), DAY + timedelta(days=7 * week - 14))
        for context, above in (("", 0.42 + 0.03 * week), ("hour 22 to 6", 0.31)):
            cuts.append(
                (
                    use_case,
                    context,
                    None,
                    None,
                    above,
                    5,
                    f"5 alerts a day{' at night' if context else ''}",
                    *days,
                    9000,
                    80 + week,
                    morning(7 * week),
                    "r1",
                )
            )
    write(lake, "ops.thresholds", cuts, THRESHOLDS)  # fmt: skip


def _state(number: int, place: int) -> tuple[str, int]:
    """State of an alert and days after its queue day on which it came about."""
    age = DAYS - 1 - number
    if age == 0 or (age < 4 and place % 3 == 2):
        return ("in_work" if place == 1 else "new"), 0
    if place == 4 and age >= 5:
        return "expired", 5
    return ("confirmed", place % 2) if place < 2 else ("dismissed", place % 3)


def _alert(use_case: str, number: int, place: int) -> tuple[Any, ...]:
    state, later = _state(number, place)
    origin = "sample" if place == 5 else "score"
    state = "dismissed" if origin == "sample" and number < DAYS - 1 else state
    key, entity, when = (
        f"C{number:02d}{place}",
        f"P{(7 * number + place) % 40:04d}",
        morning(number) - timedelta(hours=9 - place),
    )
    chance = 0.02 if origin == "sample" else 0.93 - 0.11 * place - 0.002 * number
    value = Decimal(f"{120 + 90 * place + number}.50")
    return (
        f"a{number:02d}{place}", use_case, DAY + timedelta(days=number), entity, key, when, when, chance, math.log(chance / (1 - chance)),
        value, chance * float(value), SAID, use_case, "1", origin, state, morning(number + later), "anna" if state in ("confirmed", "dismissed") else None,
        DAY + timedelta(days=number + 5), morning(number), "r1",
    )  # fmt: skip


def _score(use_case: str, number: int, place: int, alert: tuple[Any, ...]) -> tuple[Any, ...]:
    drifted = alert[8] + (2.0 if number > 25 else 0.0)
    return (
        use_case, alert[4], alert[3], alert[5], alert[6], alert[7], drifted, "pass" if place == 5 else "alert", "first",
        alert[9], alert[10], SAID, use_case, "1", "f", {}, "r1", alert[6],
    )  # fmt: skip


def _outcome(use_case: str, number: int, place: int) -> tuple[Any, ...]:
    alert = _alert(use_case, number, place)
    age = DAYS - 1 - number
    positive = place < 2 or (place == 5 and number % 9 == 4)
    known = age >= 14 or (positive and age > 1)
    outcome = ("positive" if positive else "negative") if known else "unknown"
    alerted, nothing = place < 5, Decimal("0.00")
    found = alert[9] if outcome == "positive" and alerted else nothing
    missed = alert[9] if outcome == "positive" and not alerted else nothing
    return (
        use_case, alert[4], alert[3], alert[6], alert[5], alert[2], "alert" if alerted else "pass", "first", alert[9], outcome,
        alert[2] + timedelta(days=14) if known else None, alerted, "score", found, missed, "1",
    )  # fmt: skip


def fill_models(lake: Lake, use_case: str = "claim_fraud", study: str = "s1") -> None:
    """A search with one failed and one pruned trial, a leaderboard with a model from outside, promotions."""
    trials = []
    for number in range(24):
        params = {
            "max_depth": 3.0 + number % 6,
            "learning_rate": 0.03 * 1.1**number,
            "min_child_weight": 1.0 + (number * 7) % 40,
            "subsample": 0.6 + (number % 5) / 12,
        }
        metric = 0.66 - 0.02 * abs(params["max_depth"] - 6) - 0.6 * abs(params["learning_rate"] - 0.1)
        status = {5: "failed: no positives", 11: "pruned: 0.31 after 50 trees"}.get(number, "ok")
        trials.append(
            (
                "r1",
                use_case,
                study,
                number,
                params,
                metric if status == "ok" else None,
                40 + 10 * number,
                1.5 + number / 10,
                status,
                "m",
                morning(number),
                "hyperopt",
                [0.3, 0.5, metric],
            )
        )
    write(lake, "ops.trials", trials, TRIALS)
    board = []
    for figure, best, spread in (("average_precision", 0.66, 0.04), ("roc_auc", 0.95, 0.01)):
        for place, (model, version, origin) in enumerate(
            (
                ("finlake", "1", "finlake"),
                ("lightgbm", "", "outside"),
                ("logistic_regression", "", "baseline"),
                ("baseline_rule", "", "baseline"),
            )
        ):
            behind = None if not place else 0.05 * place
            board.append(
                (
                    use_case,
                    model,
                    version,
                    origin,
                    "d",
                    "t1",
                    figure,
                    best - 0.05 * place,
                    best - 0.05 * place - spread,
                    best - 0.05 * place + spread,
                    behind,
                    behind and behind - 0.02,
                    behind and behind + 0.02,
                    morning(29),
                    "r1",
                )
            )
    board.append(
        (use_case, "finlake", "0", "finlake", "d", "t0", "roc_auc", 0.5, 0.4, 0.6, None, None, None, morning(1), "r0")
    )
    write(lake, "ops.leaderboard", board, LEADERBOARD)
    changes = [
        (use_case, "1", "challenger", "", "promoted", "finlake", "passed its gates", morning(2), "r1"),
        (use_case, "1", "champion", "", "approved", "risk@insurer.example", "unopposed", morning(3), "r1"),
    ]
    write(lake, "ops.promotions", changes, PROMOTIONS)  # fmt: skip


def fill_profiles(lake: Lake, use_case: str = "claim_fraud") -> None:
    """Eight weeks of two features, one of which jumps in the last week, where it is found."""
    profiles = []
    for week in range(8):
        for feature in ("claims_30d", "this_claimed"):
            jumped = feature == "this_claimed" and week == 7
            counts = [5, 20, 75, 0] if jumped else [40, 35, 23 + week % 3, 2]
            mean = 9.0 if jumped else 4.0 + 0.1 * (week % 3)
            profiles.append(
                (
                    use_case,
                    "d1",
                    feature,
                    "week",
                    DAY + timedelta(days=7 * week),
                    sum(counts),
                    0.02,
                    mean,
                    2.0,
                    [1.0, 2.0],
                    counts,
                    f"training {DAY} to {DAY + timedelta(days=35)}",
                )
            )
    write(lake, "ops.feature_profiles", profiles, PROFILES)
    when = morning(DAYS)
    found = (
        use_case,
        "d1",
        "this_claimed",
        "week",
        DAY + timedelta(days=49),
        "drift",
        "psi",
        1.2,
        0.1,
        "PSI 1.2",
        True,
        when,
    )
    write(lake, "ops.feature_findings", [found], FINDINGS_COLUMNS)  # fmt: skip


def fill_lending(lake: Lake, use_case: str = "lending") -> None:
    """Decisions by cut-offs that stand, with a column that scores of the other use case do not have yet."""
    kinds = ("approve", "approve", "refer", "decline")
    scores = [
        (use_case, f"L{number:03d}", f"L{number:03d}", morning(number % DAYS), morning(number % DAYS), chance, -2.0, kinds[number % 4], "first",
         Decimal("9000.00"), 9000 * chance, SAID, use_case, "1", "f", {}, "r1", morning(number % DAYS),
         "north")
        for number, chance in ((number, 0.04 + 0.07 * (number % 4)) for number in range(40))
    ]  # fmt: skip
    write(lake, f"scores.{use_case}", scores, f"{SCORES}, context string")


def segments(by: str = "region") -> dict[str, Any]:
    """What an evaluation says of segments."""

    def found(value: float, spread: float) -> dict[str, float]:
        return {"value": value, "low": value - spread, "high": value + spread}

    return {
        by: [
            {"segment": f"{by} = {name}", "rows": 3000.0, "positives": positives, "figures": {"average_precision.finlake": found(value, 0.05), "roc_auc.finlake": found(0.9, 0.01)},
             "differences": {"average_precision.baseline_rule": found(better, 0.03)}, "calibration": found(1.02, 0.2)}
            for name, value, better, positives in (("north", 0.68, 0.21, 40.0), ("south", 0.61, -0.06, 33.0), ("west", 0.66, 0.01, 7.0))
        ]
    }  # fmt: skip


def write(lake: Lake, name: str, rows: list[Any], schema: str) -> None:
    lake.append(name, lake.spark.createDataFrame(rows, schema))
