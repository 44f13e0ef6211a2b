"""Finds and masks card numbers in free text: in Python, and as one Spark expression with the same verdicts.

A card number is 13 to 19 digits that pass the Luhn check, written in one piece or in groups with a space or dash
between them. A longer unbroken run of digits is not one.
"""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

SHORTEST, LONGEST = 13, 19
_GAP = " \u00a0\u2010-\u2015-"
RUN = rf"[0-9](?:[{_GAP}]?[0-9]){{{SHORTEST - 1},}}"
GROUP = rf"[0-9]+[{_GAP}]?"
_DOUBLED = "0246813579"


def luhn(digits: str) -> bool:
    """Whether a string of digits passes the check that every card number passes."""
    back = digits[::-1]
    total = sum(int(d) for d in back[::2]) + sum(int(_DOUBLED[int(d)]) for d in back[1::2])
    return total % 10 == 0


def is_card_number(text: str) -> bool:
    """Whether the digits of `text` are 13 to 19 in number and pass the Luhn check."""
    digits = re.sub(r"[^0-9]", "", text)
    return SHORTEST <= len(digits) <= LONGEST and luhn(digits)


def mask_text(text: str) -> str:
    """The text with the digits of every card number but its last four replaced by `*`."""
    return re.sub(RUN, lambda run: _mask_run(run.group()), text)


def mask_path(path: str) -> str:
    """Like `mask_text`, but spares digits that begin like a year, because names of files carry times."""
    return re.sub(RUN, lambda run: run.group() if run.group()[:2] in ("19", "20") else _mask_run(run.group()), path)


def _mask_run(run: str) -> str:
    groups = re.findall(GROUP, run)
    for first in range(len(groups)):
        for last in range(first + 1, min(len(groups), first + LONGEST) + 1):
            piece = "".join(groups[first:last])
            if is_card_number(piece):
                run = run.replace(piece.rstrip("\u00a0 -"), _star(piece), 1)
    return run


def _star(piece: str) -> str:
    return "****" + re.sub(r"[^0-9]", "", piece)[-4:]


def mask_pans(column: Column) -> Column:
    """Spark's `mask_text`: null stays null; a text without 13 digits in a row is passed through untouched."""
    runs = F.regexp_extract_all(column, F.lit(f"({RUN})"), F.lit(1))
    pieces = F.flatten(F.transform(runs, _pieces))
    cards = F.filter(pieces, _is_card_number)
    masked = F.reduce(cards, column, lambda text, piece: F.replace(text, piece, _last_four(piece)))
    return F.when(column.rlike(RUN), masked).otherwise(column)


def _pieces(run: Column) -> Column:
    """Every stretch of neighbouring digit groups of one run, as written, longest last."""
    groups = F.regexp_extract_all(run, F.lit(f"({GROUP})"), F.lit(1))

    def from_(first: Column) -> Column:
        most = F.least(F.lit(LONGEST), F.size(groups) - first + 1)
        return F.transform(
            F.sequence(F.lit(1), most),
            lambda count: F.regexp_replace(F.array_join(F.slice(groups, first, count), ""), rf"[{_GAP}]$", ""),
        )

    return F.flatten(F.transform(F.sequence(F.lit(1), F.size(groups)), from_))


def _digits(piece: Column) -> Column:
    return F.regexp_replace(piece, "[^0-9]", "")


def _is_card_number(piece: Column) -> Column:
    digits = _digits(piece)
    back = F.reverse(digits)

    def add(total: Column, place: Column) -> Column:
        digit = F.substring(back, place, 1)
        doubled = F.translate(digit, "0123456789", _DOUBLED)
        return total + F.when(place % 2 == 1, digit).otherwise(doubled).cast("int")

    total = F.reduce(F.sequence(F.lit(1), F.length(back)), F.lit(0), add)
    return F.when(F.length(digits).between(SHORTEST, LONGEST), total % 10 == 0).otherwise(False)


def _last_four(piece: Column) -> Column:
    return F.concat(F.lit("****"), F.right(_digits(piece), F.lit(4)))
