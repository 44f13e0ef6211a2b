"""Matches the columns of a file to the columns of its contract, whatever way the header is spelled."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from finlake.config import Source
from finlake.contracts import contract
from finlake.contracts.masking import mask_text
from finlake.errors import nearest


@dataclass(frozen=True)
class Match:
    """Where each contract column is in the file, what is new, and what is missing."""

    positions: dict[str, int]
    extra: dict[str, int]
    missing: tuple[str, ...]
    problem: str = ""


def normalise(header: str) -> str:
    """`\\ufeffOrder-ID ` and `order id` are both `order_id`."""
    plain = unicodedata.normalize("NFKC", header.replace("\ufeff", "")).casefold()
    return re.sub(r"[\W_]+", "_", plain).strip("_")


def match(header: Sequence[str], source: Source) -> Match:
    """The header against the contract: exact names win over aliases, aliases over names spelled differently.

    `problem` says why the file cannot be read: a needed column is missing, or one arrived twice.
    """
    names = [name.replace("\ufeff", "").strip() for name in header]
    spelled = [normalise(name) for name in names]
    positions: dict[str, int] = {}
    twice: list[str] = []
    for column in source.columns:
        for wanted, seen in _ways(column, source, names, spelled):
            found = [place for place, name in enumerate(seen) if name in wanted and place not in positions.values()]
            if len(found) > 1 and len({spelled[place] for place in found}) == 1:
                twice.append(column)
            if found:
                positions[column] = found[0]
                break
    extra = _extra_names(names, set(positions.values()))
    missing = tuple(column for column in source.columns if column not in positions)
    problem = ""
    if twice:
        problem = f"column {twice[0]!r} arrives twice; the header is {show(names)}; send it once"
    elif needed := [column for column in missing if column in needed_columns(source)]:
        problem = _missing(needed, names, list(extra))
    return Match(positions, extra, missing, problem)


def in_order(count: int, source: Source) -> Match:
    """The match of a file without header: `count` columns in the order of the contract."""
    columns = list(source.columns)
    problem = ""
    if count != len(columns):
        problem = (
            f"the file has no header, its first line has {count} columns and the contract {len(columns)}; "
            f"list every column of the file in the contract, in the file's order"
        )
    return Match({column: place for place, column in enumerate(columns)}, {}, (), problem)


def needed_columns(source: Source) -> set[str]:
    """Columns (as they arrive) without which a file is refused: key, clocks and what the contract requires."""
    needed = contract.needed_columns(source)
    return {raw for raw, name in source.silver_names.items() if name in needed}


def show(header: Sequence[str], most: int = 30) -> str:
    """A header as people read it, masked and not endless."""
    shown = ", ".join(mask_text(name)[:60] for name in header[:most])
    return f"[{shown}{', …' if len(header) > most else ''}]"


def _ways(column: str, source: Source, names: list[str], spelled: list[str]) -> Iterator[tuple[set[str], list[str]]]:
    aliases = source.columns[column].names
    yield {column}, names
    yield set(aliases), names
    yield {normalise(column)}, spelled
    yield {normalise(alias) for alias in aliases}, spelled


def _extra_names(names: list[str], taken: set[int]) -> dict[str, int]:
    left = [(name or f"column {place + 1}", place) for place, name in enumerate(names) if place not in taken]
    count = Counter(name for name, _ in left)
    return {name if count[name] == 1 else f"{name} (column {place + 1})": place for name, place in left}


def _missing(needed: list[str], names: list[str], extra: list[str]) -> str:
    column = needed[0]
    known = {name: name for name in extra} | {normalise(name): name for name in extra}
    near = nearest(column, known)
    others = f" (also missing: {', '.join(needed[1:])})" if len(needed) > 1 else ""
    hint = f"; add that header to `names` of {column}" if near else ""
    return f"the needed column {column!r} is missing{others}; the header is {show(names)}{near}{hint}"
