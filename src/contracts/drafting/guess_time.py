"""Finds the format in which a column writes dates or times."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

_ENOUGH = 0.97
_TRIED = 3000
_DATES = {
    "yyyy-MM-dd": "%Y-%m-%d", "dd.MM.yyyy": "%d.%m.%Y", "dd/MM/yyyy": "%d/%m/%Y", "MM/dd/yyyy": "%m/%d/%Y",
    "dd-MM-yyyy": "%d-%m-%Y", "MM-dd-yyyy": "%m-%d-%Y", "yyyy/MM/dd": "%Y/%m/%d", "yyyy.MM.dd": "%Y.%m.%d",
    "yyyyMMdd": "%Y%m%d", "dd-MMM-yyyy": "%d-%b-%Y", "dd MMM yyyy": "%d %b %Y", "MMM dd yyyy": "%b %d %Y",
    "MMM dd, yyyy": "%b %d, %Y", "MMM-yyyy": "%b-%Y", "MMM yyyy": "%b %Y",
}  # fmt: skip
_TIMES = {"": "", " HH:mm:ss": " %H:%M:%S", " HH:mm": " %H:%M", " hh:mm:ss a": " %I:%M:%S %p", " hh:mm a": " %I:%M %p",
          "'T'HH:mm:ss": "T%H:%M:%S", " HH:mm:ss.SSS": " %H:%M:%S.%f", "HHmmss": "%H%M%S"}  # fmt: skip
_ISO = re.compile(r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s?(Z|z|[+-]\d{2}:?\d{2})?)?$")
_SWAPPED = {"dd/MM/yyyy": "MM/dd/yyyy", "dd-MM-yyyy": "MM-dd-yyyy"}
_EPOCH = {"epoch_s": (631_152_000.0, 2_208_988_800.0, 1.0), "epoch_ms": (631_152_000e3, 2_208_988_800e3, 1e3)}


@dataclass
class Moments:
    """The format, and each row's moment (naive times as if in UTC; None where it does not parse)."""

    type: str
    format: str
    why: str
    values: list[datetime | None]
    zoned: bool


def guess_time(values: list[str | None], counts: Counter[str], by_name: bool, whole: bool) -> Moments | None:
    """The format most values parse with, or None. Bare digits count as times only if the name says so (`by_name`)."""
    tried = list(counts)[:_TRIED]
    iso = sum(bool(_ISO.match(text)) for text in tried)
    if iso >= _ENOUGH * len(tried) and not whole:
        timed = any(len(text) > 10 and not re.fullmatch(r".{10}[ T]00:00(:00(\.0+)?)?", text) for text in tried)
        zoned = sum(bool(re.search(r"(Z|z|[+-]\d{2}:?\d{2})$", text[10:])) for text in tried) > len(tried) / 2
        kind = "timestamp" if timed or any(len(text) > 10 for text in tried) else "date"
        return _moments(values, counts, kind, "iso", iso_moment, zoned)
    digits = sum(text.isdigit() for text in tried)
    if digits > len(tried) / 2:
        return _digits(values, counts, tried) if by_name else None
    if sum(any(c.isdigit() for c in text) and len(text) >= 6 for text in tried) < _ENOUGH * len(tried):
        return None
    for form, python, kind in _forms():
        if _share(tried, _reader(python)) >= _ENOUGH:
            form = _unpadded(form, tried)
            swapped = _SWAPPED.get(form.split(" ")[0].replace("d/M/", "dd/MM/"))
            found = _moments(values, counts, kind, form, _reader(python), False)
            if (
                swapped
                and _share(tried, _reader(python.replace("%d", "%X").replace("%m", "%d").replace("%X", "%m")))
                >= _ENOUGH
            ):
                found.why += f"; {swapped} fits as well, so look at this one"
            return found
    return None


def _forms() -> list[tuple[str, str, str]]:
    return [
        (date + time, _DATES[date] + _TIMES[time], "timestamp" if time else "date")
        for date in _DATES
        for time in _TIMES
        if time != "HHmmss" or date == "yyyyMMdd"
    ]


def _share(tried: list[str], test: Callable[[str], object]) -> float:
    """Share of texts that pass; gives up early, because most formats fail at once."""
    failed, allowed = 0, (1 - _ENOUGH) * len(tried)
    for text in tried:
        failed += not test(text)
        if failed > allowed:
            return 0.0
    return 1 - failed / max(len(tried), 1)


def _reader(python: str) -> Callable[[str], datetime | None]:
    return lambda text: parse_by(text, python)


def _sized(python: str, width: int) -> Callable[[str], bool]:
    return lambda text: len(text) == width and _plausible(parse_by(text, python))


def parse_by(text: str, python: str) -> datetime | None:
    """The moment by a pattern of strptime, or None."""
    try:
        return datetime.strptime(text, python)
    except ValueError:
        return None


def iso_moment(text: str) -> datetime | None:
    """The moment an ISO text says, naive where it says no offset; None if it is none."""
    try:
        return datetime.fromisoformat(re.sub(r"[.,](\d{6})\d+", r".\1", text.replace("z", "Z").replace(" +", "+")))
    except ValueError:
        return None


def _unpadded(form: str, tried: list[str]) -> str:
    """`dd/MM` as `d/M` and `HH` as `H`, where days or hours are written without a leading zero."""
    if "MMM" not in form and any(re.match(r"^\d[./-]|^\d{1,2}[./-]\d[./-]", text) for text in tried):
        form = form.replace("dd", "d").replace("MM", "M")
    if any(re.search(r"[ T]\d:", text) for text in tried):
        form = form.replace("HH", "H").replace("hh", "h")
    return form


def _digits(values: list[str | None], counts: Counter[str], tried: list[str]) -> Moments | None:
    for form, (low, high, unit) in _EPOCH.items():

        def parse(text: str, low: float = low, high: float = high, unit: float = unit) -> datetime | None:
            if not text.isdigit() or not low <= int(text) <= high:
                return None
            return datetime.fromtimestamp(int(text) / unit, UTC)

        if _share(tried, parse) >= _ENOUGH:
            return _moments(values, counts, "timestamp", form, parse, True)
    forms = (
        ("yyyyMMdd", "%Y%m%d", "date"), ("yyyyMMddHHmmss", "%Y%m%d%H%M%S", "timestamp"), ("yyMMdd", "%y%m%d", "date"),
    )  # fmt: skip
    for form, python, kind in forms:
        width = len(form)
        if _share(tried, _sized(python, width)) >= _ENOUGH:
            return _moments(values, counts, kind, form, _reader(python), False)
    return None


def _plausible(moment: datetime | None) -> bool:
    return moment is not None and 1900 <= moment.year <= 2100


def _moments(
    values: list[str | None],
    counts: Counter[str],
    kind: str,
    form: str,
    parse: Callable[[str], datetime | None],
    zoned: bool,
) -> Moments:
    known = {text: _utc(parse(text)) for text in counts}
    parsed = sum(count for text, count in counts.items() if known[text] is not None)
    total = sum(counts.values())
    share = "all" if parsed == total else f"{parsed / total:.2%} of"
    why = f"{share} {total:,} values parse"
    return Moments(kind, form, why, [known[text] if text is not None else None for text in values], zoned)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
