"""Guesses what each column of a sample is. Every guess carries the observation it rests on."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from finlake.config.words import is_month
from finlake.contracts.drafting.guess_time import Moments, guess_time
from finlake.contracts.drafting.sample import NESTED, Sample
from finlake.contracts.masking import luhn

NULL_WORDS = (
    "NULL",
    "null",
    "Null",
    "\\N",
    "N/A",
    "n/a",
    "NA",
    "na",
    "NaN",
    "nan",
    "None",
    "none",
    "-",
    "--",
    "?",
    ".",
    "#N/A",
)
_EVERYWHERE = {"NULL", "null", "Null", "\\N", "N/A", "n/a", "NaN", "nan", "None", "#N/A"}
_ENOUGH = 0.97
_FEW = 20  # so many different numbers under the name of a customer may be a count of them
_INTEGER = re.compile(r"^[+-]?\d{1,18}$")
_POINT = re.compile(r"^[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?([eE][+-]?\d{1,3})?$")
_COMMA = re.compile(r"^[+-]?(\d{1,3}(\.\d{3})+|\d+)?(,\d+)?$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$")
_PHONE = re.compile(r"^\+?[\d ()/.-]{7,20}$")
_SSN = re.compile(r"^\d{3}-\d{2}-\d{4}$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_BOOLEANS = (
    ("true", "false"),
    ("t", "f"),
    ("yes", "no"),
    ("y", "n"),
    ("ja", "nein"),
    ("j", "n"),
    ("oui", "non"),
    ("si", "no"),
)
_PLAIN = re.compile(r"^[a-z][a-z0-9_]*$")


@dataclass
class Guess:
    """What one column seems to be, and what was seen of it."""

    raw: str
    name: str
    type: str
    why: str
    rows: int
    filled: int
    distinct: Counter[str]
    unique: bool
    format: str | None = None
    pii: str | None = None
    decimals: int = 2
    true_words: list[str] = field(default_factory=list)
    false_words: list[str] = field(default_factory=list)
    moments: Moments | None = None
    numbers: list[float | None] = field(default_factory=list)
    values: list[str | None] = field(default_factory=list)
    nested: bool = False

    @property
    def month_only(self) -> bool:
        """Whether it is a month without a day, which is read as its first day."""
        return self.type == "date" and is_month(self.format)

    @property
    def clock(self) -> str:
        """As a clock: a month is known when it is over."""
        return f"{{{self.name} plus: 31 days}}" if self.month_only else self.name

    @property
    def words(self) -> set[str]:
        return parts(self.name)

    def hints(self, kind: str) -> bool:
        """Whether a part of its name, or of its header, is one of the words of this kind."""
        return hinted(self.name, kind) or hinted(snake(self.raw), kind)

    @property
    def repeats(self) -> float:
        """Rows for each distinct value."""
        return self.filled / max(len(self.distinct), 1)


@cache
def word_lists() -> dict[str, frozenset[str]]:
    """Hints by kind, from the file beside this one."""
    loaded = YAML(typ="safe").load(Path(__file__).with_name("words.yml").read_text("utf-8"))
    return {kind: frozenset(str(word) for word in words) for kind, words in loaded.items()}


def parts(name: str) -> set[str]:
    """`fell_on` -> {fell, on, fell_on}."""
    return {*name.split("_"), name}


def hinted(name: str, kind: str) -> bool:
    """Whether the name, or a part of it, is a word of this kind."""
    words = word_lists()[kind]
    return bool(parts(name) & words) or any("_" in word and word in name for word in words)


def snake(header: str) -> str:
    """A header as a name: `TX Amount` -> `tx_amount`, `Größe` -> `groesse`, `clientID` -> `client_id`."""
    for letter, plain in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue"), ("ß", "ss")):
        header = header.replace(letter, plain)
    text = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode()
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()
    if not text:
        return "column"
    return text if text[0].isalpha() else f"n_{text}"


def names_of(headers: list[str], taken: tuple[str, ...] = ("event_ts", "known_from", "known_to")) -> dict[str, str]:
    """Header -> a valid name, each only once; valid names stay as they are."""
    made: dict[str, str] = {}
    used = set(taken)
    for header in headers:
        name = header if _PLAIN.match(header) else snake(header)
        while name in used:
            stem, _, number = name.rpartition("_")
            name = f"{stem}_{int(number) + 1}" if stem and number.isdigit() else f"{name}_2"
        used.add(name)
        made[header] = name
    return made


def null_words(sample: Sample) -> list[str]:
    """Texts that stand for no value: strong ones anywhere, weak ones only in columns that otherwise hold numbers or times."""
    found: set[str] = set()
    for values in sample.columns.values():
        counts = Counter(value.strip() for value in values if value is not None)
        seen = [word for word in NULL_WORDS if word in counts]
        found |= set(seen) & _EVERYWHERE
        weak = set(seen) - _EVERYWHERE
        rest = [value for value in list(counts)[:2000] if value and value not in NULL_WORDS]
        if (
            weak
            and rest
            and sum(bool(_POINT.match(v) or _COMMA.match(v) or v[:1].isdigit()) for v in rest) > 0.95 * len(rest)
        ):
            found |= weak
    return [word for word in NULL_WORDS if word in found]


def decimal_mark(sample: Sample) -> str:
    """`,` if more numbers of the sample are written with a decimal comma than with a point."""
    commas = points = 0
    for values in sample.columns.values():
        for value in values[:2000]:
            if not value:
                continue
            text = value.strip()
            if "," in text and _COMMA.match(text) and not re.match(r"^[+-]?\d{1,3}(,\d{3})+$", text):
                commas += 1
            elif "." in text and _POINT.match(text):
                points += 1
    return "," if commas > points else "."


def profile(sample: Sample, nulls: list[str], decimal: str) -> list[Guess]:
    """A guess for each column, in the file's order."""
    names = names_of(list(sample.columns))
    empty = {"", *nulls}
    made = []
    for raw, values in sample.columns.items():
        cleaned = [None if value is None or value.strip() in empty else value.strip() for value in values]
        made.append(_guess(raw, names[raw], cleaned, sample.types.get(raw), decimal))
    cards = [guess for guess in made if guess.pii == "pan"]
    if len(cards) == 1 and "card_token" not in names.values():
        cards[0].name = "card_token"
    return made


def _guess(raw: str, name: str, values: list[str | None], known: str | None, decimal: str) -> Guess:
    counts = Counter(value for value in values if value is not None)
    filled = sum(counts.values())
    guess = Guess(raw, name, "text", "", len(values), filled, counts, 0 < filled == len(counts), values=values)
    guess.nested = known == NESTED
    if not filled:
        guess.why = "no value in the sample; text is only a guess"
        return guess
    _private(guess)
    if guess.pii == "pan":
        return guess
    if guess.nested:
        guess.why = "lists or objects in the file, as JSON"
        return guess
    if known in ("timestamp", "date"):
        guess.type, guess.format, guess.why = known, "iso", f"a {known} in the file"
        guess.moments = guess_time(values, counts, True, False)
        return guess
    if known == "boolean" or _is_boolean(guess):
        guess.type = "boolean"
        guess.why = guess.why or "true or false in the file"
        return guess
    if guess.pii in ("phone", "national_id"):
        return guess
    digits = sum(count for value, count in counts.items() if _INTEGER.match(value))
    zeros = sum(count for value, count in counts.items() if len(value) > 1 and value[0] == "0" and value.isdigit())
    timely = hinted(name, "time")
    moments = (
        None
        if known in ("integer", "number") and not timely
        else guess_time(values, counts, timely, known == "integer")
    )
    if moments is not None:
        guess.moments, guess.type, guess.format, guess.why = moments, moments.type, moments.format, moments.why
        return guess
    pattern = _COMMA if decimal == "," and known is None else _POINT
    numeric = sum(count for value, count in counts.items() if pattern.match(value) and value not in ("+", "-", "", "."))
    named = hinted(name, "identifier") or (len(counts) > _FEW and set(name.split("_")) <= word_lists()["entity"])
    if digits >= _ENOUGH * filled and named and not hinted(name, "money"):
        guess.why = "an identifier: digits, but nothing to count with"
    elif zeros > 0.01 * filled and digits >= _ENOUGH * filled:
        guess.why = "digits with leading zeros, which a number would lose"
    elif numeric >= _ENOUGH * filled:
        _number(guess, digits, decimal if known is None else ".", filled - numeric)
    else:
        guess.why = guess.why or ""
    return guess


def _number(guess: Guess, digits: int, decimal: str, others: int) -> None:
    guess.numbers = [to_number(value, decimal) for value in guess.values]
    places = max((_places(value, decimal) for value in list(guess.distinct)[:5000]), default=0)
    rest = f"; {others:,} values do not parse and would be quarantined" if others else ""
    money = guess.hints("money") and not (guess.words & word_lists()["not_money"]) and places <= 4
    if money and len(guess.distinct) > 5:
        guess.type, guess.decimals = "money", max(places, 2)
        guess.why = f"by its name, and at most {max(places, 2)} decimals{rest}"
    elif digits == guess.filled - others:
        guess.type, guess.why = "integer", f"whole numbers{rest}"
    else:
        guess.type, guess.why = "number", rest.removeprefix("; ")


def to_number(text: str | None, decimal: str) -> float | None:
    """The number a text means, with the other mark as thousands separator; None if it is none."""
    if text is None:
        return None
    plain = text.replace(".", "").replace(",", ".") if decimal == "," else text.replace(",", "")
    try:
        return float(plain)
    except ValueError:
        return None


def _places(text: str, decimal: str) -> int:
    if "e" in text.lower():
        return 9
    _, mark, after = text.rpartition(decimal)
    return len(after.rstrip("0")) if mark else 0


def _is_boolean(guess: Guess) -> bool:
    seen = {value.lower() for value in guess.distinct}
    for true, false in _BOOLEANS:
        if seen and seen <= {true, false} and (len(seen) == 2 or true in ("true",)):
            guess.true_words, guess.false_words = [true], [false]
            guess.why = f"only {true} and {false}"
            return True
    return False


def _private(guess: Guess) -> None:
    counts, filled = guess.distinct, guess.filled
    sample = list(counts)[:2000]

    def share(test: re.Pattern[str]) -> float:
        return sum(bool(test.match(value)) for value in sample) / len(sample)

    bare = [re.sub(r"[ -]", "", value) for value in sample]
    cards = sum(value.isdigit() and 13 <= len(value) <= 19 and luhn(value) for value in bare)
    if cards >= 0.9 * len(sample) and (filled >= 5 or guess.hints("identifier")):
        guess.pii, guess.why = (
            "pan",
            f"{cards / len(sample):.0%} are valid card numbers; replaced by a token before anything is stored",
        )
    elif share(_EMAIL) > 0.8:
        guess.pii, guess.why = "email", "e-mail addresses"
    elif share(_SSN) > 0.8 or guess.hints("national_id"):
        guess.pii, guess.why = "national_id", "looks like a personal number"
    elif guess.hints("phone") and share(_PHONE) > 0.7:
        guess.pii, guess.why = "phone", "phone numbers"
    elif guess.hints("name") and filled and not sample[0][:1].isdigit():
        guess.pii, guess.why = "name", "by its name; masked outside silver"
    elif guess.hints("address"):
        guess.pii, guess.why = "address", "by its name; masked outside silver"


def currency_of(guesses: list[Guess], decimal: str) -> tuple[str, str]:
    """(currency of the money columns, why): a column that holds it, a code in a header, or a guess."""
    for guess in guesses:
        if guess.hints("currency") and guess.distinct and all(_CURRENCY.match(value) for value in guess.distinct):
            return guess.name, "the column that holds it"
    for code in ("EUR", "USD", "GBP", "CHF", "JPY", "SEK", "PLN", "CZK", "INR", "CAD", "AUD"):
        if any(code.lower() in guess.words for guess in guesses):
            return code, "from a header"
    dotted = any(guess.format and guess.format.startswith(("dd.MM", "d.M")) for guess in guesses)
    return ("EUR", "a guess; change if wrong") if decimal == "," or dotted else ("USD", "a guess; change if wrong")


def as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
