"""Writes an evaluation to ops.leaderboard, and counts reads of the test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import leaderboard, records
from finlake.models.leaderboard import Entry
from finlake.models.results import Evaluation
from finlake.pipelines.step import Step


def record_standings(
    step: Step, use_case: UseCase, evaluation: Evaluation, entries: Mapping[str, Entry], frame: DataFrame
) -> str:
    """Merges the entries' figures; measuring a model again on the same rows replaces them. Gives the rows' digest."""
    lake, now = step.lake, datetime.now(UTC)
    tested = frame.where("part = 'test' AND label IS NOT NULL").select("decision_key", "label")
    test_digest = lake.digest(tested)
    rows = [
        (use_case.use_case, *row[:4], test_digest, *row[4:], now, step.run_id)
        for row in leaderboard.standings(evaluation, entries)
    ]
    made = lake.spark.createDataFrame(rows, leaderboard.SCHEMA)
    update = [*leaderboard.VALUES, "measured_at", "run_id"]
    lake.merge("ops.leaderboard", made, on=list(leaderboard.KEY), update=update, about=leaderboard.ABOUT)
    return test_digest


def read_test(step: Step, use_case: UseCase, frame: DataFrame, model: str) -> None:
    """Notes that a model is measured on the test, and says how often that period has been read."""
    lake, name = step.lake, use_case.use_case
    test = frame.where("part = 'test'")
    moment = F.to_date("decision_ts")
    span = test.agg(F.min(moment).alias("first"), F.max(moment).alias("last"), F.count(F.lit(1)).alias("rows")).first()
    assert span is not None
    row = (step.run_id, name, model, span["first"], span["last"], span["rows"], step.now)
    lake.append("ops.test_reads", lake.spark.createDataFrame([row], records.TEST_READS), about=records.TEST_READS_ABOUT)
    overlapping = (
        (F.col("use_case") == name) & (F.col("tested_from") <= span["last"]) & (F.col("tested_until") >= span["first"])
    )
    reads = lake.read("ops.test_reads").where(overlapping).count()
    times = "once" if reads == 1 else f"{reads} times"
    step.figure("test_reads", reads, use_case=name, tables=["ops.test_reads"])
    step.figure("note.test_reads", reads, text=f"test read {times}", use_case=name, tables=["ops.test_reads"])
    step.say(f"test period {span['first']} to {span['last']}: {span['rows']:,} rows, read {times}")
