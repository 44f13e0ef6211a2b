"""Writes a proposed contract as YAML that people go on with: every guess says what it rests on."""

from __future__ import annotations

import json
import re
from typing import Any

from finlake.contracts.drafting.profile import Guess
from finlake.contracts.drafting.proposal import Proposal

_BARE = re.compile(r"^[A-Za-zÀ-ÿ_/.][A-Za-z0-9À-ÿ_ ./()%+-]*$")
_WORDS = {"true", "false", "null", "~", "yes", "no", "on", "off"}


def source_yaml(made: Proposal, name: str, path: str, later: list[tuple[list[str], str, str]] | None = None) -> str:
    """The contract's text. `later` is (columns, clock, why) of columns that are known later than the row."""
    sample = made.sample
    rows = f"the first {sample.rows:,} rows" if not sample.complete else f"all {sample.rows:,} rows"
    lines = [
        "# yaml-language-server: $schema=../schema/source.json",
        f"# Drafted from {rows} of one file. Every comment says what a guess rests on: confirm it or change it,",
        "# then `finlake check` tells what does not fit together.",
        f"source: {name}",
        f"about: {scalar(f'One row for each {_one(name)}; say here what it is and who sends it.')}",
        "owner: you@example.com",
        *_read(made, path),
        "columns:",
    ]
    lines += aligned([_column(made, guess) for guess in made.guesses])
    lines += _clocks(made, later or [])
    if made.expect:
        lines.append(
            "expect:                                   # begin with warn; delete `otherwise` and broken rows go to quarantine"
        )
    for rule in made.expect:
        lines += _rule(rule)
    lines.append(
        "stop_above: 10%                           # a batch with more broken rows than this is not let through"
    )
    return "\n".join(line.rstrip() for line in lines) + "\n"


def aligned(pairs: list[tuple[str, str]], widest: int = 84) -> list[str]:
    """Lines whose comments begin in one column, unless a line is very wide."""
    width = max((len(text) for text, why in pairs if why and len(text) <= widest), default=0)
    return [f"{text:<{width}}  # {why}" if why else text for text, why in pairs]


def scalar(value: Any) -> str:
    """A YAML 1.2 scalar or flow list; texts are quoted where they would mean something else."""
    if isinstance(value, list):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    flow = any(character in value for character in ",[]{}#:&*!|>'\"`@")
    if (
        value
        and _BARE.match(value)
        and not flow
        and value.lower() not in _WORDS
        and not value.endswith(" ")
        and not _numeric(value)
    ):
        return value
    return json.dumps(value, ensure_ascii=False)


def _numeric(text: str) -> bool:
    return bool(re.match(r"^[-+.]?(\d|inf|nan)", text, re.IGNORECASE))


def _one(name: str) -> str:
    words = name.replace("_", " ")
    return words[:-1] if words.endswith("s") and not words.endswith("ss") else words


def noted(text: str, why: str) -> str:
    """A line with its comment, both in columns of their own."""
    return f"{text:<41} # {why}" if why else text


def _read(made: Proposal, path: str) -> list[str]:
    sample = made.sample
    lines = ["read:", noted(f"  from: {scalar(path)}", "a file, or a folder where new files arrive")]
    lines.append(f"  format: {sample.format}")
    for key, value in sample.read.items():
        lines.append(noted(f"  {key}: {scalar(value)}", sample.notes.get(key, "")))
    if made.decimal == "," and sample.format in ("csv", "jsonl", "xml"):
        lines.append(noted('  decimal: ","', "most numbers with a fraction are written so"))
    if made.nulls:
        lines.append(noted(f"  null_words: {scalar(['', *made.nulls])}", "seen in place of a value"))
    if "rows" in sample.notes:
        lines.append(f"  # {sample.notes['rows']}")
    return lines


def _column(made: Proposal, guess: Guess) -> tuple[str, str]:
    entries: list[tuple[str, Any]] = [("type", guess.type)]
    if made.required(guess):
        entries.append(("required", True))
    if guess.name != guess.raw:
        entries.append(("as", guess.name))
    if guess.format:
        entries.append(("format", guess.format))
    if guess.true_words and not ({guess.true_words[0]} <= {"true", "t", "yes", "y"}):
        entries += [("true_words", guess.true_words), ("false_words", guess.false_words)]
    if guess.type == "money":
        entries.append(("currency", made.currency[0]))
        if guess.decimals != 2:
            entries.append(("decimals", guess.decimals))
    if guess.pii:
        entries.append(("pii", guess.pii))
    body = ", ".join(f"{key}: {scalar(value)}" for key, value in entries)
    why = [guess.why] if guess.why else []
    if guess.type == "money":
        why.append(f"currency {made.currency[1]}")
    missing = guess.rows - guess.filled
    if missing:
        why.append(f"{missing / guess.rows:.1%} empty")
    return f"  {scalar(guess.raw)}: {{{body}}}", "; ".join(why)


def _clocks(made: Proposal, later: list[tuple[list[str], str, str]]) -> list[str]:
    lines = [noted(f"key: {scalar(made.key if len(made.key) > 1 else made.key[0])}", made.key_why)]
    if made.known_at:
        lines.append(noted(f"latest_by: {made.known_at.name}", "the same key again with a later time is a correction"))
    if made.happened_at is None:
        lines += [
            "# NO COLUMN LOOKS LIKE A TIME. finlake needs to know when each row happened, or the past cannot be told from the",
            "# future: ask for a file that has it, or name the column and its format here. Until then `finlake check` complains.",
            "happened_at: name_the_time_column",
        ]
    else:
        lines.append(noted(f"happened_at: {made.happened_at.name}", made.happened_why))
    if made.known_at:
        lines.append(noted(f"known_at: {made.known_at.clock}", made.known_why))
    else:
        wait = "31 days" if made.happened_at and made.happened_at.month_only else "1 day"
        ask = "A GUESS TO CONFIRM: how long until such a row is in your hands?"
        lines.append(noted(f"known_at: {{happened_at plus: {wait}}}", ask))
    if later:
        lines.append("known_later:")
    lines += later_lines(later)
    if made.zone[1]:
        lines.append(noted(f"zone: {made.zone[0]}", made.zone[1]))
    return lines


def later_lines(later: list[tuple[list[str], str, str]]) -> list[str]:
    """The entries of `known_later`: (columns, clock, why)."""
    lines = []
    for columns, clock, why in later:
        lines.append(noted(f"  - columns: {scalar(columns)}", why))
        lines.append(
            noted(f"    known_at: {clock}", "" if "plus" not in clock else "A GUESS TO CONFIRM: when do you learn it?")
        )
    return lines


def _rule(rule: dict[str, object]) -> list[str]:
    arguments = {key: value for key, value in rule.items() if key not in ("rule", "name", "otherwise", "seen")}
    body = ", ".join(f"{key}: {scalar(value)}" for key, value in arguments.items())
    lines = [f"  - rule: {scalar(rule['rule'])}", noted(f"    {rule['name']}: {{{body}}}", str(rule.get("seen", "")))]
    if "otherwise" in rule:
        lines.append(f"    otherwise: {rule['otherwise']}")
    return lines
