"""What follows from a contract alone: its digest, its clocks, the columns silver gets."""

from __future__ import annotations

import hashlib
import json

from finlake.config import Clock, Column, Source

BRONZE_META = ("_extra", "_corrupt", "_source", "_batch", "_file", "_file_digest", "_row", "_arrived_at")
_WORDS_ONLY = ("about", "owner", "unit", "arrives")


def contract_digest(source: Source) -> str:
    """Digest of everything that decides a row's fate; descriptions, owners and schedules are left out."""
    text = json.dumps(_without_words(source.model_dump(mode="json", by_alias=True)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_words(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_words(item) for key, item in value.items() if key not in _WORDS_ONLY}
    return [_without_words(item) for item in value] if isinstance(value, list) else value


def layout(source: Source) -> str:
    """What makes rows into versions, in words: rows versioned otherwise cannot stand in the same silver table."""
    later = [f"{', '.join(group.columns)} from {_clock(group.known_at)}" for group in source.known_later]
    parts = {
        "key": ", ".join(source.key),
        "latest_by": sequence_column(source),
        "happened_at": source.happened_at,
        "known_at": _clock(source.known_at),
        "known_later": "; ".join(later),
    }
    return " · ".join(f"{name} {text}" for name, text in parts.items() if text)


def _clock(clock: Clock) -> str:
    return f"{clock.column} plus {clock.plus.interval}" if clock.plus else clock.column


def clock_column(source: Source, clock: Clock) -> str:
    """The silver column a clock reads; the word `happened_at` stands for the contract's own happened_at column."""
    if clock.column == "happened_at" and clock.column not in source.silver_columns:
        return source.happened_at
    return clock.column


def sequence_column(source: Source) -> str:
    """The column that orders corrections: `latest_by`, else the known_at column."""
    return source.latest_by or clock_column(source, source.known_at)


def needed_columns(source: Source) -> set[str]:
    """Silver names without which a row has no place in silver: required ones, key, clocks and sequence."""
    required = {name for name, column in source.silver_columns.items() if column.required}
    clocks = {source.happened_at, clock_column(source, source.known_at), sequence_column(source)}
    return required | set(source.key) | clocks


def currency_columns(source: Source) -> dict[str, str]:
    """Money column -> the column that holds its currency, where a column does."""
    columns = source.silver_columns
    by_raw_name = source.silver_names
    pairs = {name: by_raw_name.get(column.currency or "", column.currency or "") for name, column in columns.items()}
    return {name: currency for name, currency in pairs.items() if currency in columns}


def silver_type(column: Column) -> str:
    """Spark type of a column in silver."""
    if column.type == "money":
        return f"decimal(18,{column.decimals})"
    return {
        "text": "string", "integer": "bigint", "number": "double",
        "boolean": "boolean", "date": "date", "timestamp": "timestamp",
    }[column.type]  # fmt: skip


def silver_comments(source: Source) -> dict[str, str]:
    """Comment of every silver column that has something to say: `about` and the unit."""
    comments = {
        "event_ts": f"when it happened ({source.happened_at}), UTC",
        "known_from": "from when this version was known, UTC",
        "known_to": "until when this version was the valid one, UTC; empty: still is",
        "_row_id": "the row in bronze: digest of its file and row number",
        "_part": "0 the row by its own clock; 1, 2 … with the columns that were known later",
        "_batch": "the batch the row arrived in",
        "_hash": "hash of the row's values, to recognise duplicates",
    }
    for name, column in source.silver_columns.items():
        unit = column.unit or (column.currency if column.type == "money" else "") or ""
        text = " ".join(part for part in (column.about, f"[{unit}]" if unit else "") if part)
        if text:
            comments[name] = text
    return comments
