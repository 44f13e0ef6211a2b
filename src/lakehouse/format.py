"""The lake's format version, so that a newer lake is not damaged by older code."""

from __future__ import annotations

import json
from pathlib import Path

from finlake.errors import TableError

FORMAT = 1


def check_format(root: Path) -> None:
    """Writes the version into a new lake; refuses one that newer code has written."""
    path = root / "finlake.json"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"format": FORMAT}) + "\n", "utf-8")
        return
    found = json.loads(path.read_text("utf-8"))["format"]
    if found > FORMAT:
        raise TableError(f"the lake at {root} has format {found}, this finlake reads up to {FORMAT}; upgrade finlake")
