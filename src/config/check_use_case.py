"""Whether a use case's names exist, and whether what it may look at can be known in time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from zoneinfo import available_timezones

from finlake.config.check_policy import check_policy
from finlake.config.check_segments import check_hold_out, check_segments
from finlake.config.load import Config
from finlake.config.source import Source
from finlake.config.use_case import Period, UseCase
from finlake.config.words import known_zone, never_equal, silver_column, sql_columns, unread
from finlake.errors import FinlakeError, suggestion

Found = Iterator[tuple[str, tuple[object, ...]]]


def check_use_case(config: Config, use_case: UseCase) -> Found:
    """(message, keys of the line) for everything that does not resolve."""
    if not known_zone(use_case.zone):
        yield f"zone: no time zone {use_case.zone!r}{suggestion(use_case.zone, available_timezones())}", ("zone",)
    scored = config.sources.get(use_case.score.each)
    if scored is None and not unread(config, "sources", use_case.score.each):
        yield (
            f"score.each: no source {use_case.score.each!r}{suggestion(use_case.score.each, config.sources)}",
            ("score", "each"),
        )
    yield from _label(config, use_case, scored)
    features, complete = yield from _features(config, use_case, scored)
    yield from _never(config, use_case, features)
    yield from _periods(use_case)
    yield from check_policy(config, use_case, scored)
    if use_case.gates.segments is not None and not use_case.segments:
        message = "gates.segments: name under `segments` the features or this.<columns> to judge by, or remove the gate"
        yield message, ("gates", "segments")
    if scored is not None:
        yield from check_hold_out(use_case, scored)
    if scored is None or not complete:
        return
    for key in ("only_increases_with", "only_decreases_with"):
        for number, name in enumerate(getattr(use_case.model, key)):
            if name.replace("this.", "this_", 1) not in features:
                yield (
                    f"model.{key}: no feature {name!r} in this use case{suggestion(name, features)}",
                    ("model", key, number),
                )
    yield from _weights(use_case, scored, features)
    yield from _rule(use_case, scored, features)
    yield from check_segments(use_case, scored, features)


def _label(config: Config, use_case: UseCase, scored: Source | None) -> Found:
    label = use_case.label
    source = config.sources.get(label.from_.source)
    if source is None:
        if not unread(config, "sources", label.from_.source):
            message = (
                f"label.from.source: no source {label.from_.source!r}{suggestion(label.from_.source, config.sources)}"
            )
            yield message, ("label", "from", "source")
        return
    match = [label.from_.match] if label.from_.match else (scored.key if scored else [])
    where = "label.from.match" if label.from_.match else "label.from (joined by the scored key)"
    for name in match:
        yield from silver_column(source, name, where, ("label", "from", "match"))
    if label.from_.match and scored and label.from_.match in source.silver_columns:
        yield from silver_column(scored, label.from_.match, "label.from.match", ("label", "from", "match"))
    try:
        columns = {name for _, name, _ in sql_columns(label.positive)}
    except FinlakeError as error:
        yield f"label.positive: {error}", ("label", "positive")
        return
    if not columns:
        yield f"label.positive: {label.positive!r} uses no column of {source.source!r}", ("label", "positive")
    for name in sorted(columns):
        yield from silver_column(source, name, "label.positive", ("label", "positive"))
        if source is scored and name in source.silver_columns and name not in source.later_columns:
            yield (
                f"label.positive: {name!r} stands on the scored row and is known at once; say in conf/sources/{source.source}.yml "
                f"when it became known: known_later: [{{columns: [{name}], known_at: <column, or {{happened_at plus: 30 days}}>}}]",
                ("label", "positive"),
            )
    for message in never_equal(label.positive, source):
        yield f"label.positive: {message}", ("label", "positive")


def _features(
    config: Config, use_case: UseCase, scored: Source | None
) -> Generator[tuple[str, tuple[object, ...]], None, tuple[list[str], bool]]:
    """Yields problems; returns (feature names, whether all entries were understood)."""
    names: dict[str, None] = {}
    complete = True
    for number, entry in enumerate(use_case.features):
        keys = ("features", number)
        first, _, rest = entry.partition(".")
        if first == "this":
            names[f"this_{rest}"] = None
            if scored:
                yield from silver_column(scored, rest, f"features: {entry}", keys)
            if scored and rest in scored.later_columns:
                yield (
                    f"features: {entry} is only known later (known_later in {scored.source}); a model may not see it",
                    keys,
                )
            if rest in use_case.never:
                yield f"features: {entry} is also under `never`", keys
            continue
        group = config.groups.get(first)
        if group is None:
            complete = False
            if not unread(config, "features", first):
                hint = suggestion(first, config.groups)
                if scored and entry in scored.silver_columns:
                    hint = f"; for the scored row's own column write this.{entry}"
                yield f"features: no feature group {first!r}{hint}", keys
            continue
        made = group.expanded()
        if rest and rest not in made and rest not in group.features:
            yield f"features: group {first!r} has no feature {rest!r}{suggestion(rest, made)}", keys
        chosen = [
            name for name in made if not rest or name == rest or (rest in group.features and _made_by(name, rest))
        ]
        names |= dict.fromkeys(chosen)
        if scored and group.entity not in scored.silver_columns:
            yield (
                f"features: group {first!r} is about {group.entity!r}, which the scored source {scored.source!r} does not have"
                f"{suggestion(group.entity, scored.silver_columns)}",
                keys,
            )
    return list(names), complete


def _made_by(name: str, template: str) -> bool:
    before, window, after = template.partition("{window}")
    return name == template or (bool(window) and name.startswith(before) and name.endswith(after))


def _never(config: Config, use_case: UseCase, features: list[str]) -> Found:
    whole = not any(problem.file.parent.name in ("sources", "features") for problem in config.problems)
    known = {name for source in config.silver.values() for name in source.silver_columns} | set(features)
    for number, name in enumerate(use_case.never):
        if name not in known and whole:
            yield f"never: no source has a column {name!r}{suggestion(name, known)}", ("never", number)
        elif name in features:
            yield f"never: {name!r} is one of this use case's features", ("never", number)


def _weights(use_case: UseCase, scored: Source, features: list[str]) -> Found:
    written, keys = use_case.model.weights, ("model", "weights")
    if written is None or written == "value" or written in features:
        return
    first, _, name = written.partition(".")
    if first != "this" or not name:
        yield (
            f"model.weights: {written!r} is no feature of this use case{suggestion(written, features)}; "
            "write value, a feature, or this.<column>",
            keys,
        )
        return
    yield from silver_column(scored, name, "model.weights", keys)
    column = scored.silver_columns.get(name)
    if column and column.type not in ("money", "number", "integer"):
        yield f"model.weights: {name!r} is {column.type}; a weight is money or a number", keys
    elif name in scored.later_columns:
        yield f"model.weights: this.{name} is only known later; the feature table does not keep it", keys


def _rule(use_case: UseCase, scored: Source, features: list[str]) -> Found:
    keys = ("baseline_rule",)
    try:
        used = sql_columns(use_case.baseline_rule)
    except FinlakeError as error:
        yield f"baseline_rule: {error}", keys
        return
    for qualifier, name, _ in used:
        if qualifier == "this":
            yield from silver_column(scored, name, "baseline_rule", keys)
            if name in scored.later_columns:
                yield f"baseline_rule: this.{name} is only known later; a rule may not see it", keys
        elif name not in features:
            hint = f"; write this.{name}" if name in scored.silver_columns else suggestion(name, features)
            yield f"baseline_rule: no feature {name!r} in this use case{hint}", keys
    for message in never_equal(use_case.baseline_rule, scored, "this"):
        yield f"baseline_rule: {message}", keys


def _periods(use_case: UseCase) -> Found:
    parts = [(key, getattr(use_case.split, key)) for key in ("train", "choose", "test")]
    for key, part in parts:
        if isinstance(part, Period) and part.from_ and part.from_ > part.until:
            yield f"split.{key}: from {part.from_} lies after until {part.until}", ("split", key)
    for (early, before), (late, after) in zip(parts, parts[1:], strict=False):
        if isinstance(before, Period) and isinstance(after, Period) and after.from_ and after.from_ <= before.until:
            yield f"split.{late}: begins {after.from_}, before {early} ends ({before.until})", ("split", late)
