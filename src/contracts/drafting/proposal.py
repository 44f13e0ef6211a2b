"""From guesses about columns to a proposed contract: key, clocks, corrections, currency, expectations."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations

from finlake.config import Clock
from finlake.contracts.drafting.profile import Guess, currency_of, decimal_mark, null_words, profile
from finlake.contracts.drafting.sample import Sample

_FEW = 12
_FLAGS = 5
_RULES = 15
_WIDEST = 16


@dataclass
class Proposal:
    """Everything a drafted contract says, with the reason for each guess."""

    sample: Sample
    guesses: list[Guess]
    nulls: list[str]
    decimal: str
    currency: tuple[str, str]
    zone: tuple[str, str]
    key: list[str]
    key_why: str
    happened_at: Guess | None
    happened_why: str
    known_at: Guess | None
    known_why: str
    latest_why: str = ""
    expect: list[dict[str, object]] = field(default_factory=list)
    later: dict[str, Clock] = field(default_factory=dict)  # said by a contract: columns with a clock of their own
    latest_by: str = ""

    def guess(self, name: str) -> Guess | None:
        """By the name in silver or as it arrives."""
        return next((guess for guess in self.guesses if name in (guess.name, guess.raw)), None)

    def required(self, guess: Guess) -> bool:
        """Key and clocks always; identifiers and money when the sample never lacks them."""
        clocks = [clock.name for clock in (self.happened_at, self.known_at) if clock]
        if guess.name in self.key or guess.name in clocks:
            return True
        full = guess.filled == guess.rows and guess.rows >= 100
        return full and (
            guess.type == "money" or guess.pii == "pan" or (guess.type == "text" and guess.hints("identifier"))
        )


def propose(sample: Sample, now: datetime) -> Proposal:
    """A contract for the sampled file, standing at `now`."""
    nulls = null_words(sample)
    decimal = "." if sample.format == "parquet" else decimal_mark(sample)
    guesses = profile(sample, nulls, decimal)
    happened, happened_why = _happened(guesses)
    known, known_why = _known(guesses, happened)
    key, key_why = _key(guesses, known)
    made = Proposal(
        sample, guesses, nulls, decimal, currency_of(guesses, decimal), _zone(guesses), key, key_why,
        happened, happened_why, known, known_why,
    )  # fmt: skip
    made.expect = _expectations(made, now)
    return made


def _happened(guesses: list[Guess]) -> tuple[Guess | None, str]:
    timed = [guess for guess in guesses if guess.moments and guess.filled >= 0.9 * guess.rows]
    if not timed:
        return None, ""

    def score(guess: Guess) -> float:
        points = 3.0 * guess.hints("happened") - 4.0 * guess.hints("not_known") - 1.0 * guess.hints("known")
        return points + (1.0 if guess.type == "timestamp" else 0) - 0.1 * guesses.index(guess)

    best = max(timed, key=score)
    others = [guess.name for guess in timed if guess is not best]
    return best, f"the other times are {', '.join(others)}" if others else "the only time in the file"


def _known(guesses: list[Guess], happened: Guess | None) -> tuple[Guess | None, str]:
    if happened is None or happened.moments is None:
        return None, ""
    best: tuple[float, Guess, str] | None = None
    for guess in guesses:
        if guess is happened or guess.moments is None or guess.hints("not_known") or not guess.hints("known"):
            continue
        if guess.filled < 0.99 * guess.rows:
            continue
        gaps = _gaps(happened, guess)
        after = sum(gap >= 0 for gap in gaps) / max(len(gaps), 1)
        same_kind = guess.type == happened.type
        if gaps and after >= 0.99 and (best is None or after + same_kind > best[0]):
            middle = sorted(gaps)[len(gaps) // 2]
            best = (
                after + same_kind,
                guess,
                f"{after:.1%} lie at or after {happened.name}, by {_length(middle)} in the middle",
            )
    return (best[1], best[2]) if best else (None, "")


def _gaps(first: Guess, second: Guess) -> list[float]:
    """Seconds from one time to another, row by row where both are there."""
    if first.moments is None or second.moments is None:
        return []
    pairs = zip(first.moments.values, second.moments.values, strict=True)
    return [(later - earlier).total_seconds() for earlier, later in pairs if earlier and later]


def _length(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _key(guesses: list[Guess], known: Guess | None) -> tuple[list[str], str]:
    able = [
        guess for guess in guesses if guess.type not in ("number", "money", "boolean") and guess.filled == guess.rows
    ]

    def score(guess: Guess) -> float:
        return (
            3.0 * _id_like(guess)
            - 2.0 * (guess.moments is not None)
            - 0.2 * guesses.index(guess)
            - (guess.pii not in (None, "pan"))
        )

    ordered = sorted(able, key=score, reverse=True)
    unique = [guess for guess in ordered if guess.unique]
    if unique and (_id_like(unique[0]) or unique[0].moments is None or not any(_id_like(guess) for guess in able)):
        return [unique[0].name], f"no value appears twice in {unique[0].rows:,} rows"
    for guess in ordered:
        if _id_like(guess) and len(guess.distinct) >= 0.95 * guess.rows and known is not None:
            again = guess.rows - len(guess.distinct)
            return [
                guess.name
            ], f"{again:,} of {guess.rows:,} rows repeat a value; taken as corrections, the later {known.name} wins"
    candidates = [guess for guess in ordered if guess.type in ("text", "integer", "date", "timestamp")][:_WIDEST]
    best: tuple[int, list[Guess]] = (len(candidates[0].distinct) if candidates else 0, candidates[:1])
    for size in (2, 3):
        for group in combinations(candidates[: _WIDEST if size == 2 else 8], size):
            if math.prod(len(guess.distinct) for guess in group) < guesses[0].rows:
                continue
            distinct = len(set(zip(*(guess.values for guess in group), strict=True)))
            if distinct == guesses[0].rows:
                sure = all(_id_like(guess) or guess.moments for guess in group)
                doubt = "" if sure else "; CONFIRM: do they identify a row, or is that chance?"
                return [guess.name for guess in group], f"no single column is unique, together they are{doubt}"
            if distinct > best[0]:
                best = (distinct, list(group))
    chosen = [guess.name for guess in best[1]] or [guesses[0].name]
    again = guesses[0].rows - best[0]
    return chosen, f"NOT unique: {again:,} of {guesses[0].rows:,} rows repeat it; name the columns that identify a row"


def _id_like(guess: Guess) -> bool:
    return guess.hints("identifier") and guess.moments is None


def _zone(guesses: list[Guess]) -> tuple[str, str]:
    naive = [guess for guess in guesses if guess.moments and guess.type == "timestamp" and not guess.moments.zoned]
    if not naive:
        return "UTC", ""
    if any((guess.format or "").startswith(("dd.MM", "d.M")) for guess in naive):
        return "Europe/Berlin", f"a guess from the way {naive[0].name} is written; change if wrong"
    return "UTC", f"{naive[0].name} carries no zone, and UTC is only a guess, for example Europe/Berlin"


def _expectations(made: Proposal, now: datetime) -> list[dict[str, object]]:
    rules: list[dict[str, object]] = []
    happened = made.happened_at
    if happened and happened.moments and all(moment is None or moment <= now for moment in happened.moments.values):
        rules.append(
            {"rule": f"{happened.name} is not in the future", "name": "expect_not_in_future", "column": happened.name}
        )
    for guess in made.guesses:
        if guess.name in made.key or guess.pii:
            continue
        if guess.type == "integer" and len(guess.distinct) <= _FLAGS:
            rules += _set(guess)
        elif guess.type in ("money", "number", "integer"):
            rules += _range(guess)
        elif guess.type == "text" and not guess.hints("identifier"):
            rules += _set(guess)
    return rules[:_RULES]


def _range(guess: Guess) -> list[dict[str, object]]:
    numbers = [number for number in guess.numbers if number is not None and math.isfinite(number)]
    if len(numbers) < 100 or guess.hints("identifier"):
        return []
    low, high = min(numbers), max(numbers)
    seen = f"seen: {low:g} to {high:g}"
    least = 0 if low >= 0 else -_round_up(-low)
    most = 1 if low >= 0 and high <= 1 and guess.type == "number" else _round_up(high) if high > 0 else 0
    rule = f"{guess.name} is between {least:,} and {most:,}"
    return [
        {"rule": rule, "name": "expect_column_values_to_be_between", "column": guess.name, "min_value": least, "max_value": most,
         "otherwise": "warn", "seen": seen}
    ]  # fmt: skip


def _round_up(number: float) -> int:
    """Twice as far, rounded up to one digit, so that only what is far off is flagged."""
    size = 10 ** math.floor(math.log10(2 * number)) if number > 0 else 1
    return int(max(math.ceil(2 * number / size) * size, 10))


def _set(guess: Guess) -> list[dict[str, object]]:
    texts = sorted(guess.distinct)
    values = [int(text) for text in texts] if guess.type == "integer" else texts
    if not 1 < len(values) <= _FEW or guess.filled < 200 or min(guess.distinct.values()) < 2:
        return []
    if guess.nested or any(len(text) > 40 for text in texts):  # JSON of one meaning has many spellings
        return []
    shown = ", ".join(texts)
    rule = (
        f"{guess.name} is one of {shown}" if len(shown) <= 60 else f"{guess.name} is one of {len(values)} known values"
    )
    return [
        {"rule": rule, "name": "expect_column_values_to_be_in_set", "column": guess.name, "value_set": values, "otherwise": "warn",
         "seen": f"{len(values)} values in {guess.filled:,} rows"}
    ]  # fmt: skip
