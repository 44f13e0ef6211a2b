"""Resolves every name that configuration files say about each other. Nothing here touches data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zoneinfo import available_timezones

from finlake.config.base import Clock
from finlake.config.check_marts import check_marts
from finlake.config.check_networks import check_network
from finlake.config.check_use_case import check_use_case
from finlake.config.load import Config, Problem, other_layers
from finlake.config.source import Column, Source
from finlake.config.words import is_month, known_zone, never_equal, silver_column, sql_columns, time_of_day, unread
from finlake.errors import FinlakeError, suggestion

ADDED_BY_SILVER = ("event_ts", "known_from", "known_to")
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_ISO_CURRENCY = re.compile(r"^[A-Z]{3}$")
_LETTERS = set("GyMLdQqEFahKkHmsSVzOXxZDu")


def check_config(config: Config) -> list[Problem]:
    """Everything that does not fit together, ordered by file and line; each problem once."""
    found = [*config.problems, *other_layers(config)]
    for name, source in config.sources.items():
        found += [config.problem("source", name, message, *keys) for message, keys in _source(config, source)]
    for name, network in config.networks.items():
        found += [config.problem("network", name, message, *keys) for message, keys in check_network(config, network)]
    for name in config.groups:
        found += [config.problem("group", name, message, *keys) for message, keys in _group(config, name)]
    for name, use_case in config.use_cases.items():
        found += [
            config.problem("use_case", name, message, *keys) for message, keys in check_use_case(config, use_case)
        ]
    found += check_marts(config)
    return sorted(dict.fromkeys(found), key=lambda problem: (str(problem.file), problem.line or 0))


Found = Iterator[tuple[str, tuple[object, ...]]]


def _source(config: Config, source: Source) -> Found:
    seen: dict[str, str] = {}
    headers: dict[str, str] = {}
    for raw, column in source.columns.items():
        name = column.as_ or raw
        if name.lower() in seen:
            yield (
                f"columns {seen[name.lower()]!r} and {raw!r} are both called {name!r} in silver; give one another `as`",
                ("columns", raw),
            )
        seen[name.lower()] = raw
        if not _PLAIN.match(name):
            yield f"column {raw!r} needs `as`, a name of letters, digits and _ that SQL can use", ("columns", raw)
        if name.lower() in ADDED_BY_SILVER or name.startswith("_"):
            yield (
                f"column {raw!r}: {name!r} is a name finlake uses itself; give it another one with `as`",
                ("columns", raw),
            )
        for header in [raw, *column.names]:
            if header in headers and headers[header] != raw:
                yield f"header {header!r} belongs to both {headers[header]!r} and {raw!r}", ("columns", raw, "names")
            headers[header] = raw
        for message, key in _column(source, column):
            yield f"columns.{raw}.{key}: {message}", ("columns", raw, key)
    for number, name in enumerate(source.key):
        yield from silver_column(source, name, "key", ("key", number))
        if name in source.later_columns:
            yield f"key: {name!r} cannot be known later than the row it identifies", ("key", number)
    if source.latest_by:
        yield from silver_column(source, source.latest_by, "latest_by", ("latest_by",))
    yield from _clocks(source)
    if not known_zone(source.zone):
        yield f"zone: no time zone {source.zone!r}{suggestion(source.zone, available_timezones())}", ("zone",)
    if source.read.arrives:
        yield from time_of_day(source.read.arrives.by, "read.arrives.by", ("read", "arrives", "by"))
        if source.read.arrives.rows and source.read.arrives.rows[0] > source.read.arrives.rows[1]:
            yield "read.arrives.rows: the fewest come first, then the most", ("read", "arrives", "rows")
    try:
        "".encode(source.read.encoding)
    except LookupError:
        yield (
            f"read.encoding: unknown {source.read.encoding!r}; for example utf-8, latin-1 or cp1252",
            ("read", "encoding"),
        )
    yield from _expectations(config, source)


def _column(source: Source, column: Column) -> Iterator[tuple[str, str]]:
    timed = column.type in ("date", "timestamp")
    if column.format is not None:
        if not timed:
            yield f"only dates and timestamps have a format, and this is {column.type}", "format"
        elif message := _format_problem(column.format, column.type):
            yield message, "format"
    if column.zone is not None:
        if column.type != "timestamp":
            yield f"only timestamps have a zone, and this is {column.type}", "zone"
        elif not known_zone(column.zone):
            yield f"no time zone {column.zone!r}{suggestion(column.zone, available_timezones())}", "zone"
    if column.currency and column.type != "money":
        yield f"only money has a currency, and this is {column.type}", "currency"
    elif column.currency and not _ISO_CURRENCY.match(column.currency):
        for message, _ in silver_column(source, column.currency, "neither an ISO code such as EUR nor a column", ()):
            yield message, "currency"
    both = {word.lower() for word in column.true_words} & {word.lower() for word in column.false_words}
    if column.type == "boolean" and both:
        yield f"{', '.join(sorted(both))} cannot mean both true and false", "true_words"


def _format_problem(text: str, kind: str) -> str:
    if text in ("iso", "epoch_s", "epoch_ms"):
        return ""
    if "epoch" in text:
        return f"unknown {text!r}{suggestion(text, ['epoch_s', 'epoch_ms'])}"
    bare = re.sub(r"'[^']*'", "", text)
    unknown = sorted({letter for letter in bare if letter.isalpha()} - _LETTERS)
    if "%" in text:
        return (
            f"{text!r} is written in another notation; write days as dd, months MM, years yyyy, for example dd.MM.yyyy"
        )
    if "YYYY" in bare:
        return f"{text!r}: YYYY counts years of weeks; write yyyy"
    if "DD" in bare:
        return f"{text!r}: DD is the day of the year; the day of the month is dd"
    if unknown:
        return f"{text!r}: no meaning is known for {', '.join(unknown)}; put plain text between '…'"
    if "mm" in bare and "M" not in bare and "y" in bare:
        return f"{text!r}: mm are minutes; months are MM"
    if "y" not in bare or ("d" not in bare and (kind != "date" or not is_month(text))):
        return f"{text!r} lacks the year or the day"
    if kind == "date" and any(letter in bare for letter in "HKkhms"):
        return f"{text!r} has a time of day; use type timestamp, or leave the time out"
    return ""


def _clocks(source: Source) -> Found:
    happened = source.silver_columns.get(source.happened_at)
    yield from silver_column(source, source.happened_at, "happened_at", ("happened_at",))
    if happened and happened.type not in ("date", "timestamp"):
        yield (
            f"happened_at: {source.happened_at!r} is {happened.type}; it must be a date or a timestamp",
            ("happened_at",),
        )
    if source.happened_at in source.later_columns:
        yield (
            f"happened_at: {source.happened_at!r} is under known_later; a row needs its time from the start",
            ("happened_at",),
        )
    yield from _clock(source, source.known_at, "known_at", ("known_at",))
    if source.known_at.column in source.later_columns:
        yield f"known_at: {source.known_at.column!r} is itself known later", ("known_at",)
    grouped: set[str] = set()
    for number, group in enumerate(source.known_later):
        for position, name in enumerate(group.columns):
            yield from silver_column(source, name, "known_later", ("known_later", number, "columns", position))
            if name in grouped:
                yield f"known_later: {name!r} is in two groups", ("known_later", number, "columns", position)
            grouped.add(name)
        yield from _clock(source, group.known_at, "known_later.known_at", ("known_later", number, "known_at"))


def _clock(source: Source, clock: Clock, where: str, keys: tuple[object, ...]) -> Found:
    if clock.column in ("happened_at", "known_at") and clock.column not in source.silver_columns:
        return
    yield from silver_column(source, clock.column, where, keys, extra=("happened_at",))
    column = source.silver_columns.get(clock.column)
    if column and column.type not in ("date", "timestamp"):
        yield f"{where}: {clock.column!r} is {column.type}; a clock is a date or a timestamp", keys
    dated = source.silver_columns.get(source.happened_at) if clock.column == "happened_at" and not column else column
    if where != "happened_at" and dated and is_month(dated.format) and clock.plus is None:
        yield (
            f"{where}: {clock.column!r} is a month and read as its first day, before most of it is known; "
            f"write {{{clock.column} plus: 31 days}}",
            keys,
        )


def _expectations(config: Config, source: Source) -> Found:
    for number, rule in enumerate(source.expect):
        given = rule.arguments
        for name in rule.columns:
            yield from silver_column(source, name, f"expect.{rule.name}", ("expect", number, rule.name))
        if rule.name == "expect_reference" and "in" in given and given["in"] not in config.sources:
            yield (
                f"expect_reference: no source {given['in']!r}{suggestion(given['in'], config.sources)}",
                ("expect", number, rule.name),
            )
        if rule.where:
            try:
                used = sql_columns(rule.where)
            except FinlakeError as error:
                yield f"where: {error}", ("expect", number, "where")
                continue
            for _, name, _ in used:
                yield from silver_column(source, name, "where", ("expect", number, "where"))
            for message in never_equal(rule.where, source):
                yield f"where: {message}", ("expect", number, "where")


def _group(config: Config, name: str) -> Found:
    group = config.groups[name]
    source = config.silver.get(group.source)
    if source is None:
        if not any(unread(config, folder, group.source) for folder in ("sources", "networks")):
            yield f"source: no source {group.source!r}{suggestion(group.source, config.silver)}", ("source",)
        return
    yield from silver_column(source, group.entity, "entity", ("entity",))
    for feature_name, feature in group.features.items():
        if feature.zone and not known_zone(feature.zone):
            message = f"features.{feature_name}.zone: no time zone {feature.zone!r}{suggestion(feature.zone, available_timezones())}"
            yield message, ("features", feature_name, "zone")
