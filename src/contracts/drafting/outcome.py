"""The outcome in a drafted file: which values mean that it happened, when that is known, which columns tell it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from finlake.contracts.drafting.profile import Guess, word_lists
from finlake.contracts.drafting.proposal import Proposal
from finlake.errors import InputError

_SUSPICIOUS = 0.97
_MOST_WORDS = 20


@dataclass(frozen=True)
class Outcome:
    """The label: which values are positive, and when it is known."""

    guess: Guess
    condition: str
    hits: list[bool | None]
    clock: str
    clock_column: Guess | None
    matures: int
    why: str


def outcome_of(made: Proposal, target: Guess, days: int) -> Outcome:
    """The label of `target`, learnt when the contract says so, else guessed from the sample of `days`."""
    condition, hits = _condition(target)
    if target.name in made.later:
        return _as_said(made, target, condition, hits)
    clock = _clock(made, target)
    if clock is None:
        wait = max(1, min(30, days // 10))
        return Outcome(
            target, condition, hits, f"{{happened_at plus: {wait} days}}", None, wait, "known later than the row itself"
        )
    gaps = sorted((b - a).total_seconds() / 86400 for a, b in _pairs(made.happened_at, clock) if b >= a)
    wait = math.ceil(gaps[int(0.99 * (len(gaps) - 1))]) + (31 if clock.month_only else 1)
    why = f"99% of {clock.name} lie within {wait} days of {made.happened_at.name if made.happened_at else ''}"
    return Outcome(target, condition, hits, clock.clock, clock, wait, why)


def _as_said(made: Proposal, target: Guess, condition: str, hits: list[bool | None]) -> Outcome:
    """By the clock under `known_later`."""
    said = made.later[target.name]
    delay = said.plus.days if said.plus else 0.0
    clock = next((guess for guess in made.guesses if guess.name == said.column), None)
    gaps = [] if clock is None else [(b - a).total_seconds() / 86400 for a, b in _pairs(made.happened_at, clock)]
    gaps = sorted(gap for gap in gaps if gap >= 0)
    if clock is None or clock is made.happened_at or not gaps:
        return Outcome(target, condition, hits, said.column, None, max(1, math.ceil(delay)), "as the contract says")
    wait = math.ceil(gaps[int(0.99 * (len(gaps) - 1))] + delay) + 1
    why = f"99% are known within {wait} days, by {clock.name} as the contract says"
    return Outcome(target, condition, hits, said.column, clock, wait, why)


def _condition(target: Guess) -> tuple[str, list[bool | None]]:
    """The label as SQL, and for each sampled row whether it holds."""
    if target.numbers and len(target.distinct) > _MOST_WORDS:
        edge = _edge([number for number in target.numbers if number is not None])
        return f"{target.name} > {edge:g}", [None if number is None else number > edge for number in target.numbers]
    positive = _positive(target)
    hits = [None if value is None else value in positive for value in target.values]
    if target.type == "boolean":
        return target.name, hits
    if target.type in ("integer", "number"):
        return " or ".join(f"{target.name} = {value}" for value in sorted(positive)), hits
    quoted = sorted(value.replace("'", "''") for value in positive)
    return " or ".join(f"{target.name} = '{value}'" for value in quoted), hits


def _edge(numbers: list[float]) -> float:
    """A measured outcome, such as days late, counts above nought; where all lie on one side, the highest tenth does."""
    above = sum(number > 0 for number in numbers)
    return 0.0 if 0 < above < len(numbers) else sorted(numbers)[int(0.9 * (len(numbers) - 1))]


def _positive(target: Guess) -> set[str]:
    """The values that mean `it happened`: by their words, else the rarer of a few."""
    if target.type == "boolean" and target.true_words:
        return {value for value in target.distinct if value.lower() in target.true_words}
    if len(target.distinct) < 2:
        raise InputError(f"{target.raw!r} has {len(target.distinct)} value(s) in the sample; a label needs two")
    if len(target.distinct) > _MOST_WORDS:
        raise InputError(
            f"{target.raw!r} has {len(target.distinct):,} different values; a label is a few words, 0 and 1, or a number"
        )
    words = {value for value in target.distinct if value.lower().strip() in word_lists()["bad"]}
    if words and len(words) < len(target.distinct):
        return words
    return {min(target.distinct.items(), key=lambda item: (item[1], item[0]))[0]}


def _clock(made: Proposal, target: Guess) -> Guess | None:
    """The time called like the label (`chargeback`, `chargeback_at`), else one that says that a case is over."""
    named = target.words - {target.name, "is", "has", "was", "flag"} or {target.name}

    def called_like_it(guess: Guess) -> bool:
        return named <= guess.words and not guess.hints("not_known")

    for guess in sorted(made.guesses, key=called_like_it, reverse=True):
        if guess in (made.happened_at, made.known_at, target) or guess.name == made.latest_by:
            continue
        if guess.moments is None or not (called_like_it(guess) or guess.hints("outcome")):
            continue
        pairs = list(_pairs(made.happened_at, guess))
        if len(pairs) >= 50 and sum(b >= a for a, b in pairs) >= 0.97 * len(pairs):
            return guess
    return None


def _pairs(first: Guess | None, second: Guess) -> Iterator[tuple[datetime, datetime]]:
    if first is None or first.moments is None or second.moments is None:
        return
    for a, b in zip(first.moments.values, second.moments.values, strict=True):
        if a and b:
            yield a, b


def tells(guess: Guess, hits: list[bool | None]) -> bool:
    """Whether the column alone nearly tells the label, by its values or by being empty: then it is known later, too."""
    known = [(value, hit) for value, hit in zip(guess.values, hits, strict=True) if hit is not None]
    positives = sum(hit for _, hit in known)
    if positives < 30 or positives > len(known) - 30:
        return False
    filled = Counter(hit for value, hit in known if value is not None)
    missing = Counter(hit for value, hit in known if value is None)
    if filled and missing and _separates(filled[True], filled[False], missing[True], missing[False]):
        return True
    if guess.numbers:
        pairs = [(n, hit) for n, hit in zip(guess.numbers, hits, strict=True) if n is not None and hit is not None]
        area = separation(pairs)
        return area > _SUSPICIOUS or area < 1 - _SUSPICIOUS
    if len(guess.distinct) > 50:
        return False
    by_value: dict[str | None, Counter[bool]] = {}
    for value, hit in known:
        by_value.setdefault(value, Counter())[hit] += 1
    rate = positives / len(known)
    high = [counts for counts in by_value.values() if counts[True] > rate * counts.total()]
    inside_true, inside_false = sum(c[True] for c in high), sum(c[False] for c in high)
    return _separates(inside_true, inside_false, positives - inside_true, len(known) - positives - inside_false)


def _separates(true_in: int, false_in: int, true_out: int, false_out: int) -> bool:
    """Whether one side holds nearly all positives and nearly no negatives."""
    positives, negatives = true_in + true_out, false_in + false_out
    if not positives or not negatives:
        return False
    strength = (true_in / positives + false_out / negatives) / 2
    return strength > _SUSPICIOUS or strength < 1 - _SUSPICIOUS


def separation(pairs: list[tuple[float, bool]]) -> float:
    """Chance that a positive lies above a negative; ties count half."""
    positives, negatives = sum(hit for _, hit in pairs), sum(not hit for _, hit in pairs)
    if not positives or not negatives:
        return 0.5
    by_value: dict[float, list[int]] = {}
    for number, hit in pairs:
        by_value.setdefault(number, [0, 0])[hit] += 1
    below, area = 0, 0.0
    for number in sorted(by_value):
        no, yes = by_value[number]
        area += yes * (below + no / 2)
        below += no
    return area / (positives * negatives)
