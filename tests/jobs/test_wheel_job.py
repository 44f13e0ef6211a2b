"""One job of the bundle runs every task as a process of its own, from the installed wheel, in an empty folder."""

from __future__ import annotations

import pytest

from tests.jobs.one_run import OneRun

pytestmark = pytest.mark.long


def test_every_task_runs_from_the_installed_wheel(spark, one_run: OneRun) -> None:
    assert "4 of 4 tasks ok" in one_run.said
    runs = spark.read.format("delta").load(str(one_run.lake / "ops" / "runs")).where("step <> ''").orderBy("started_at")
    found = [(row["task"], row["status"], row["wheel_version"]) for row in runs.collect()]
    assert found == [(task, "ok", one_run.version) for task in ("ingest", "refine", "networks", "marts", "")]
    assert list(one_run.folder.iterdir()) == []
    assert one_run.digests["batches that do not add up"] == "0"
    assert not any(digest.startswith("0-") for digest in one_run.digests.values())
