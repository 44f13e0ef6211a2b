"""Finds and masks card numbers in free text: in Python, and as one Spark expression with the same verdicts.

A card number is 13 to 19 digits that pass the Luhn check, written in one piece or in groups with a space or dash
between them. A longer unbroken run of digits is not one. Dots, slashes, apostrophes, tabs and wider gaps also stand in
dates and decimals, so between them at least three groups are asked for, the first of 4 digits or more, none below 3.
"""

from __future__ import annotations

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

SHORTEST, LONGEST = 13, 19
GAPS = "[ \t\u00a0\u2010-\u2015'./-]"  # what may stand between the groups of a card number
# Possessive, because Java's regular expressions recurse once for each turn of any other loop.
RUN = rf"[0-9](?:{GAPS}{{0,3}}[0-9]){{{SHORTEST - 1},}}+"
GROUP = rf"[0-9]++{GAPS}{{0,3}}"
_END = rf"{GAPS}+$"
_DOUBTFUL = rf"[\t'./]|{GAPS}{{2}}"
_CARD_GROUPS = rf"^[0-9]{{4,}}({GAPS}+[0-9]{{3,}}){{2,}}$"
_DAY = rf"(?:19|20)[0-9]{{2}}({GAPS}?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
_TIME = "(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9][0-9]{0,6})?"
_MOMENT = re.compile(rf"(?<![0-9]){_DAY}(?:{_TIME})?(?![0-9])")
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
    """Like `mask_text`, but spares days and times such as 20251015143006, because names of files carry them."""
    return re.sub(RUN, lambda run: _mask_between_times(run.group()), path)


def _mask_between_times(run: str) -> str:
    made, end = "", 0
    for moment in _MOMENT.finditer(run):
        made += _mask_run(run[end : moment.start()]) + moment.group()
        end = moment.end()
    return made + _mask_run(run[end:])


def _mask_run(run: str) -> str:
    groups = re.findall(GROUP, run)
    for first in range(len(groups)):
        piece, digits = "", 0
        for group in groups[first : first + LONGEST]:
            piece += group
            digits += len(re.sub(GAPS, "", group))
            if digits > LONGEST:
                break
            written = re.sub(_END, "", piece)
            if is_card_number(written) and _grouped_like_one(written):
                run = run.replace(written, "****" + re.sub(GAPS, "", written)[-4:], 1)
    return run


def _grouped_like_one(piece: str) -> bool:
    return re.search(_DOUBTFUL, piece) is None or re.search(_CARD_GROUPS, piece) is not None


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
            lambda count: F.regexp_replace(F.array_join(F.slice(groups, first, count), ""), _END, ""),
        )

    return F.flatten(F.transform(F.sequence(F.lit(1), F.size(groups)), from_))


def _digits(piece: Column) -> Column:
    return F.regexp_replace(piece, "[^0-9]", "")


def _is_card_number(piece: Column) -> Column:
    digits = _digits(piece)
    back = F.reverse(F.left(digits, F.lit(LONGEST)))

    def add(total: Column, place: Column) -> Column:
        digit = F.substring(back, place, 1)
        doubled = F.translate(digit, "0123456789", _DOUBLED)
        return total + F.when(place % 2 == 1, digit).otherwise(doubled).cast("int")

    total = F.reduce(F.sequence(F.lit(1), F.length(back)), F.lit(0), add)
    grouped = ~piece.rlike(_DOUBTFUL) | piece.rlike(_CARD_GROUPS)
    fits = F.length(digits).between(SHORTEST, LONGEST) & grouped
    return F.when(fits, total % 10 == 0).otherwise(False)


def _last_four(piece: Column) -> Column:
    return F.concat(F.lit("****"), F.right(_digits(piece), F.lit(4)))
