"""Whether what a policy names exists: columns of the scored source and of the source of verdicts."""

from __future__ import annotations

from collections.abc import Iterator

from finlake.config.load import Config
from finlake.config.policy import Verdicts
from finlake.config.source import Source
from finlake.config.use_case import UseCase
from finlake.config.words import never_held, silver_column, time_of_day, unread
from finlake.errors import suggestion

Found = Iterator[tuple[str, tuple[object, ...]]]


def check_policy(config: Config, use_case: UseCase, scored: Source | None) -> Found:
    """(message, keys of the line) for everything of the policy that does not resolve."""
    policy = use_case.policy
    if policy.queue_opens:
        yield from time_of_day(policy.queue_opens, "policy.queue_opens", ("policy", "queue_opens"))
    if policy.verdicts is not None:
        yield from _verdicts(config, policy.verdicts)
    if scored is None:
        return
    if policy.one_alert_per:
        yield from silver_column(scored, policy.one_alert_per, "policy.one_alert_per", ("policy", "one_alert_per"))
    if policy.value:
        yield from _value(scored, policy.value)
    for number, context in enumerate(policy.contexts or ()):
        if isinstance(context, str):
            yield from _context(scored, context, ("policy", "contexts", number))


def _value(scored: Source, value: str) -> Found:
    first, _, name = value.partition(".")
    keys = ("policy", "value")
    if first != "this" or not name:
        yield (
            f"policy.value: {value!r}; write this.<column>, for example this.{next(iter(scored.silver_columns))}",
            keys,
        )
        return
    yield from silver_column(scored, name, "policy.value", keys)
    column = scored.silver_columns.get(name)
    if column and column.type not in ("money", "number", "integer"):
        yield f"policy.value: {name!r} is {column.type}; a value is money or a number", keys


def _context(scored: Source, context: str, keys: tuple[object, ...]) -> Found:
    first, _, name = context.partition(".")
    if first != "this" or not name:
        example = next(iter(scored.silver_columns))
        yield (
            f"policy.contexts: {context!r}; write this.<column>, for example this.{example}, or {{hours: [0, 7, 19]}}",
            keys,
        )
        return
    yield from silver_column(scored, name, "policy.contexts", keys)
    if name in scored.later_columns:
        yield f"policy.contexts: {context} is only known later; a decision cannot look at it", keys


def _verdicts(config: Config, verdicts: Verdicts) -> Found:
    source = config.sources.get(verdicts.source)
    if source is None:
        if not unread(config, "sources", verdicts.source):
            hint = suggestion(verdicts.source, config.sources)
            yield f"policy.verdicts.source: no source {verdicts.source!r}{hint}", ("policy", "verdicts", "source")
        return
    for key in ("entity", "match", "state", "at", "by", "note"):
        name, keys = getattr(verdicts, key), ("policy", "verdicts", key)
        if name is None:
            continue
        yield from silver_column(source, name, f"policy.verdicts.{key}", keys)
        column = source.silver_columns.get(name)
        if key == "at" and column and column.type != "timestamp":
            yield f"policy.verdicts.at: {name!r} is {column.type}; a moment is a timestamp", keys
    held = source.closed_set(verdicts.state) or set()
    for word in verdicts.states:
        # Of the words that stand where none are written, one that a source does not use is no mistake.
        if "states" in verdicts.model_fields_set or not held & verdicts.states.keys():
            if message := never_held(verdicts.state, word, source):
                yield f"policy.verdicts.states: {message}", ("policy", "verdicts", "states")
