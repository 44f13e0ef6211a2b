"""`make scoreboard DATA=folder`: public data by published protocols, finlake's figures beside the published ones."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import pandas as pd

from benchmarks.measure import line
from benchmarks.scoreboard import handbook, lendingclub, tables
from benchmarks.scoreboard.board import Reads, Result, Say, markdown, save
from benchmarks.scoreboard.stored import stored_rows

PARTS = ("handbook", "lendingclub", "tables")


def main() -> None:
    """Prints a table; each of its rows says its settings and how often its test rows have been read."""
    options = argparse.ArgumentParser(prog="make scoreboard DATA=… ARGS=…", description=__doc__)
    options.add_argument(
        "--data", type=Path, default=os.environ.get("FINLAKE_DATA"), help="folder with the public files"
    )
    options.add_argument(
        "--work", type=Path, default=Path("lake-scoreboard"), help="features and read counts are kept here"
    )
    options.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts of the board; default: all")
    options.add_argument("--out", type=Path, help="also write the table as OUT.md and OUT.json")
    given = options.parse_args()
    if given.data is None or not given.data.is_dir():
        options.error(f"no folder with the public files: {given.data}; run: make scoreboard DATA=folder")
    began = time.monotonic()

    def say(text: str) -> None:
        line(f"[{time.monotonic() - began:5.0f} s] {text}")

    results = board(given.data, given.work, given.only, say)
    line("\n" + markdown(results))
    if given.out:
        line("written: " + ", ".join(str(path) for path in save(results, given.out)))


def board(data: Path, work: Path, only: tuple[str, ...], say: Say) -> list[Result]:
    """The rows of the parts in `only`."""
    reads = Reads(work / "test_reads.json")
    made: list[Result] = []
    if "handbook" in only:
        rows, features = stored_rows("handbook", data, work, ["fraud"], say, "handbook.yml")
        rows["day"] = pd.to_datetime(rows["event_ts"]).to_numpy("datetime64[D]")
        made += handbook.results(rows, features, reads, say)
    if "lendingclub" in only:
        rows, features = stored_rows("lendingclub", data, work, ["loan_status", "last_pymnt_d"], say, "lendingclub.yml")
        made += lendingclub.results(rows, features, reads, say)
    if "tables" in only:
        made += tables.results(data, reads, say)
    return made


if __name__ == "__main__":
    main()
