"""The lake's format version, so that a newer lake is not damaged by older code."""

from __future__ import annotations

import json
from pathlib import Path

from finlake.errors import SetupError, TableError

FORMAT = 1
_FILE = "finlake.json"


def check_format(root: Path) -> None:
    """Writes the version into a new lake; refuses one that newer code has written."""
    path = root / _FILE
    try:
        if not path.exists():
            root.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"format": FORMAT}) + "\n", "utf-8")
            return
        found = int(json.loads(path.read_text("utf-8"))["format"])
    except OSError as error:
        raise SetupError(
            f"the lake's folder {root} cannot be used: {error.strerror}; give another with --lake"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f'{path} is damaged; it should read {{"format": {FORMAT}}}') from error
    if found > FORMAT:
        raise TableError(f"the lake at {root} has format {found}, this finlake reads up to {FORMAT}; upgrade finlake")


def is_lake(root: Path) -> bool:
    """Whether a lake was begun in this folder."""
    return (root / _FILE).is_file()
