"""Files for the small configuration: a few hundred claims, one corrected, one broken."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

from tests.unit.small_conf import write_small_conf

AS_OF = "2026-01-02T08:00"
_REGIONS = ("north", "south", "west")


def write_small_lake(root: Path, claims: int = 240, days: int = 365) -> tuple[Path, Path]:
    """Configuration and lake folder under `root`, with files in the lake's landing folder: claims of `days` up to 2026."""
    conf, landing = write_small_conf(root), root / "lake" / "landing"
    policies = [
        {"policy_no": f"p{i:03d}", "holder": f"Holder {i}", "begins_on": f"{1 + i % 28:02d}.01.2024"} for i in range(40)
    ]
    _write(landing / "policies" / "policies.jsonl", "".join(json.dumps(row) + "\n" for row in policies))
    lines = ["Claim No;policy_no;happened;reported;claimed;region;outcome;closed"]
    for i in range(claims):
        happened = datetime(2025, 12, 31, 9) - timedelta(days=days) * (1 - i / claims)
        # No claim may be a copy of an earlier one: the auditor refuses them.
        claimed = 50 + (i * 37) % 900 + i // 900 * 7
        lines.append(_claim(i, happened, claimed, "fraud" if i % 11 == 0 else "paid"))
    lines.append(_claim(3, datetime(2025, 1, 5, 21), 999, "paid", days_to_report=9))
    lines.append("c9999;p001;05.02.2025 10:00;2025-02-06 10:00:00;a lot;north;;")
    _write(landing / "claims" / "claims.csv", "\n".join(lines) + "\n")
    return conf, root / "lake"


def _claim(number: int, happened: datetime, claimed: int, outcome: str, days_to_report: int = 1) -> str:
    reported, closed = happened + timedelta(days=days_to_report), happened + timedelta(days=40)
    known = f"{outcome};{closed:%Y-%m-%d}" if closed < datetime(2025, 12, 31) else ";"
    return (
        f"c{number:04d};p{number % 40:03d};{happened:%d.%m.%Y %H:%M};{reported:%Y-%m-%d %H:%M:%S};"
        f"{claimed}.50;{_REGIONS[number % 3]};{known}"
    )


def _write(path: Path, text: str) -> None:
    """As if it had arrived on the morning the steps stand at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    moment = datetime.fromisoformat(AS_OF + "+00:00").timestamp() - 3600
    os.utime(path, (moment, moment))
