"""JSON Schemas of what people write in conf/, so that editors complete and check while typing.

`python -m finlake.config.schema_export conf/schema` writes them; `finlake draft --write` too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from finlake.config.base import Clock, Duration, Model
from finlake.config.derived import DerivedGroup
from finlake.config.features import FeatureGroup
from finlake.config.mart import Mart
from finlake.config.network import Network
from finlake.config.source import Expectation, Source
from finlake.config.target import Target
from finlake.config.use_case import UseCase

SCHEMAS: dict[str, type[Model]] = {
    "source": Source,
    "features": FeatureGroup,
    "use_case": UseCase,
    "mart": Mart,
    "network": Network,
    "target": Target,
}
_LENGTH = {
    "type": "string",
    "pattern": r"^\s*\d+\s*(s|seconds?|min|minutes?|h|hours?|d|days?|w|weeks?|months?|years?)\s*$",
    "description": "a length of time: 30min, 1h, 14d, 2w, 36 months",
    "examples": ["1 day", "30d", "36 months"],
}
_CLOCK = {
    "description": "a column, or a column plus a length of time: {happened_at plus: 1 day}",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "patternProperties": {r"^\w+ plus$": _LENGTH},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
        {
            "type": "object",
            "properties": {"column": {"type": "string"}, "plus": _LENGTH},
            "required": ["column"],
            "additionalProperties": False,
        },
    ],
}
_SHARE = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
    ]
}


def schemas() -> dict[str, dict[str, Any]]:
    """File name without ending -> schema of what people write, not of what the models hold."""
    made = {name: _as_written(model.model_json_schema(by_alias=True)) for name, model in SCHEMAS.items()}
    source = made["source"]["properties"]
    source["key"] = {
        **source["key"],
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    }
    for gone in ("type", "items", "minItems"):
        source["key"].pop(gone, None)
    account = made["network"]["properties"]["account"]
    account["anyOf"] = [{"type": "string"}, {key: account.pop(key) for key in ("type", "items", "minItems")}]
    source["stop_above"] = {"description": source["stop_above"]["description"], **_SHARE, "examples": ["2%"]}
    arrives = made["source"]["$defs"]["Arrives"]["properties"]
    arrives["every"] = {**_LENGTH, "pattern": str(_LENGTH["pattern"])[:-1] + "$|^(hour|day|week|month)$"}
    made["source"]["$defs"]["Expectation"] = _expectation()
    split = made["use_case"]["$defs"]["Split"]["properties"]
    for part in ("train", "choose", "test"):
        split[part] = {"anyOf": [{"$ref": "#/$defs/Duration"}, {"$ref": "#/$defs/Period"}]}
    empty = made["features"]["$defs"]["Feature"]["properties"]["when_empty"]
    empty["anyOf"] = [{"enum": ["unknown", "0", 0]}, {"type": "null"}]
    whole, derived = made["features"], DerivedGroup.model_json_schema(by_alias=True)
    whole["properties"] = {**derived["properties"], **whole["properties"]}
    whole["anyOf"] = [
        {"required": whole.pop("required"), "not": {"required": ["like"]}},
        {"required": derived["required"]},
    ]
    whole["properties"]["features"].pop("minProperties")
    # a target file may leave out everything that has a default, a mart's SELECT follows its header
    made["mart"]["properties"].pop("sql")
    made["mart"]["required"].remove("sql")
    return made


def _as_written(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = schema.get("$defs", {})
    if Duration.__name__ in definitions:
        definitions[Duration.__name__] = dict(_LENGTH)
    if Clock.__name__ in definitions:
        definitions[Clock.__name__] = dict(_CLOCK)
        definitions.setdefault(Duration.__name__, dict(_LENGTH))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _expectation() -> dict[str, Any]:
    fields = Expectation.model_json_schema(by_alias=True)["properties"]
    written = {key: item for key, item in fields.items() if key not in ("name", "arguments")}
    written["mostly"] = {**written["mostly"], "default": 1.0}
    return {
        "type": "object",
        "description": "one rule: a sentence for people, and one key that begins with expect_",
        "properties": written,
        "patternProperties": {
            "^expect_": {"type": ["object", "null"], "description": "its arguments; the rules are in docs/contracts.md"}
        },
        "required": ["rule"],
        "additionalProperties": False,
    }


def write_schemas(folder: Path) -> list[Path]:
    """Writes what has changed; returns those files."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, schema in schemas().items():
        path = folder / f"{name}.json"
        text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1] if len(sys.argv) > 1 else "conf/schema"))
