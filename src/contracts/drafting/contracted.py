"""From a contract that is written already to what a draft knows of its file: what people said is not guessed again."""

from __future__ import annotations

import csv
import math
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path

from finlake.config import Column, Source
from finlake.config.load import Document, UnreadableError, parse, parse_yaml
from finlake.contracts.contract import clock_column, sequence_column
from finlake.contracts.drafting.by_format import reader_of
from finlake.contracts.drafting.guess_time import Moments
from finlake.contracts.drafting.profile import Guess, to_number
from finlake.contracts.drafting.proposal import Proposal
from finlake.contracts.drafting.sample import NESTED, ROWS, Sample, jsonl_sample, parquet_sample, rows_of, xml_sample
from finlake.contracts.received.files import encoding_name
from finlake.contracts.received.headers import Match, in_order, match
from finlake.errors import InputError, suggestion


def contracted(file: Path, source: Source) -> Proposal:
    """The proposal that the contract is, with the values of the file's first rows.

    Raises:
        InputError: the file is not what the contract says, or its time cannot be read.
    """
    sample = sample_as(file, source)
    guesses = [_seen(raw, column, sample, source) for raw, column in source.columns.items()]
    by_name = {guess.name: guess for guess in guesses}
    happened = by_name.get(source.happened_at)
    where = f"conf/sources/{source.source}.yml"
    if happened is None:
        near = suggestion(source.happened_at, by_name)
        raise InputError(f"{where}: happened_at: {source.happened_at!r} is no column{near}; name it, then draft again")
    if happened.moments is None or not any(happened.moments.values):
        form = source.columns[happened.raw].format or "iso"
        raise InputError(f"{where}: no value of {happened.raw!r} in {file} is a {happened.type} as {form!r} writes it")
    known = by_name.get(clock_column(source, source.known_at))
    zone = source.columns[happened.raw].zone or source.zone
    later = {name: group.known_at for group in source.known_later for name in group.columns}
    made = Proposal(
        sample, guesses, [], source.read.decimal, ("", ""), (zone, ""), source.key, "", happened, "", known, "",
    )  # fmt: skip
    return replace(made, later=later, latest_by=sequence_column(source))


def sample_as(file: Path, source: Source) -> Sample:
    """The file's first rows read as the contract says, its columns called as the contract calls them."""
    read = source.read
    if not file.is_file():
        raise InputError(f"there is no file {file}")
    if read.format == "csv":
        return _csv(file, source)
    if read.format == "jsonl":
        sample = jsonl_sample(file, encoding_name(read.encoding), ROWS)
    elif read.format == "parquet":
        sample = parquet_sample(file, ROWS)
    else:
        sample = xml_sample(file, ROWS, read.row_tag)
    header = list(sample.columns)
    names = _names(file, match(header, source), len(header))
    columns = {names[place]: sample.columns[name] for place, name in enumerate(header)}
    types = {names[place]: sample.types[name] for place, name in enumerate(header) if name in sample.types}
    return replace(sample, columns=columns, types=types)


def _csv(file: Path, source: Source) -> Sample:
    read = source.read
    said = {
        "encoding": encoding_name(read.encoding), "delimiter": read.delimiter, "quote": read.quote,
        "escape": read.escape, "header": read.header,
    }  # fmt: skip
    sample = Sample("csv", {}, 0, False, said)
    try:
        rows = list(islice((row for row in rows_of(file, sample, whole=True) if row), ROWS + 2))
    except csv.Error as error:
        raise InputError(f"{file} is not the CSV that conf/sources/{source.source}.yml says: {error}") from error
    body = rows[1:] if read.header else rows
    if not body:
        raise InputError(f"{file} has no rows; a use case is drafted from a file with some rows")
    found = match(rows[0], source) if read.header else in_order(len(rows[0]), source)
    names = _names(file, found, len(rows[0]))
    taken = body[:ROWS]
    columns = {name: [row[place] if place < len(row) else None for row in taken] for place, name in enumerate(names)}
    return replace(sample, columns=columns, rows=len(taken), complete=len(body) <= ROWS)


def _names(file: Path, found: Match, width: int) -> list[str]:
    """The contract's name at each place of the file; columns that it does not have are numbered."""
    if found.problem:
        raise InputError(f"{file} is not what the contract says: {found.problem}")
    by_place = {place: name for name, place in found.positions.items()}
    return [by_place.get(place, f"#{place}") for place in range(width)]


def _seen(raw: str, column: Column, sample: Sample, source: Source) -> Guess:
    """The column's values as silver will hold them; those that cannot be read are empty."""
    empty = {"", *(word.strip() for word in source.read.null_words)}
    texts = [value.strip() if value else "" for value in sample.columns.get(raw, [None] * sample.rows)]
    values = [None if text in empty else column.codes.get(text) if column.codes else text for text in texts]
    counts = Counter(value for value in values if value is not None)
    filled = counts.total()
    guess = Guess(
        raw, column.as_ or raw, column.type, "", len(values), filled, counts, 0 < filled == len(counts),
        column.format, column.pii, column.decimals, values=values, nested=sample.types.get(raw) == NESTED,
    )  # fmt: skip
    if column.type == "boolean":
        guess.true_words = [word.lower() for word in column.true_words]
        guess.false_words = [word.lower() for word in column.false_words]
    elif column.type in ("integer", "number", "money"):
        guess.numbers = [_finite(value, source.read.decimal) for value in values]
    elif column.type in ("date", "timestamp"):
        known = moments_of(list(counts), column, source)
        guess.moments = Moments(
            column.type, column.format or "iso", "", [known.get(value) if value else None for value in values], False
        )
    return guess


def moments_of(texts: list[str], column: Column, source: Source) -> dict[str, datetime]:
    """The moments, in UTC, of those texts that are times as the contract writes them."""
    read = reader_of(column.format or "iso", "UTC" if column.type == "date" else column.zone or source.zone)
    found = {text: read(text) for text in texts} if read else {}
    return {text: moment for text, moment in found.items() if moment}


def _finite(text: str | None, decimal: str) -> float | None:
    number = to_number(text, decimal)
    return number if number is not None and math.isfinite(number) else None


def with_later(document: Document, lines: list[str]) -> str | None:
    """The contract's text with these lines under `known_later`; None where it is written so that they do not fit."""
    text = document.path.read_text("utf-8")
    before, _ = parse(Source, document)
    written = text.rstrip("\n").split("\n")
    if "known_later" in document.data:
        place = document.line("known_later") or len(written)
        written[place:place] = lines
    else:
        written += ["known_later:", *lines]
    made = "\n".join(written) + "\n"
    try:
        after, problems = parse(Source, parse_yaml(document.path, made))
    except UnreadableError:
        return None
    if problems or before is None or after is None or len(after.known_later) != len(before.known_later) + 1:
        return None
    return made
