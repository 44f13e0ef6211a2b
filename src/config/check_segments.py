"""Whether what `segments` and `split.hold_out` of a use case name can tell groups of decisions apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finlake.config.source import Source
from finlake.config.use_case import UseCase
from finlake.config.words import silver_column
from finlake.errors import suggestion

_KINDS = ("text", "boolean", "number", "integer", "money")


def check_segments(
    use_case: UseCase, scored: Source, features: Sequence[str]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """(message, keys of the line) for each entry that is no feature and no column with values to group by.

    Columns under `never` are welcome: a model may not see age, but must be judged by it.
    """
    for number, entry in enumerate(use_case.segments):
        keys = ("segments", number)
        qualifier, dot, name = entry.partition(".")
        if entry in use_case.segments[:number]:
            yield f"segments: {entry!r} is there twice", keys
        elif qualifier == "this" and dot:
            yield from silver_column(scored, name, f"segments: {entry}", keys)
            column = scored.silver_columns.get(name)
            if name in scored.later_columns:
                yield (
                    f"segments: {entry} is only known later (known_later in {scored.source}), not at the decision",
                    keys,
                )
            elif column and column.type not in _KINDS:
                yield f"segments: {entry} is {column.type}; segments are made of texts, numbers and yes/no", keys
        elif entry not in features:
            hint = f"; write this.{entry}" if entry in scored.silver_columns else suggestion(entry, features)
            yield f"segments: no feature {entry!r} in this use case{hint}", keys


def check_hold_out(use_case: UseCase, scored: Source) -> Iterator[tuple[str, tuple[object, ...]]]:
    """(message, keys of the line) where no column known at the decision says whom a row belongs to."""
    if use_case.split.hold_out is None:
        return
    name, keys = use_case.split.hold_out.of, ("split", "hold_out", "of")
    yield from silver_column(scored, name, "split.hold_out.of", keys)
    if name in scored.later_columns:
        yield f"split.hold_out.of: {name} is only known later (known_later in {scored.source})", keys
