"""Files of every kind become rows of bronze, once each, with their origin."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finlake.config import Config, Source, Target
from finlake.errors import FinlakeError, InputError
from finlake.lakehouse import Lake
from finlake.pipelines.ingest import ingest
from finlake.pipelines.ledger import FILES, batch_name
from finlake.pipelines.refine import refine
from finlake.pipelines.step import Step, run_step

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


def step_of(lake: Lake, *sources: Source, now: datetime = NOW, say: Callable[[str], None] = print) -> Step:
    config = Config(lake.landing, Target(target="local"), sources={one.source: one for one in sources})
    return Step(lake, config, now, "ingest", say=say)


def refined(lake: Lake, contract: Source) -> str:
    """What refine said."""
    said: list[str] = []
    refine(step_of(lake, contract, say=said.append))
    return "\n".join(said)


def run(lake: Lake, *sources: Source, now: datetime = NOW) -> tuple[dict[str, Any], str]:
    """What ingest returned, and everything it said; an error is part of what it said."""
    said: list[str] = []
    step = step_of(lake, *sources, now=now, say=said.append)
    try:
        values = run_step(step, ingest, {"source": "all"})
    except FinlakeError as error:
        return {}, "\n".join([*said, f"{type(error).__name__}: {error}"])
    return values, "\n".join(said)


def put(lake: Lake, name: str, content: str | bytes) -> Path:
    path = lake.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def book(lake: Lake) -> dict[str, Any]:
    """Name of a received file -> its row of ops.files."""
    return {Path(row["file"]).name: row for row in lake.read("ops.files").collect()}


def rows(lake: Lake, name: str = "pay") -> list[dict[str, Any]]:
    return [row.asDict() for row in lake.read(f"bronze.{name}").orderBy("_file", "_row").collect()]


def test_good_and_bad_files_of_one_delivery(lake: Lake) -> None:
    put(lake, "pay/a.csv", f"id;at;card;note\n1;2030-01-01;{CARD};x\n2;2030-01-01;4111 1111-1111 1111;\n3;2030-01-01\n")
    put(lake, "pay/b.csv.gz", f"\ufeffREMARK;At;Card;I-D;fee\ny;2030-01-01;{CARD};4;5\n".replace("I-D", "Id"))
    put(lake, "pay/c.csv", "id;at;card\n5;2030-01-01;n\n")
    put(lake, "pay/header_only.csv", "id;at;card;note\n")
    put(lake, "pay/empty.csv", "")
    put(lake, "pay/keyless.csv", "ident;at;card;note\n6;2030-01-01;1;x\n")
    put(lake, "pay/comma.csv", "id,at,card,note\n7,2030-01-01,1,x\n")
    put(lake, "pay/cut.csv.gz", "id;at;card;note\n8;2030-01-01;1;x\n")
    put(lake, "pay/same_as_a.csv", (lake.landing / "pay/a.csv").read_bytes())
    cut = lake.landing / "pay/cut.csv.gz"
    cut.write_bytes(cut.read_bytes()[:-9])
    put(lake, "other/a.csv", "id;at;card;note\n1;2030-01-01;1;x\n")

    _, said = run(lake, source(), source("other"))

    found = rows(lake)
    assert [(Path(row["_file"]).name, row["_row"], row["id"], row["note"]) for row in found] == [
        ("a.csv", 1, "1", "x"),
        ("a.csv", 2, "2", None),
        ("a.csv", 3, None, None),
        ("b.csv.gz", 1, "4", "y"),
        ("c.csv", 1, "5", None),
    ]
    assert found[0]["card"] == found[1]["card"] == found[3]["card"] != found[4]["card"]
    assert found[0]["card"].startswith("tok_")
    assert (found[2]["_corrupt"], found[3]["_extra"]) == ("3;2030-01-01", {"fee": "5"})
    entries = book(lake)
    assert {name: (entries[name]["status"], entries[name]["rows"]) for name in entries if name != "a.csv"} == {
        "b.csv.gz": ("loaded", 1),
        "c.csv": ("loaded", 1),
        "header_only.csv": ("loaded", 0),
        "empty.csv": ("empty", 0),
        "keyless.csv": ("refused", None),
        "comma.csv": ("refused", None),
        "cut.csv.gz": ("refused", None),
    }
    assert (entries["b.csv.gz"]["new_columns"], entries["c.csv"]["missing_columns"]) == (["fee"], ["note"])
    for sentence in (
        "pay: pay/same_as_a.csv has the same content as pay/a.csv; one of them is loaded",
        "warning: pay: pay/empty.csv is empty (0 bytes)",
        "warning: pay: pay/header_only.csv has a header and no rows",
        "warning: pay: new columns fee in pay/b.csv.gz: kept in _extra",
        "warning: pay: missing columns note in pay/c.csv: null in bronze",
        "pay: 4 files, 5 rows, 1 of them could not be parsed",
        "other: 1 file, 1 rows",
        "InputError: ",
        "pay: refused pay/keyless.csv: the needed column 'id' is missing; the header is [ident, at, card, note]",
        "pay: refused pay/comma.csv: the contract says columns are separated by a semicolon (';'), "
        "but this file seems to use a comma (','): set `delimiter: ','`",
        "pay: refused pay/cut.csv.gz: the file is truncated: it stops before its gz data ends; send it again",
    ):
        assert sentence in said

    digest = lake.digest("bronze.pay")
    put(lake, "pay/again.csv", (lake.landing / "pay/a.csv").read_bytes())
    _, said = run(lake, source(), source("other"))
    assert lake.digest("bronze.pay") == digest
    assert "pay/again.csv has the same content as pay/a.csv, which is loaded; skipped" in said
    assert "refused pay/keyless.csv" in said
    assert "refused before; it is refused until it is mended, moved away, or the contract fits it" in said

    for name in ("comma.csv", "cut.csv.gz", "again.csv"):
        (lake.landing / "pay" / name).unlink()
    wider = source(columns={"id": {"type": "text", "names": ["ident"]}})
    assert run(lake, wider, source("other"))[0] == {"pay": 1, "other": 0}
    assert book(lake)["keyless.csv"]["status"] == "loaded"


def test_a_run_that_was_stopped_is_finished_by_the_next_one(lake: Lake) -> None:
    """The states a stopped run leaves: planned only, planned and written, planned and the file gone."""
    for folder in ("pay", "planned", "gone"):
        put(lake, f"{folder}/a.csv", f"id;at;card;note\n1;2030-01-01;1;{folder}\n")
        put(lake, f"{folder}/b.csv", "id;at;card;note\n2;2030-01-01;1;x\n")
    names = [part.split()[0] for part in FILES.split(", ")]

    def stopped(name: str, like: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        planned = [row | {"source": name, "file": row["file"].replace("pay", name)} for row in like]
        return [tuple((row | {"status": "planned", "rows": None})[column] for column in names) for row in planned]

    assert run(lake, source())[0] == {"pay": 2}
    whole = lake.digest("bronze.pay")
    done = [row.asDict() for row in lake.read("ops.files").orderBy("file").collect()]
    (lake.landing / "planned/a.csv").write_bytes((lake.landing / "pay/a.csv").read_bytes())
    gone = (lake.landing / "gone/a.csv").read_bytes()
    (lake.landing / "gone/a.csv").unlink()
    left = [*stopped("pay", done), *stopped("planned", done), *stopped("gone", done)]
    lake.overwrite("ops.files", lake.spark.createDataFrame(left, FILES))

    values, said = run(lake, source(), source("planned"), source("gone"))
    assert values == {"pay": 2, "planned": 2, "gone": 1}
    assert lake.digest("bronze.pay") == whole
    assert {row["_batch"] for row in rows(lake, "planned")} == {row["_batch"] for row in rows(lake)}
    reason = "was planned by an earlier run and left the landing folder before it was loaded"
    assert f"warning: gone: gone/a.csv {reason}; put it back to load it" in said
    found = {row["file"]: row["status"] for row in lake.read("ops.files").collect()}
    assert found.pop("gone/a.csv") == "vanished"
    assert set(found.values()) == {"loaded"}
    (lake.landing / "gone/a.csv").write_bytes(gone.replace(b"gone", b"pay"))
    assert run(lake, source(), source("planned"), source("gone"))[0] == {"pay": 0, "planned": 0, "gone": 1}
    assert sorted(row["id"] for row in rows(lake, "gone")) == ["1", "2"]


@pytest.mark.long
def test_a_file_that_was_read_wrongly_is_read_again_and_takes_the_place_of_its_rows(lake: Lake) -> None:
    put(lake, "pay/a.csv", "id;at;card;note\n1;2030-01-01;;'x;y'\n2;2030-01-01;;z\n")
    put(lake, "pay/b.csv", "id;at;card;note\n3;2030-01-01;;b\n")
    wrong, right = source(), source(read={"quote": "'"})
    assert run(lake, wrong)[0] == {"pay": 3}
    refined(lake, wrong)
    assert lake.read("quarantine.pay").count() == 1
    assert run(lake, right)[0] == {"pay": 0}
    old_b = book(lake)["b.csv"]["batch"]

    # stopped after its plan was written
    with pytest.raises(InputError, match="no file matches --again 'c"):
        ingest(step_of(lake, right), again="c*")
    lake.spark.sql("UPDATE spark_catalog.ops.files SET status = 'planned', batch = 'new' WHERE file LIKE '%a.csv'")
    refined(lake, right)
    assert lake.read("silver.pay").count() == 2

    assert run(lake, right)[0] == {"pay": 2}
    seen = {name: (row["status"], row["rows"], row["batch"]) for name, row in book(lake).items()}
    assert seen == {"a.csv": ("loaded", 2, "new"), "b.csv": ("loaded", 1, old_b)}
    assert sorted((row["_batch"], row["id"], row["note"]) for row in rows(lake)) == sorted(
        [("new", "1", "x;y"), ("new", "2", "z"), (old_b, "3", "b")]
    )
    assert "files were read again; silver is made again" in refined(lake, right)
    assert sorted((row["id"], row["note"]) for row in lake.read("silver.pay").collect()) == [
        ("1", "x;y"), ("2", "z"), ("3", "b"),
    ]  # fmt: skip
    assert lake.read("quarantine.pay").count() == 0
    accounts = {row["batch"]: (row["received"], row["adds_up"]) for row in lake.read("ops.batches").collect()}
    assert accounts == {"new": (2, True), old_b: (1, True)}
    assert "read again" not in refined(lake, right)

    # the command itself, once more and for a file that the contract can no longer read
    assert ingest(step_of(lake, right), again="a.csv") == {"pay": 2}
    assert {row["batch"] for row in book(lake).values()} != {"new", old_b}
    before = lake.digest("bronze.pay")
    with pytest.raises(InputError, match=r"pay/b\.csv cannot be read again, its rows stay as they are"):
        ingest(step_of(lake, source(read={"delimiter": ","})), again="b*")
    assert (lake.digest("bronze.pay"), book(lake)["b.csv"]["status"]) == (before, "loaded")


def test_missing_late_and_small_data_is_red_and_other_sources_still_load(lake: Lake) -> None:
    arrives = {"every": "day", "by": "06:00 Europe/Berlin", "rows": [2, 3]}
    put(lake, "pay/a.csv", "id;at;card;note\n1;2030-01-01;1;x\n")
    old = put(lake, "old/a.csv", "id;at;card;note\n1;2030-01-01;1;x\n2;2030-01-01;1;x\n")
    written = NOW - timedelta(days=3)
    os.utime(old, (written.timestamp(), written.timestamp()))
    put(lake, "none/.hidden", "x")
    put(lake, "good/a.csv", "id;at;card;note\n1;2030-01-01;1;x\n2;2030-01-01;1;x\n")
    names = ["pay", "old", "none", "good"]
    for name in ("pay", "good"):
        os.utime(lake.landing / name / "a.csv", (NOW.timestamp() + 99, NOW.timestamp() + 99))
    _, said = run(lake, *(source(name, read={"arrives": arrives}) for name in names))
    assert "FreshnessError: pay: few: 1 rows in the last batch, at least 2 are normal" in said
    assert "old: late: nothing since 2029-12-30 12:00 UTC; due every 1 day by 06:00 Europe/Berlin" in said
    assert "none: empty: no file has ever arrived; looked in none" in said
    verdicts = {row["source"]: row for row in lake.read("ops.freshness").collect()}
    assert {name: verdicts[name]["verdict"] for name in names} == {
        "pay": "few", "old": "late", "none": "empty", "good": "ok",
    }  # fmt: skip
    assert verdicts["good"]["last_arrival"].replace(tzinfo=UTC) == NOW, "never later than the moment the step stands at"
    assert len(rows(lake, "good")) == 2
    _, said = run(lake, source("good", read={"arrives": arrives}), now=NOW + timedelta(days=2))
    assert "FreshnessError: good: late: nothing since 2030-01-02 12:00 UTC" in said


def test_no_card_number_is_anywhere_in_the_lake(lake: Lake) -> None:
    """Good rows, broken rows, unknown columns, headers, names of files and errors, in every format."""
    numbers = ["4111111111111111", "5500000000000004", "378282246310005", "6011000990139424", "4012888888881881"]
    a, b, c, d, e = numbers
    spaced = " ".join(b[i : i + 4] for i in range(0, 16, 4))
    put(
        lake,
        "pay/a.csv",
        f"id;at;card;note;pan {c}\n1;2030-01-01;{a};x;{b}\n2;{d};{spaced}\n3;2030-01-01;{e}X;x;y {d}\n",
    )
    put(lake, f"pay/{e}.csv", f"{a};{b};3\n")
    put(lake, "pay/z.csv", f"id;at;no {d}\n1;{c}\n")
    lines = [{"id": 1, "at": "x", "card": int(a), "nested": {"pan": spaced}}, {"id": 2, "at": "x", b: c}]
    put(lake, "js/a.jsonl", "\n".join(json.dumps(line) for line in lines) + f'\n{{"id": "{d}\n')
    put(lake, "xm/a.xml", f"<r><row id='1'><at>x</at><card>{spaced}</card><other><p>{a}</p></other></row></r>")
    (lake.landing / "pq").mkdir(parents=True)
    typed = pd.DataFrame({"id": ["1"], "at": ["x"], "card": [float(a)], "other": [int(d)], "list": [[spaced, b]]})
    typed.to_parquet(lake.landing / "pq/a.parquet")
    sources = [
        source(),
        source("js", read={"format": "jsonl"}),
        source("xm", read={"format": "xml", "row_tag": "row"}),
        source("pq", read={"format": "parquet"}),
    ]
    _, said = run(lake, *sources)
    assert "refused pay/" in said
    assert all(rows(lake, one.source) for one in sources)
    texts = [said, *(str(row) for name in lake.tables() for row in lake.read(name).collect())]
    assert lake.root is not None
    files = [path for path in lake.root.rglob("*") if path.is_file() and not path.is_relative_to(lake.landing)]
    texts += [str(path) + path.read_bytes().decode("latin-1") for path in files]
    found = [number for number in [*numbers, spaced] for text in texts if number in text]
    assert found == []
    assert "pan ****0005" in str(rows(lake))


def test_a_file_that_fails_in_the_middle_is_refused_and_the_others_of_its_batch_are_loaded(lake: Lake) -> None:
    for name in ("a", "b"):
        ids = [f"{name}{n}" for n in range(5000)]
        put(lake, f"pay/{name}.parquet", b"")
        pd.DataFrame({"id": ids, "at": "2029-01-01"}).to_parquet(lake.landing / f"pay/{name}.parquet")
    damaged = lake.landing / "pay/b.parquet"
    content = bytearray(damaged.read_bytes())
    content[200:4000] = b"x" * 3800
    damaged.write_bytes(content)
    parquet = source(read={"format": "parquet"}, columns={"card": {"type": "text"}})
    _, said = run(lake, parquet)
    assert "InputError: pay: refused pay/b.parquet: the file begins well but cannot be read to its end (" in said
    assert "java" not in said
    assert {name: (row["status"], row["rows"]) for name, row in book(lake).items()} == {
        "a.parquet": ("loaded", 5000),
        "b.parquet": ("refused", None),
    }
    assert len({row["_batch"] for row in rows(lake)}) == 1
    damaged.unlink()
    assert run(lake, parquet)[0] == {"pay": 0}


def test_batches_are_named_by_their_content() -> None:
    assert batch_name(["b", "a"]) == batch_name(["a", "b"]) != batch_name(["a"])
