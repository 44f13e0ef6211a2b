"""Reads times as a contract says they are written, for looking at a sample without Spark."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from finlake.contracts.drafting.guess_time import iso_moment, parse_by

_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_LETTERS = {
    "yyyy": "%Y", "y": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d",
    "d": "%d", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "a": "%p",
    "EEEE": "%A", "EEE": "%a", "E": "%a",
}  # fmt: skip
_EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1e3}


def reader_of(form: str, zone: str) -> Callable[[str], datetime | None] | None:
    """From a text to its moment in UTC, naive times taken in `zone`; None for a pattern Python cannot read."""
    if form in _EPOCHS:
        return lambda text: _epoch(text, _EPOCHS[form])
    if form == "iso":
        return lambda text: _utc(iso_moment(text), zone)
    patterns = [python for variant in _variants(form) if (python := _python(variant))]
    if not patterns:
        return None
    return lambda text: next((_utc(found, zone) for python in patterns if (found := parse_by(text, python))), None)


def _variants(form: str) -> list[str]:
    """`yyyy-MM-dd[ HH:mm]` with and without what is optional."""
    if "[" not in form:
        return [form]
    return [re.sub(r"[\[\]]", "", form), re.sub(r"\[[^\]]*\]", "", form)]


def _python(form: str) -> str | None:
    """`dd.MM.yyyy 'at' HH:mm` as `%d.%m.%Y at %H:%M`."""
    made = []
    for token in _TOKEN.finditer(form):
        text, quoted, letter = token[0], token[1], token[2]
        if quoted is not None:
            made.append((quoted.replace("''", "'") or "'").replace("%", "%%"))
        elif letter is None:
            made.append(text.replace("%", "%%"))
        elif letter == "S":
            made.append("%f")
        elif letter in "XxZ":
            made.append("%z")
        elif text in _LETTERS:
            made.append(_LETTERS[text])
        else:
            return None
    return "".join(made)


def _epoch(text: str, unit: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text) / unit, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _utc(moment: datetime | None, zone: str) -> datetime | None:
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except OverflowError:
        return None
