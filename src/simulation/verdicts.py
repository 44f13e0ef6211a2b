"""What a fraud desk finds out about alerts, by the truth beside the simulated files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SOURCE, ASKED = "analyst_verdicts", "card_fraud"
_HEADER = ("case_no", "payment_id", "result", "found_at", "sent_at", "analyst")
_ANALYSTS = ("ann", "ben", "eva", "jon")
_DAYS = 3  # whose alerts are worked on; today's are still to be called
_DONE, _BEGUN = 80, 90  # per cent of alerts that are answered, and that are answered or begun


def answer_alerts(alerts: DataFrame, landing: Path, noon: datetime) -> int:
    """Writes the file of one morning's answers, one about the payment of each alert of the three queue days before.

    Who is answered, when and by whom hangs on the alert's id alone, so the same alerts give the same file.

    Args:
        alerts: rows of ops.alerts; a day's are as many as the budget allows.
        landing: the folder in which `generate` made the other sources.
        noon: aware moment at which the file is delivered; answers were found in the four hours before.

    Returns:
        How many answers there are; without any, no file is written.
    """
    truth = str(landing.parent / "truth" / "frauds.parquet")
    frauds = alerts.sparkSession.read.parquet(truth).select(F.col("payment_id").alias("decision_key"), "behaviour")
    recent = alerts.where(F.col("queue_day").between(*((noon - timedelta(days=n)).date() for n in (_DAYS, 1))))
    drawn = F.pmod(F.xxhash64("alert_id"), F.lit(100 * 240 * len(_ANALYSTS)))
    asked = recent.join(frauds, "decision_key", "left").select(
        "alert_id", "decision_key", F.col("behaviour").isNotNull().alias("fraud"), drawn.alias("drawn")
    )
    rows = [
        (row["alert_id"][:12], row["decision_key"], *_found(row["drawn"], row["fraud"], noon))
        for row in asked.orderBy("alert_id").collect()
        if row["drawn"] % 100 < _BEGUN
    ]
    if rows:
        _deliver(landing / SOURCE / f"verdicts_{noon:%Y-%m-%d}.csv", rows, noon)
    return len(rows)


def _found(drawn: int, fraud: bool, noon: datetime) -> tuple[str, str, str, str]:
    """result, found_at, sent_at, analyst."""
    result = "open" if drawn % 100 >= _DONE else "fraud" if fraud else "genuine"
    found = noon - timedelta(minutes=10 + drawn // 100 % 240)
    analyst = _ANALYSTS[drawn // 100 // 240]
    return result, f"{found:%Y-%m-%dT%H:%M:%S}", f"{found + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}", analyst


def _deliver(path: Path, rows: Sequence[tuple[str, ...]], noon: datetime) -> None:
    """Complete or absent."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_HEADER, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.arriving")
    hidden.write_text(text.getvalue(), "utf-8")
    os.utime(hidden, (noon.timestamp(), noon.timestamp()))
    os.replace(hidden, path)
