"""Simulated analysts answer alerts by the truth, and the same alerts in the same way."""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from finlake.simulation.verdicts import SOURCE, answer_alerts

NOON = datetime(2025, 10, 15, 10, tzinfo=UTC)


def test_answers_follow_the_truth_and_the_alert(spark, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    days = [date(2025, 10, 15) - timedelta(days=number % 5) for number in range(500)]
    rows = [(f"{number:032x}", f"p{number}", day) for number, day in enumerate(days)]
    alerts = spark.createDataFrame(rows, "alert_id string, decision_key string, queue_day date")
    frauds = spark.createDataFrame(
        [(f"p{number}", "spree") for number in range(0, 500, 3)], "payment_id string, behaviour string"
    )
    frauds.write.parquet(str(tmp_path / "truth" / "frauds.parquet"))

    answered = answer_alerts(alerts, landing, NOON)
    (file,) = (landing / SOURCE).glob("*")
    first = file.read_bytes()
    told = list(csv.DictReader(first.decode().splitlines()))
    assert len(told) == answered and 200 < answered < 300  # nine in ten of three days' alerts, today's left out
    number = [int(row["payment_id"][1:]) for row in told]
    assert all(date(2025, 10, 12) <= days[n] < date(2025, 10, 15) for n in number)
    results = {row["result"] for row in told}
    assert results == {"open", "fraud", "genuine"}
    assert all(
        (row["result"] == "fraud") == (n % 3 == 0)
        for row, n in zip(told, number, strict=True)
        if row["result"] != "open"
    )
    assert all(row["found_at"] < row["sent_at"] < f"{NOON:%Y-%m-%dT%H:%M:%S}" for row in told)
    assert file.stat().st_mtime == NOON.timestamp()

    assert answer_alerts(alerts.orderBy("decision_key"), landing, NOON) == answered
    assert file.read_bytes() == first
    assert answer_alerts(alerts.where("false"), tmp_path / "landing", NOON + timedelta(days=1)) == 0
    assert len(list((landing / SOURCE).iterdir())) == 1
