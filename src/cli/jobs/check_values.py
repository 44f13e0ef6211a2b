"""Names written out on a task's command line, against what the bundle's conf/ and targets define."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finlake.cli.jobs.bundle import Bundle
from finlake.cli.jobs.check_files import elsewhere
from finlake.errors import suggestion
from finlake.pipelines.registry import STEPS

_NAMES = {
    "--source": ("source", "sources"),
    "--use-case": ("use case", "use_cases"),
    "--only": ("use case", "use_cases"),
}


def value_problems(bundle: Bundle, parameters: list[str]) -> Iterator[tuple[int, str]]:
    """Position and what is wrong with a step's literal names; references are only known when a job runs."""
    if not parameters or parameters[0] not in STEPS:
        return
    given = list(_options(parameters))
    here = not any(flag == "--conf" and elsewhere(value) and "${" not in value for flag, _, value in given)
    for flag, i, value in given:
        if not value or "{{" in value or "${" in value:
            continue
        if flag == "--target":
            targets = bundle.written.get("targets") or {}
            known = {*targets, *_stems(bundle.root / "conf" / "targets")} if targets else set()
            if known and value not in known:
                yield i, f"unknown target {value!r}{suggestion(value, known)}"
        elif flag in _NAMES and here and value != "all":
            kind, folder = _NAMES[flag]
            known = _stems(bundle.root / "conf" / folder)
            if known and value not in known:
                yield i, f"unknown {kind} {value!r}{suggestion(value, known)}"


def _options(parameters: list[str]) -> Iterator[tuple[str, int, str]]:
    """Each option that is given a value, with the value and its position."""
    for i, text in enumerate(parameters):
        flag, equals, value = text.partition("=")
        if flag.startswith("--") and equals:
            yield flag, i, value
        elif flag.startswith("--") and i + 1 < len(parameters):
            yield flag, i + 1, parameters[i + 1]


def _stems(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.yml")}
