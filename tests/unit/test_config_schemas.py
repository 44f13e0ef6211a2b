"""The exported JSON Schemas accept what the loader accepts, and refuse what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from small_conf import FILES, write_small_conf

from finlake.config.load import plain, read_yaml
from finlake.config.schema_export import schemas, write_schemas

ROOT = Path(__file__).parents[2]
KINDS = {
    "sources": "source",
    "networks": "network",
    "features": "features",
    "use_cases": "use_case",
    "targets": "target",
}
WRITTEN = [
    path
    for folder in ("conf", "examples")
    for path in sorted((ROOT / folder).rglob("*.yml"))
    if path.parent.name in KINDS
]


def problems(path: Path) -> list[str]:
    validator = jsonschema_rs.validator_for(schemas()[KINDS[path.parent.name]])
    data = json.loads(json.dumps(plain(read_yaml(path).data), default=str))
    return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(data)]


def test_the_exported_files_are_current(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    for made in tmp_path.glob("*.json"):
        kept = ROOT / "conf" / "schema" / made.name
        assert kept.read_text("utf-8") == made.read_text("utf-8"), (
            "run: python -m finlake.config.schema_export conf/schema"
        )


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_people_wrote_is_valid(path: Path) -> None:
    assert problems(path) == []


def test_the_small_configuration_is_valid(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    assert [problems(path) for path in sorted(conf.rglob("*.yml"))] == [[]] * 5


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("sources/claims.yml", "format: csv", "format: excel"),
        ("sources/claims.yml", "owner: ", "onwer: "),
        ("sources/claims.yml", "stop_above: 2%", "stop_above: two"),
        ("sources/claims.yml", "known_at: reported\nknown_later", "known_at: {reported: 1 day}\nknown_later"),
        ("sources/claims.yml", "    otherwise: warn", "    otherwise: ignore"),
        ("features/policy_history.yml", "windows: [365d]", "windows: [a year]"),
        ("use_cases/claim_fraud.yml", "matures_after: 90d", "matures_after: soon"),
        ("use_cases/claim_fraud.yml", "materiality: low", "materiality: tiny"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(tmp_path: Path, file: str, before: str, after: str) -> None:
    conf = write_small_conf(tmp_path)
    assert before in FILES[file]
    (conf / file).write_text(FILES[file].replace(before, after), "utf-8")
    assert problems(conf / file)
