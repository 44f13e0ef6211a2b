"""Bad and missing files through the command itself."""

from __future__ import annotations

import os
from pathlib import Path

from tests.jobs.conftest import finlake

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
