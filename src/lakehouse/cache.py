"""The folder for what is fetched or made once for each machine: jars, the Java launcher, trust stores."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from finlake.errors import SetupError


def cache_dir() -> Path:
    """`FINLAKE_CACHE`, else the checkout's `.cache`, else `~/.cache/finlake`; made if it is not there.

    Raises:
        SetupError: none of them can be written.
    """
    wish = os.environ.get("FINLAKE_CACHE", "").strip()
    places = [Path(wish).expanduser().absolute()] if wish else _usual_places()
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place, os.W_OK | os.X_OK):
            return place
    tried = ", ".join(str(place) for place in places)
    raise SetupError(f"no folder to cache jars in: {tried} cannot be written; set FINLAKE_CACHE to one that can")


def write_atomically(path: Path, content: bytes, mode: int = 0o644) -> Path:
    """Write so that other processes see the old file or the whole new one; unchanged content is left alone."""
    if path.is_file() and path.read_bytes() == content and path.stat().st_mode & 0o777 == mode:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def _usual_places() -> list[Path]:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "finlake"
    root = Path(__file__).resolve().parents[2]
    checkout = (root / "pyproject.toml").is_file() and (root / "src" / "lakehouse").is_dir()
    return [root / ".cache", home] if checkout else [home]
