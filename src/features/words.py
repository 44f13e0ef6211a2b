"""Definitions and values in words for people. Pure Python, so that scoring workers can call it a million times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from finlake.config import Config, Feature, UseCase
from finlake.config.features import OF_DECISIONS, OF_PLACES
from finlake.features.definitions import Definition, select, window_label

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
FIXED = ("value", "usual", "window", "known_until")
_LENGTHS = {"min": "minute", "h": "hour", "d": "day", "w": "week", "s": "second"}
_MONEY = re.compile(r"[A-Z]{3}( .*)?")
_CONDITION = re.compile(
    r"^(?!.*\b(case|if)\b).*([=<>]|\bis\s+(not\s+)?null\b|\bin\s*\(|\blike\b|\bbetween\b)", re.IGNORECASE
)
_SHORT = {"minutes": "min", "minute": "min", "hours": "h", "hour": "h", "seconds": "s", "second": "s", "days": "days"}


@dataclass(frozen=True)
class Wording:
    """What is needed to say one feature's value; small, and picklable."""

    template: str
    kind: str  # share | flag | money | number
    unit: str
    window: str


def render(
    wordings: Mapping[str, Wording],
    feature: str,
    value: float | None,
    row: Mapping[str, float | None],
    usual: Mapping[str, float | None],
    known_until: str = "then",
) -> str:
    """A sentence for one feature of one decision; what is not known is said to be unknown.

    Args:
        wordings: of `wordings`.
        feature: the feature's name.
        value: its value.
        row: all feature values of the decision, for `{<feature>}`.
        usual: usual values, for `{usual}`.
        known_until: the day up to which was known what is known.
    """
    wording = wordings[feature]

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "value":
            return number(value, wording)
        if name == "usual":
            return number(usual.get(feature), wording)
        if name == "known_until":
            return known_until
        return number(row.get(name), wordings.get(name, wording))

    return PLACEHOLDER.sub(fill, wording.template.replace("{window}", wording.window))


def number(value: float | None, wording: Wording) -> str:
    """A value for people: shares in per cent, money with two digits, others with as many as say something."""
    if value is None or value != value:
        return "unknown"
    if wording.kind == "flag":
        return "yes" if value else "no"
    if wording.kind == "share":
        return f"{_rounded(value * 100)}%"
    if wording.kind == "money":
        return f"{value:,.2f}"
    return _rounded(value)


def _rounded(value: float) -> str:
    size = abs(value)
    text = f"{value:,.{0 if size >= 100 else 1 if size >= 1 else 2 if size >= 0.1 else 4}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def wordings(use_case: UseCase, config: Config) -> dict[str, Wording]:
    """Wordings of every feature of a use case, own columns included."""
    selection = select(use_case, config)
    made = {name: _wording(definition) for name, definition in selection.definitions.items()}
    columns = config.source(use_case.score.each).silver_columns
    for name, column in selection.own.items():
        unit = columns[column].unit
        kind = {"money": "money", "boolean": "flag"}.get(columns[column].type, "number")
        made[name] = Wording(f"{column.replace('_', ' ')} is {{value}}{_after(unit)}", kind, unit, "")
    return made


def _wording(definition: Definition) -> Wording:
    feature = definition.feature
    window = spoken(window_label(definition.window))
    kind = "share" if feature.kind == "share" else "money" if _MONEY.fullmatch(feature.unit) else "number"
    if feature.row and not feature.unit and _CONDITION.search(feature.row):
        kind = "flag"
    return Wording(feature.say or default_words(definition), kind, feature.unit, window)


def default_words(definition: Definition) -> str:
    """`payments 1h is {value} payments`."""
    feature, name = definition.feature, definition.name.replace("_", " ")
    if feature.kind == "time_since":
        unit = feature.unit or "minutes"
        return f"{name} is {{value}} {_SHORT.get(unit, unit)}"
    return f"{name} is {{value}}" + ("" if feature.kind == "share" else _after(feature.unit))


def _after(unit: str) -> str:
    return f" {unit}" if unit else ""


def spoken(window: str) -> str:
    """`1h` -> `hour`, `30d` -> `30 days`; other texts stay."""
    match = re.fullmatch(r"(\d+)([a-z]+)", window)
    if not match or match.group(2) not in _LENGTHS:
        return window
    word = _LENGTHS[match.group(2)]
    return word if match.group(1) == "1" else f"{match.group(1)} {word}s"


def when_unknown(feature: Feature) -> str:
    """When a feature has no value."""
    if feature.python:
        return "where its function gives no number"
    if feature.kind in OF_DECISIONS:
        return "where something it is made from is, or it cannot be computed"
    zero = feature.when_empty == "0" or (feature.when_empty is None and feature.kind in ("count", "sum", "distinct"))
    return "where the entity is empty" + ("; 0 without rows" if zero else ", or there are no rows")


def describe(definition: Definition) -> str:
    """What a feature is, for the comment of its column."""
    feature = definition.feature
    if feature.ratio:
        return " / ".join(definition.expressions)
    if feature.row:
        return definition.expressions[0]
    if feature.python:
        return f"{feature.python.call} of {', '.join(definition.expressions)}"
    what = {"count": "number of rows", "time_since": f"{feature.unit or 'minutes'} since the last row"}.get(
        feature.kind
    )
    if feature.kind in OF_PLACES:
        what = f"{'km/h' if feature.kind == 'speed' else 'km'} from the place ({' and '.join(feature.measured)}) of the last row"
    if feature.kind == "lookup":
        what = f"{feature.lookup} as the latest row says it,"
    what = what or f"{feature.kind} of {' and '.join(map(str, feature.measured)) or feature.share}"
    parts = [f"{what} of {definition.source} with the same {definition.entity}"]
    if definition.window:
        parts.append(f"in the {'known ' if feature.clock == 'known' else ''}{window_label(definition.window)} before")
    if feature.ends_before:
        parts.append(f"ending {feature.ends_before.text} earlier")
    if feature.where:
        parts.append(f"where {feature.where}")
    if feature.including_this:
        parts.append("this row included")
    return ", ".join(parts)
