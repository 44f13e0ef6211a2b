"""What is wrong with a document, in words for whoever wrote it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from finlake.errors import nearest, suggestion

_WHAT_TO_WRITE = {
    "known_at": "when each row was known, or its history cannot be told: a column, or {happened_at plus: 1 day}",
    "happened_at": "the column that says when it happened",
    "key": "the column, or the list of columns, that identifies one row",
    "baseline_rule": "what people use today, a condition or a number over features and this.<column>",
    "matures_after": "how long until no report means negative, for example 30d",
}


def explain(model: type[BaseModel], data: Any, item: Any) -> tuple[str, tuple[Any, ...]]:
    """A validation error as a sentence, and the keys that lead to its line."""
    where = tuple(part for part in item["loc"] if not is_union_tag(part))
    name = ".".join(str(part) for part in where)
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        known = keys_at(model, where[:-1])
        message = f"unknown key {where[-1]!r}{suggestion(str(where[-1]), known)}"
    elif item["type"] == "missing":
        hint = _WHAT_TO_WRITE.get(str(where[-1]))
        message = f"{name}: is required" + (f"; {hint}" if hint else "")
    else:
        seen = item.get("input")
        shown = f", got {seen!r}" if isinstance(seen, str | int | float) and repr(seen) not in message else ""
        if item["type"] == "literal_error":
            shown += nearest(str(seen), re.findall(r"'([^']*)'", item["ctx"]["expected"]))
        message = f"{name}: {message}{shown}" if name else message + shown
    return message, (*where, *_mentioned(data, where, message))


def _mentioned(data: Any, where: tuple[Any, ...], message: str) -> tuple[str, ...]:
    """Where, below `where`, the key stands that a message about the whole quotes."""
    node = data
    for part in where:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return ()
    for key, below in node.items() if isinstance(node, dict) else ():
        for quoted in re.findall(r"'([^']+)'", message):
            if isinstance(below, dict) and quoted in below:
                return str(key), quoted
    return ()


def is_union_tag(part: Any) -> bool:
    """Whether a part of an error's place is pydantic's own word and stands in no document."""
    return isinstance(part, str) and (part in ("Duration", "Period") or part.startswith("function-") or part == "[key]")


def keys_at(model: type[BaseModel], where: tuple[Any, ...]) -> list[str]:
    """The keys a document may have at a place."""
    schema = model.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for part in where:
        node = _deref(schema, node)
        node = (
            node.get("items", {})
            if isinstance(part, int)
            else (
                node.get("properties", {}).get(part)
                or node.get("additionalProperties")
                or _first(node.get("patternProperties"))
            )
        )
        if not isinstance(node, dict):
            return []
    return list(_deref(schema, node).get("properties", {}))


def _first(mapping: Any) -> dict[str, Any]:
    return next(iter(mapping.values()), {}) if isinstance(mapping, dict) else {}


def _deref(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in node:
        node = next((option for option in node["anyOf"] if "$ref" in option), node["anyOf"][0])
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node
