"""Follows the quotes of a CSV file from its first line to its last, because Spark believes every one of them.

A quote that is not closed makes Spark's reader take the rest of its line, or with `multiline` the rest of the file, for
one value. A line break inside a value that is read line by line makes halves of values and rows that nobody sent.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from finlake.config.source import Read
from finlake.contracts.masking import mask_text
from finlake.contracts.received.files import chunks, opened
from finlake.contracts.received.inspection import LONGEST_TEXT

_LONGEST_VALUE = 1_000  # lines; a real value is shorter, and what follows an open quote is not read twice
_MOST_OPEN = 1_000
_BLANK = "".join(map(chr, range(33)))  # what Spark takes off a line before it asks whether it is empty


@dataclass(frozen=True)
class Quotes:
    """`problem` refuses the file; `open` are rows (number, masked text) whose line alone leaves a quote open."""

    problem: str = ""
    open: tuple[tuple[int, str], ...] = ()


def follow(path: Path, read: Read, encoding: str, width: int, multiline: bool) -> Quotes:
    """Where values begin with a quote that is not closed where it should be.

    Args:
        encoding: Python's name of the file's encoding.
        width: number of columns.
        multiline: whether Spark reads values across lines.
    """
    if not read.quote or not any(read.quote.encode(encoding)[-1:] in chunk for chunk in chunks(path)):
        return Quotes()
    with io.TextIOWrapper(opened(path), encoding=encoding, errors="replace") as text:
        lines = (line.removesuffix("\n").removeprefix("\ufeff") for line in text)
        form = _Form.of(read)
        return _across(lines, form, width) if multiline else _by_line(lines, form, width, read.header)


@dataclass(frozen=True)
class _Form:
    """One field, the fields of a line, the end of a quoted value that an earlier line began, and what follows it."""

    sep: str
    quote: str
    field: re.Pattern[str]
    line: re.Pattern[str]
    end: re.Pattern[str]
    rest: re.Pattern[str]

    @staticmethod
    def of(read: Read) -> _Form:
        s, q, e = (re.escape(mark) for mark in (read.sep, read.quote, read.escape or read.quote))
        inside = rf"(?:[^{q}]++|{q}{q})*+" if e == q else rf"(?:[^{q}{e}]++|{e}.)*+"
        field = rf"(?:{q}{inside}{q}[^{s}]*+|(?!{q})[^{s}]*+)"
        forms = (field, rf"{field}(?:{s}{field})*+", rf"{inside}{q}", rf"(?:{s}{field})*+")
        return _Form(read.sep, read.quote, *(re.compile(form, re.DOTALL) for form in forms))

    def closed(self, line: str) -> bool:
        return self.quote not in line or self.line.fullmatch(line) is not None

    def width(self, record: str) -> int:
        """How many fields a closed record has."""
        count, at = 1, 0
        while (found := self.field.match(record, at)) and found.end() < len(record):
            count, at = count + 1, found.end() + 1
        return count


def _lines_of_value(first: str, following: Iterable[str], form: _Form, width: int) -> int:
    """How many of the following lines belong to a record whose first line leaves a quote open.

    0 where it does not end as a record does: the quote right before a delimiter or the end of a line, and `width` fields.
    """
    record = [first]
    for line in islice(following, _LONGEST_VALUE):
        record.append(line)
        if not (end := form.end.match(line)):
            continue
        rest = line[end.end() :]
        if rest and not rest.startswith(form.sep):
            return 0
        if form.rest.fullmatch(rest):
            return len(record) - 1 if form.width("\n".join(record)) == width else 0
    return 0


def _across(lines: Iterator[str], form: _Form, width: int) -> Quotes:
    number = 0
    for line in lines:
        number += 1
        if form.closed(line):
            continue
        taken = _lines_of_value(line, lines, form, width)
        if not taken:
            return Quotes(
                f"the quote ({form.quote}) that line {number:,} opens does not close as that of one value: mend line "
                f"{number:,}, {_shown(line)}, or set `quote: ''` if quotes are part of the values"
            )
        number += taken
    return Quotes()


def _by_line(lines: Iterator[str], form: _Form, width: int, header: bool) -> Quotes:
    found: list[tuple[int, str]] = []
    ahead: deque[str] = deque()
    number, row = 0, -1 if header else 0
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        number += 1
        row += bool(line.strip(_BLANK))
        if form.closed(line):
            continue
        ahead += islice(lines, max(0, _LONGEST_VALUE - len(ahead)))
        if _lines_of_value(line, ahead, form, width):
            return Quotes(
                f"the quote ({form.quote}) that line {number:,} opens closes in a later line: set `multiline: true` if "
                f"values hold line breaks, or mend line {number:,}, {_shown(line)}"
            )
        found.append((row, mask_text(line)[:LONGEST_TEXT]))
        if len(found) > _MOST_OPEN or row == 0:
            return Quotes(
                f"line {number:,} opens a quote ({form.quote}) and does not close it, {_shown(line)}"
                + (f", as {_MOST_OPEN:,} lines before it do" if row else "")
                + ": set `quote: ''` if quotes are part of the values, or ask for the file again"
            )
    return Quotes(open=tuple(found))


def _shown(line: str) -> str:
    return repr(mask_text(line)[:80])
