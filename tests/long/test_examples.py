"""The public files of examples/ run through the nightly job to scores and report."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest

from tests.jobs.conftest import ROOT, finlake


@pytest.mark.skipif(not os.environ.get("FINLAKE_DATA"), reason="FINLAKE_DATA names no folder with the public files")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("example", "source", "use_case", "metric"),
    [
        ("handbook", "transactions", "handbook_fraud", "average_precision"),
        ("lendingclub", "loans", "lendingclub_default", "roc_auc"),
    ],
)
def test_public_files_run_to_scores_and_report(
    tmp_path: Path, example: str, source: str, use_case: str, metric: str
) -> None:
    where = ["--conf", str(ROOT / "examples" / example), "--lake", str(tmp_path / "lake")]
    done = finlake("run", "nightly", *where, "--data", os.environ["FINLAKE_DATA"])
    assert done.returncode == 0, done.stderr
    figures = asked(f"SELECT figure, value FROM bi.figures WHERE use_case = '{use_case}'", where)
    found = {row["figure"]: float(row["value"] or "nan") for row in figures}
    assert found[f"{metric}.finlake"] > found[f"{metric}.baseline_rule"]
    counts = f"SELECT (SELECT count(*) FROM bronze.{source}) AS b, (SELECT count(*) FROM scores.{use_case}) AS s"
    (row,) = asked(counts, where)
    assert int(row["b"]) > 40_000 and int(row["s"]) > 0
    done = finlake("report", *where)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lake" / "report" / "index.html").is_file()


def asked(query: str, where: list[str]) -> list[dict[str, str]]:
    done = finlake("sql", query, "--format", "csv", *where)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))
