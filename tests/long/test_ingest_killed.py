"""Ingest is killed between planning, reading and committing; run again, it leaves what one run leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jobs.conftest import finlake
from tests.jobs.killing import killed
from tests.jobs.test_bad_files import ROWS, arguments, folder


def state(root: Path, lake: str) -> list[dict[str, object]]:
    """What the tables hold, without the times of the runs."""
    parts = [
        f"SELECT '{name}' AS name, _batch, _file, _file_digest, count(*) AS rows, "
        "sum(cast(xxhash64(_row, id, at, card, _corrupt, _arrived_at) AS DECIMAL(38, 0))) AS digest, "
        f"(SELECT max(concat(status, rows)) FROM ops.files f WHERE f.source = '{name}') AS book "
        f"FROM bronze.{name} GROUP BY ALL"
        for name in ("one", "two")
    ]
    query = f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY name, _file"
    done = finlake(*arguments(root, lake, "sql", query), "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_ingest_that_is_killed_three_times_leaves_what_one_run_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLAKE_PAN_KEY", "a key that both lakes share")
    root = folder(tmp_path, "one", "two")
    lake = root / "killed"
    command = arguments(root, "killed", "ingest")
    moments: list[Callable[[], bool]] = [
        lambda: any((lake / "ops/files/_delta_log").glob("*1.json")),  # planned, nothing read
        lambda: any((lake / "bronze/one").glob("*.parquet")),  # rows written, not committed
        lambda: any((lake / "bronze/two").glob("*.parquet")),  # one source committed, another one half
    ]
    assert [killed(command, moment) for moment in moments] == [True, True, True]
    assert finlake(*command).returncode == 0
    assert finlake(*arguments(root, "whole", "ingest")).returncode == 0
    found = state(root, "killed")
    assert found == state(root, "whole")
    assert [row["rows"] for row in found] == [ROWS] * 4
    assert {row["book"] for row in found} == {f"loaded{ROWS}"}
