"""Decisions whose windows later held something else: computed from the versions visible at their moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from finlake.features.windows import NEVER
from finlake.features.windows.answers import Asked, Part, Rows, answers
from finlake.features.windows.functions import Answer, at_places
from finlake.features.windows.ranges import before, first_at_or_after, sums_up_to

_ENDS = {"first": 1, "last": -1, "last_time": -1}  # where to go on from the end of a frame
_EXTREMES = {"min": np.minimum, "max": np.maximum}
_GATHERED = 2_000_000  # versions looked at together


@dataclass(frozen=True)
class Versions:
    """Rows of any time of knowledge: visible from `since` until `until` (microseconds); `key` is -1 where none matters."""

    rows: Rows
    since: np.ndarray
    until: np.ndarray
    key: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def take(self, some: np.ndarray) -> Versions:
        """Some of them, by places in order or a mask."""
        values = {name: (value[some], known[some]) for name, (value, known) in self.rows.values.items()}
        rows = Rows(self.rows.entity[some], self.rows.at[some], values)
        return Versions(rows, self.since[some], self.until[some], self.key[some])

    def edge(self, asked: Asked, offset: int | None) -> np.ndarray:
        moment = asked.at + offset if offset is not None else np.full(len(asked.at), self.rows.at.min(initial=0))
        return first_at_or_after(self.rows.entity, self.rows.at, asked.entity, moment)


@dataclass(frozen=True)
class Late:
    """Decisions with the moment up to which each may know, and the key of its own row, which it never sees."""

    asked: Asked
    moment: np.ndarray
    key: np.ndarray

    def answers(self, versions: Versions, parts: Sequence[Part]) -> dict[str, Answer]:
        """Counts, sums of whole numbers, first and last without looking at each row of a window, extremes by looking at
        the few that not all could see, the others by looking.
        """
        summed = [part for part in parts if _sum_of_whole(part, versions)]
        ends = [part for part in parts if part.function in _ENDS]
        extremes = [part for part in parts if part.function in _EXTREMES]
        others = [part for part in parts if part not in (*summed, *ends, *extremes)]
        found = _sums(versions, self, summed) if summed else {}
        found |= {part.name: _end(versions, self, part) for part in ends}
        found |= _extremes(versions, self, extremes) if extremes else {}
        return found | (self.looking(versions, others) if others else {})

    def looking(self, versions: Versions, parts: Sequence[Part]) -> dict[str, Answer]:
        """By looking at every version in the frames."""
        found: dict[str, Answer] = {}
        pieces = [_looked_at(versions, piece, parts) for piece in self._bounded(versions, parts)]
        for part in parts:
            value, known = zip(*(piece[part.name] for piece in pieces), strict=True)
            found[part.name] = np.concatenate(value), np.concatenate(known)
        return found

    def _bounded(self, versions: Versions, parts: Sequence[Part]) -> Iterator[Late]:
        """As many at a time as memory should hold the versions of."""
        low, high = _reach(versions, self.asked, parts)
        piece = np.cumsum(high - low) // _GATHERED
        for some in np.split(np.arange(len(piece)), np.flatnonzero(np.diff(piece)) + 1):
            yield Late(self.asked.take(some), self.moment[some], self.key[some])


def _sum_of_whole(part: Part, versions: Versions) -> bool:
    whole = versions.rows.values[part.value][0].dtype == np.int64
    return not part.other and (part.function == "count" or (part.function == "sum" and whole))


def _sums(versions: Versions, late: Late, parts: Sequence[Part]) -> dict[str, Answer]:
    """What was known by the moment less what was replaced by it, less the decision's own row.

    Most versions were known before anyone asked and still are: only the others are told apart by moment.
    """
    asked, offsets = late.asked, list(dict.fromkeys(edge for part in parts for edge in (part.low, part.high + 1)))
    edges = [versions.edge(asked, offset) for offset in offsets]
    columns: dict[tuple[str, str], np.ndarray] = {}
    for part in parts:
        value, known = versions.rows.values[part.value]
        columns[part.value, "count"] = known.astype(np.int64)
        if part.function == "sum":
            columns[part.value, "sum"] = np.where(known, value, 0)
    numbers = tuple(columns.values())
    first = _first_moment(versions, late, max(part.high for part in parts))
    seen = versions.until > first
    always, later, replaced = (
        seen & some for some in (versions.since <= first, versions.since > first, versions.until != NEVER)
    )

    def visible(some: np.ndarray, key: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        places = before(some)
        return sums_up_to(tuple(c[some] for c in numbers), key[some], [places[e] for e in edges], late.moment)

    known_by, gone = visible(later, versions.since), visible(replaced, versions.until)
    whole = [before(np.where(always, c, 0)) for c in numbers]
    which, place = _own(versions, late)
    names = list(columns)

    def within(part: Part, what: str) -> np.ndarray:
        column, begin, end = names.index((part.value, what)), offsets.index(part.low), offsets.index(part.high + 1)
        until, since = (whole[column][edges[e]] + known_by[e][column] - gone[e][column] for e in (end, begin))
        summed: np.ndarray = until - since
        away = versions.rows.at[place] - asked.at[which]
        inside = (away <= part.high) & (part.low is None or away >= part.low)
        np.subtract.at(summed, which[inside], numbers[column][place[inside]])
        return summed

    found = {}
    for part in parts:
        count = within(part, "count")
        if part.function == "count":
            found[part.name] = count, np.ones(len(count), bool)
        else:
            found[part.name] = within(part, "sum"), count > 0
    return found


def _first_moment(versions: Versions, late: Late, high: int) -> np.ndarray:
    """For each version the earliest moment of a decision that may have it in a frame; NEVER where there is none."""
    asked, rows = late.asked, versions.rows
    steps, rank = np.unique(late.moment, return_inverse=True)
    span = len(steps) + 1
    ahead = np.minimum.accumulate((asked.entity * span + rank)[::-1])[::-1]  # a later entity's are larger
    place = first_at_or_after(asked.entity, asked.at, rows.entity, rows.at - high)
    entity, step = np.divmod(np.append(ahead, -1)[place], span)
    return np.where(entity == rows.entity, np.append(steps, NEVER)[step], NEVER)


def _own(versions: Versions, late: Late) -> tuple[np.ndarray, np.ndarray]:
    """Decision and version, for the visible versions of decisions' own rows."""
    order = np.argsort(versions.key, kind="stable")
    keys = versions.key[order]
    low, high = np.searchsorted(keys, late.key), np.searchsorted(keys, late.key, side="right")
    which, place = _each(low, high)
    place = order[place]
    moment = late.moment[which]
    same = versions.rows.entity[place] == late.asked.entity[which]
    seen = same & (versions.since[place] <= moment) & (versions.until[place] > moment)
    return which[seen], place[seen]


def _end(versions: Versions, late: Late, part: Part) -> Answer:
    """The first or last version of a frame that was visible: most are, so it is found after few steps from the end."""
    (value, known), step = versions.rows.values[part.value], _ENDS[part.function]
    low, high = versions.edge(late.asked, part.low), versions.edge(late.asked, part.high + 1)
    place = low.copy() if step > 0 else high - 1
    looking = np.flatnonzero(low < high)
    while len(looking):
        there, moment = place[looking], late.moment[looking]
        seen = (versions.since[there] <= moment) & (versions.until[there] > moment) & known[there]
        looking = looking[~seen | (versions.key[there] == late.key[looking])]
        place[looking] += step
        looking = looking[(low[looking] <= place[looking]) & (place[looking] < high[looking])]
    some = (low <= place) & (place < high)
    column = versions.rows.at if part.function == "last_time" else value
    return at_places(column, place, some), some


def _extremes(versions: Versions, late: Late, parts: Sequence[Part]) -> dict[str, Answer]:
    """Of the versions that every later decision saw as of rows that all count; of the others by looking."""
    high = max(part.high for part in parts)
    first = _first_moment(versions, late, high)
    seen = versions.until > first
    always = seen & (versions.since <= first) & (versions.until == NEVER)
    which, place = _own(versions, late)
    always[place[versions.rows.at[place] - late.asked.at[which] <= high]] = (
        False  # one decision does not see it: its own
    )
    found = answers(versions.take(always).rows, late.asked, parts)
    looked = late.looking(versions.take(seen & ~always), parts)
    for part in parts:
        (value, known), (other, there) = found[part.name], looked[part.name]
        both = _EXTREMES[part.function](value, other)
        found[part.name] = np.where(known & there, both, np.where(known, value, other)), known | there
    return found


def _looked_at(versions: Versions, late: Late, parts: Sequence[Part]) -> dict[str, Answer]:
    which, place = _each(*_reach(versions, late.asked, parts))
    moment = late.moment[which]
    seen = (
        (versions.since[place] <= moment) & (versions.until[place] > moment) & (versions.key[place] != late.key[which])
    )
    which, place = which[seen], place[seen]
    alone = Asked(np.arange(len(late.key)), late.asked.at)  # each as an entity of its own
    return answers(replace(versions.take(place).rows, entity=which), alone, parts)


def _reach(versions: Versions, asked: Asked, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """The versions, of any time of knowledge, that lie in one of the frames."""
    lows = [part.low for part in parts if part.low is not None]
    low = versions.edge(asked, min(lows) if len(lows) == len(parts) else None)
    return low, np.maximum(low, versions.edge(asked, max(part.high for part in parts) + 1))


def _each(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range and place, for every place in the ranges [low, high)."""
    length = high - low
    which = np.repeat(np.arange(len(low)), length)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(length) - length - low, length)
