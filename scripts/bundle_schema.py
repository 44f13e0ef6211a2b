"""Cuts the JSON schema of Databricks bundles down to what this bundle's files reach.

The whole schema is what the Databricks CLI prints with `databricks bundle schema`: some 900 kB, most of it about kinds
of resources that this bundle does not have. The tests need only the rest, so they run on every machine:

    databricks bundle schema > schema.json
    python scripts/bundle_schema.py schema.json

Kinds of resources that the bundle does not use are left open (`{}`); everything else is kept as it is, without its
texts for people. Cutting a second time changes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "tests" / "unit" / "bundle_schema.json"
WIDTH = 120
# Validation asks for none of these; they are most of the size.
TEXTS = {
    "description",
    "markdownDescription",
    "examples",
    "enumDescriptions",
    "deprecated",
    "deprecationMessage",
    "doNotSuggest",
}
RESOURCES = "#/$defs/github.com/databricks/cli/bundle/config.Resources"


def kinds_of_resources(root: Path = ROOT) -> set[str]:
    """What the bundle's files have under `resources`, those of targets included."""
    yaml = YAML(typ="safe")
    kinds: set[str] = set()
    for path in (root / "databricks.yml", *sorted((root / "resources").glob("*.yml"))):
        document = yaml.load(path.read_text("utf-8"))
        for place in (document, *(document.get("targets") or {}).values()):
            kinds |= set((place or {}).get("resources") or {})
    return kinds


def subset(schema: dict[str, Any], kinds: set[str]) -> dict[str, Any]:
    """The schema of bundles that have only these kinds of resources, with the definitions it reaches.

    Raises:
        SystemExit: this is no bundle's schema, or it does not know such a kind.
    """
    top: dict[str, Any] = without_texts({name: part for name, part in schema.items() if name != "$defs"})
    made: dict[str, Any] = {}
    waiting = list(references(top))
    while waiting:
        reference = waiting.pop()
        if reference in made:
            continue
        made[reference] = without_texts(definition(schema, reference))
        if reference == RESOURCES:
            open_others(made[reference], kinds)
        waiting += references(made[reference])
    if RESOURCES not in made:
        raise SystemExit(f"this schema does not reach {RESOURCES}: is it what `databricks bundle schema` prints?")
    for reference in sorted(made):
        put(top.setdefault("$defs", {}), reference, made[reference])
    return top


def without_texts(schema: Any) -> Any:
    """The same schema without texts for people; a property that is called `description` stays."""
    if isinstance(schema, list):
        return [without_texts(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, part in schema.items():
        if key == "properties":
            made[key] = {name: without_texts(part[name]) for name in sorted(part)}
        elif key not in TEXTS and not key.startswith("x-"):
            made[key] = without_texts(part)
    return made


def open_others(resources: dict[str, Any], kinds: set[str]) -> None:
    """Kinds that the bundle does not have may hold anything."""
    (choice,) = (choice for choice in resources["oneOf"] if "properties" in choice)
    if unknown := kinds - set(choice["properties"]):
        raise SystemExit(f"the schema knows no resources of the kind {', '.join(sorted(unknown))}")
    choice["properties"] = {name: part if name in kinds else {} for name, part in choice["properties"].items()}


def references(schema: Any) -> Iterator[str]:
    """Every `$ref` within."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def parts(reference: str) -> list[str]:
    """`#/$defs/a/b~1c` -> [a, b/c]."""
    return [part.replace("~1", "/").replace("~0", "~") for part in reference.removeprefix("#/$defs/").split("/")]


def definition(schema: dict[str, Any], reference: str) -> Any:
    """What a reference stands for."""
    found: Any = schema["$defs"]
    for part in parts(reference):
        found = found[part]
    return found


def put(tree: dict[str, Any], reference: str, value: Any) -> None:
    """Places a definition where its reference looks for it."""
    *folders, name = parts(reference)
    for folder in folders:
        tree = tree.setdefault(folder, {})
    tree[name] = value


def written(value: Any, depth: int = 0) -> str:
    """JSON with one line for what fits into one, so that a renewal shows as a diff people can read."""
    line = json.dumps(value, ensure_ascii=False, separators=(", ", ": "))
    if len(line) + depth <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    pad = " " * (depth + 1)
    if isinstance(value, dict):
        inside = [f"{pad}{json.dumps(key)}: {written(part, depth + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(inside) + "\n" + " " * depth + "}"
    return "[\n" + ",\n".join(pad + written(part, depth + 1) for part in value) + "\n" + " " * depth + "]"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schema", type=Path, help="the output of `databricks bundle schema`")
    parser.add_argument("--out", type=Path, default=OUT, help="where the subset goes")
    given = parser.parse_args()
    text = written(subset(json.loads(given.schema.read_text("utf-8")), kinds_of_resources())) + "\n"
    given.out.write_text(text, "utf-8")
    sys.stdout.write(f"wrote {given.out}, {len(text) // 1000} kB\n")


if __name__ == "__main__":
    main()
