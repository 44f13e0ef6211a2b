"""Bad and missing files through the command itself, and a process that is killed in the middle of ingest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jobs.conftest import FINLAKE, finlake

CONTRACT = """
source: {name}
about: Rows that a test delivers.
owner: test@example.org
read: {{from: {name}, format: csv, delimiter: ";"}}
columns:
  id: {{type: integer}}
  at: {{type: timestamp}}
  card: {{type: text, pii: pan}}
key: id
happened_at: at
known_at: at
"""
ROWS = 20_000


def folder(root: Path, *sources: str) -> Path:
    """A configuration with these sources, and a lake folder with two files for each."""
    (root / "conf" / "sources").mkdir(parents=True)
    (root / "conf" / "targets").mkdir()
    (root / "conf" / "targets" / "local.yml").write_text("target: local\nlake: lake\n")
    for name in sources:
        (root / "conf" / "sources" / f"{name}.yml").write_text(CONTRACT.format(name=name))
        (root / "landing" / name).mkdir(parents=True)
        for part in range(2):
            lines = (f"{row};2025-01-01;{4_000_000_000_000_000 + row}" for row in range(part * ROWS, (part + 1) * ROWS))
            path = root / "landing" / name / f"{part}.csv"
            path.write_text("\n".join(["id;at;card", *lines]) + "\n")
            os.utime(path, (1_750_000_000, 1_750_000_000))
    return root


def arguments(root: Path, lake: str, *command: str) -> list[str]:
    return [*command, "--conf", str(root / "conf"), "--lake", str(root / lake), "--data", str(root / "landing")]


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


def killed(command: list[str], when: Callable[[], bool]) -> bool:
    """Starts the command, and kills the whole process group with signal 9 as soon as `when` holds."""
    process = subprocess.Popen(
        [str(FINLAKE), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None:
        if when():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.005)
    return False


@pytest.fixture(autouse=True)
def _one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLAKE_PAN_KEY", "a key that both lakes share")


def test_ingest_that_is_killed_three_times_leaves_what_one_run_leaves(tmp_path: Path) -> None:
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


def test_bad_files_end_in_exit_code_2_with_every_reason_and_no_traceback(tmp_path: Path) -> None:
    root = folder(tmp_path, "one", "two")
    landing = root / "landing" / "one"
    (landing / "comma.csv").write_text("id,at,card\n1,2025-01-01,4111111111111111\n")
    (landing / "keyless.csv").write_text("idd;at;card\n1;2025-01-01;4111111111111111\n")
    (landing / "headless.csv").write_text("1;2025-01-01;4111111111111111\n")
    for path in (root / "landing" / "two").iterdir():
        path.unlink()
    done = finlake(*arguments(root, "lake", "ingest"))
    assert done.returncode == 2
    for sentence in (
        "one: refused one/comma.csv: the contract says columns are separated by a semicolon (';'), but this file seems",
        "one: refused one/keyless.csv: the needed column 'id' is missing; the header is [idd, at, card]; did you mean 'idd'?",
        "one: refused one/headless.csv: the needed column 'id' is missing (also missing: at); "
        "the header is [1, 2025-01-01, ****1111]",
        "two: empty: no file has ever arrived; looked in two",
        "one: 2 files, 40,000 rows",
    ):
        assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "4111111111111111" not in done.stderr + done.stdout
    unknown = finlake(*arguments(root, "lake", "ingest", "--source", "onne"))
    assert unknown.returncode == 2
    assert "unknown source 'onne'; did you mean 'one'?" in unknown.stderr
