"""Files of every kind become rows of bronze, once each, with their origin."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from finlake.config import Config, Source, Target
from finlake.errors import InputError
from finlake.lakehouse import Lake
from finlake.pipelines.ingest import ingest
from finlake.pipelines.step import Step

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
CARD = "4111111111111111"


def source(name: str = "pay", **changes: Any) -> Source:
    read = {"from": name, "format": "csv", "delimiter": ";"} | changes.pop("read", {})
    columns = {
        "id": {"type": "text", "required": True},
        "at": {"type": "timestamp"},
        "card": {"type": "text", "pii": "pan"},
        "note": {"type": "text", "names": ["remark"]},
    } | changes.pop("columns", {})
    rest = {"about": "Rows.", "owner": "x", "key": "id", "happened_at": "at", "known_at": "at"} | changes
    return Source.model_validate({"source": name, "read": read, "columns": columns, **rest})


def step(lake: Lake, *sources: Source, now: datetime = NOW) -> Step:
    config = Config(lake.landing, Target(target="local"), sources={one.source: one for one in sources})
    return Step(lake, config, now, "ingest")


def put(lake: Lake, name: str, content: str | bytes) -> Path:
    path = lake.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def rows(lake: Lake, name: str = "pay") -> list[dict[str, Any]]:
    return [row.asDict() for row in lake.read(f"bronze.{name}").orderBy("_file", "_row").collect()]


def test_csv_and_gzip_land_once_with_their_origin(lake: Lake) -> None:
    put(lake, "pay/a.csv", f"id;at;card;note\n1;2030-01-01;{CARD};x\n2;2030-01-01;4111 1111-1111 1111;\n3;2030-01-01\n")
    put(lake, "pay/b.csv.gz", f"\ufeffNOTE;At;C-a R d;ID\ny;2030-01-01;{CARD};4\n".replace("C-a R d", "Card"))
    one = step(lake, source())
    assert ingest(one) == {"pay": 4}
    assert ingest(step(lake, source())) == {"pay": 0}
    found = rows(lake)
    assert [(row["_file"], row["_row"], row["id"], row["note"]) for row in found] == [
        ("pay/a.csv", 1, "1", "x"),
        ("pay/a.csv", 2, "2", None),
        ("pay/a.csv", 3, None, None),
        ("pay/b.csv.gz", 1, "4", "y"),
    ]
    assert found[0]["card"] == found[1]["card"] == found[3]["card"]
    assert found[0]["card"].startswith("tok_")
    assert found[2]["_corrupt"] == "3;2030-01-01"
    assert [row["status"] for row in lake.read("ops.files").collect()] == ["loaded", "loaded"]


def test_truncated_gzip_is_refused_and_the_others_load(lake: Lake) -> None:
    good = put(lake, "pay/a.csv.gz", "id;at;card;note\n1;2030-01-01;1;x\n")
    (lake.landing / "pay/b.csv.gz").write_bytes(good.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"refused pay/b.csv.gz: the file is truncated"):
        ingest(step(lake, source()))
    assert len(rows(lake)) == 1
