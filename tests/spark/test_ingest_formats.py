"""Each format is read to the last digit, and what does not parse is kept as it came. One Spark read a format."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from finlake.config import Source
from finlake.contracts.masking import mask_pans, mask_text
from finlake.contracts.pan import token, tokenise
from finlake.contracts.received.files import content_digest, find
from finlake.contracts.received.reading import Received, inspect, read_batch
from finlake.errors import ConfigError

KEY = b"0123456789abcdef"
CARD = "4111111111111111"
Rows = list[dict[str, Any]]


def source(form: str, columns: Mapping[str, str | None] | None = None, **read: Any) -> Source:
    """Columns id and at, and more of them with their `pii`."""
    more = {name: {"type": "text", "pii": pii} for name, pii in (columns or {}).items()}
    return Source.model_validate(
        {
            "source": "s",
            "about": "x",
            "owner": "x",
            "read": {"from": "in", "format": form} | read,
            "columns": {"id": {"type": "text"}, "at": {"type": "text"}} | more,
            "key": "id",
            "happened_at": "at",
            "known_at": "at",
        }
    )


def received(spark: SparkSession, folder: Path, contract: Source) -> tuple[Rows, dict[str, str]]:
    """Rows without nulls, and the reason for each refused file (or `empty`)."""
    looks = inspect(spark, contract, find(folder, contract.read)[0])
    moment = datetime(2025, 1, 1, tzinfo=UTC)
    good = [
        Received(f, look, content_digest(f), moment) for f, look in looks.items() if not look.problem and not look.empty
    ]
    frame = read_batch(spark, contract, "b", good, KEY).drop("_source", "_batch", "_arrived_at", "_file_digest")
    rows = [
        {k: v for k, v in row.asDict().items() if v is not None} for row in frame.orderBy("_file", "_row").collect()
    ]
    for row in rows:
        row["_file"] = row["_file"].removeprefix("in/")
    return rows, {f.path.name: look.problem or "empty" for f, look in looks.items() if look.problem or look.empty}


def put(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> None:
    path = folder / "in" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode(encoding) if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def test_json_lines_keep_every_digit_and_every_broken_line(spark: SparkSession, tmp_path: Path) -> None:
    lines = [
        '\ufeff{"ID":1.10,"at":"x","amt":12345678901234567890.123456789,"n":{"x":[1, 2.50,"7"]},"card":4111111111111111}',
        '{"ID":"x","ID":"y","at":"2"}',
        '{"ID":1,"at":',
        '{"ID":1} {"ID":2}',
        '{"ID":1} junk',
        "5",
        "[1]",
        "",
        '{"ID":null,"at":1e3,"4111111111111111":"5500 0000 0000 0004"}',
        '{"ID":"\\u00e9 a:1,\\"b\\":2","at":"c:\\\\ 5"}',
        "null",
        '{"ID":"4111 1111 1111 1111',
    ]
    put(tmp_path, "a.jsonl", "\n".join(lines))
    put(tmp_path, "b.jsonl.gz", b'{"id":"caf\xe9"}\n')
    put(tmp_path, "c.jsonl", '[{"id":1}]')
    put(tmp_path, "d.jsonl", "\n \n")
    put(tmp_path, "e.jsonl", '{"at":2,"Id":"é","card":"4111-1111-1111-1111"}\n')
    put(tmp_path, "f.jsonl", "5\n")
    rows, refused = received(spark, tmp_path, source("jsonl", {"amt": None, "card": "pan"}))
    first = rows[0]
    assert (first["id"], first["at"], first["amt"]) == ("1.10", "x", "12345678901234567890.123456789")
    assert first["card"] == token(CARD, KEY)
    assert first["_extra"] == {"n": '{"x":[1,2.50,"7"]}'}
    assert [row.get("_corrupt") for row in rows[:11]] == [
        None, lines[1], lines[2], lines[3], lines[4], "5", "[1]", None, None, "null", '{"ID":"****1111',
    ]  # fmt: skip
    assert [row["_row"] for row in rows[:11]] == list(range(1, 12))
    assert (rows[7]["at"], rows[7]["_extra"]) == ("1e3", {"****1111 #0": "****0004"})
    assert (rows[8]["id"], rows[8]["at"]) == ('é a:1,"b":2', "c:\\ 5")
    assert (rows[11]["_file"], rows[11]["id"], rows[11]["card"]) == ("e.jsonl", "é", token(CARD, KEY))
    assert "cp1252 fits" in refused["b.jsonl.gz"]
    assert "one JSON array" in refused["c.jsonl"]
    assert refused["d.jsonl"] == "empty"
    assert refused["f.jsonl"] == "no line of the file is a JSON object"


def test_json_lines_in_another_encoding(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":"€","at":"é"}\n', "cp1252")
    assert received(spark, tmp_path, source("jsonl", encoding="cp1252"))[0][0]["id"] == "€"


def test_numbers_that_are_no_text_follow_the_contracts_decimal_mark(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"id":1.500,"at":"1.500,25","amt":[1.5]}\n')
    rows, _ = received(spark, tmp_path, source("jsonl", {"amt": None}, decimal=","))
    assert (rows[0]["id"], rows[0]["at"], rows[0]["amt"]) == ("1,500", "1.500,25", "[1.5]")
    (tmp_path / "in" / "a.jsonl").unlink()
    pd.DataFrame({"id": [1.125], "at": ["1.125"], "amt": [Decimal("2.50")]}).to_parquet(tmp_path / "in" / "a.parquet")
    rows, _ = received(spark, tmp_path, source("parquet", {"amt": None}, decimal=","))
    assert (rows[0]["id"], rows[0]["at"], rows[0]["amt"]) == ("1,125", "1.125", "2,50")


def test_xml_attributes_and_elements_become_columns(spark: SparkSession, tmp_path: Path) -> None:
    put(
        tmp_path,
        "a.xml",
        '<?xml version="1.0" encoding="UTF-8"?>\n<rows><row id="7"><at>1</at><amount currency="EUR">5.10</amount>'
        f"<n><a>1</a><a>2</a></n><card>{CARD}</card></row>\n"
        '<row id="8"><at>2</at><amount>6.00</amount><s>4111111111111111</s></row></rows>',
    )
    put(tmp_path, "b.xml", "<rows><row><id>9</id><at>3</at><card>4111 1111 1111 1111</card></row></rows>")
    put(tmp_path, "c.xml", "<rows><row><id>9</id><at>3</at></rows>")
    put(tmp_path, "d.xml", "<rows><rw><id>9</id></rw></rows>")
    put(tmp_path, "e.xml", "<rows></rows>")
    put(tmp_path, "f.xml.gz", '<x:rows xmlns:x="u"><x:row><x:id>10</x:id><x:at>é</x:at></x:row></x:rows>')
    put(tmp_path, "g.xml", '<?xml version="1.0" encoding="ISO-8859-1"?><rows/>')
    rows, refused = received(spark, tmp_path, source("xml", {"amount": None, "card": "pan"}, row_tag="row"))
    assert rows == [
        {"_file": "a.xml", "_row": 1, "id": "7", "at": "1", "amount": "5.10", "card": token(CARD, KEY),
         "_extra": {"amount_currency": "EUR", "n": '{"a":["1","2"]}'}},
        {"_file": "a.xml", "_row": 2, "id": "8", "at": "2", "amount": "6.00", "_extra": {"s": "****1111"}},
        {"_file": "b.xml", "_row": 1, "id": "9", "at": "3", "card": token(CARD, KEY)},
        {"_file": "f.xml.gz", "_row": 1, "id": "10", "at": "é"},
    ]  # fmt: skip
    assert "not well-formed XML: mismatched tag at line 1" in refused["c.xml"]
    assert "there is no element <row>; did you mean 'rows' or 'rw'?" in refused["d.xml"]
    assert refused["e.xml"] == "empty"
    assert "says it is ISO-8859-1, the contract utf-8" in refused["g.xml"]


def test_xml_one_repeated_element_leaves_the_other_rows_as_they_are(spark: SparkSession, tmp_path: Path) -> None:
    """And a row may have the attribute, the element or both."""
    put(
        tmp_path,
        "a.xml",
        '<rows><row id="7"><at>1</at><amount currency="EUR">5</amount><amount>6</amount></row>'
        '<row><id>8</id><at>2</at><at>3</at><amount currency="USD">7</amount></row>'
        '<row id="9"><id>10</id><at>4</at></row></rows>',
    )
    rows, _ = received(spark, tmp_path, source("xml", {"amount": None}, row_tag="row"))
    assert [(row["id"], row["at"]) for row in rows] == [("7", "1"), ("8", '["2","3"]'), ("10", "4")]
    assert (rows[0]["amount"], rows[1]["amount"]) == ('[{"_VALUE":"5","_currency":"EUR"},{"_VALUE":"6"}]', "7")
    assert [row.get("_extra") for row in rows] == [None, {"amount_currency": "USD"}, {"_id": "9"}]


def test_xml_in_latin_1(spark: SparkSession, tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?><rows><row><id>é</id><at>3</at></row></rows>'
    put(tmp_path, "a.xml", text, "latin-1")
    assert received(spark, tmp_path, source("xml", row_tag="row", encoding="latin-1"))[0][0]["id"] == "é"


def test_parquet_values_become_text_without_losing_digits(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    berlin = pd.to_datetime(["2025-01-01", "2025-01-02", "2025-07-01"]).tz_localize("Europe/Berlin")
    frame = pd.DataFrame(
        {
            "Id": [1.0, None, 0.1],
            "at": pd.to_datetime(["2025-01-01 00:00:00.123456789", None, "1969-12-31 23:59:59.5"]),
            "z": berlin,
            "card": [float(CARD), None, 5500000000000004.0],
            "dec": [Decimal("1.10"), Decimal("99999999999999999999.99"), None],
            "list": [[1, 2], None, []],
            "flag": [True, None, False],
            "raw": [b"ab", b"\xff\x00", None],
            "day": [date(2025, 1, 1), None, None],
            "kind": pd.Categorical(["x", "y", "x"]),
            "single": np.array([0.1, 1 / 3, np.nan], dtype="float32"),
        }
    )
    frame.to_parquet(tmp_path / "in/p.parquet")
    micros = pd.DataFrame({"id": ["a"], "at": pd.to_datetime(["2025-01-01 00:00:01"])})
    micros.to_parquet(tmp_path / "in/q.parquet", coerce_timestamps="us")
    (tmp_path / "in/r.parquet").write_bytes((tmp_path / "in/p.parquet").read_bytes()[:-20])
    rows, refused = received(spark, tmp_path, source("parquet", {"card": "pan", "dec": None, "z": None, "list": None}))
    assert rows == [
        {"_file": "p.parquet", "_row": 1, "id": "1", "at": "2025-01-01 00:00:00.123456789", "card": token(CARD, KEY),
         "dec": "1.10", "z": "2024-12-31 23:00:00.000000Z", "list": "[1,2]",
         "_extra": {"flag": "true", "raw": "ab", "day": "2025-01-01", "kind": "x", "single": "0.1"}},
        {"_file": "p.parquet", "_row": 2, "dec": "99999999999999999999.99", "z": "2025-01-01 23:00:00.000000Z",
         "_extra": {"raw": "FF00", "kind": "y", "single": "0.33333334"}},
        {"_file": "p.parquet", "_row": 3, "id": "0.1", "at": "1969-12-31 23:59:59.500000",
         "card": token("5500000000000004", KEY), "z": "2025-06-30 22:00:00.000000Z", "list": "[]",
         "_extra": {"flag": "false", "kind": "x"}},
        {"_file": "q.parquet", "_row": 1, "id": "a", "at": "2025-01-01 00:00:01.000000"},
    ]  # fmt: skip
    assert "not whole, readable Parquet" in refused["r.parquet"]


def test_a_type_that_flips_between_files_loses_no_value(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    pd.DataFrame({"id": [time(8)], "at": "x"}).to_parquet(tmp_path / "in" / "t.parquet")
    (look,) = inspect(spark, source("parquet"), find(tmp_path, source("parquet").read)[0]).values()
    assert look.problem == "column 'id' has the type time64[us], which Spark cannot read; ask for text"
    (tmp_path / "in" / "t.parquet").unlink()
    for name, values in (("a", [7]), ("b", ["7x"]), ("c", [7.5]), ("d", [True]), ("e", [None])):
        pd.DataFrame({"id": values, "at": ["2025-01-01"]}).to_parquet(tmp_path / "in" / f"{name}.parquet")
    rows, refused = received(spark, tmp_path, source("parquet"))
    assert refused == {}
    assert [row.get("id") for row in rows] == ["7", "7x", "7.5", "true", None]
    put(tmp_path, "f.jsonl", '{"id":7,"at":1}\n{"id":"7","at":[1]}\n{"id":{"x":7},"at":true}\n')
    for path in (tmp_path / "in").glob("*.parquet"):
        path.unlink()
    rows, _ = received(spark, tmp_path, source("jsonl"))
    assert [(row["id"], row["at"]) for row in rows] == [("7", "1"), ("7", "[1]"), ('{"x":7}', "true")]


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("utf-8", "\ufeffAT,Id,x\n1,é,\n"),
        ("latin-1", "at,id,x\n1,é,\n"),
        ("cp1252", "at,id,x\n1,é,€–\n"),
        ("iso-8859-15", "at,id,x\n1,é,€\n"),
        ("utf-16", "at,id,x\r\n1,é,€\r\n"),
        ("utf-16-le", "at,id,x\r\n1,é,€\r\n"),
    ],
)
def test_csv_in_many_encodings(spark: SparkSession, tmp_path: Path, encoding: str, content: str) -> None:
    put(tmp_path, "a.csv", content, encoding)
    rows, refused = received(spark, tmp_path, source("csv", encoding=encoding))
    assert refused == {}
    assert (rows[0]["id"], rows[0]["at"]) == ("é", "1")
    assert rows[0].get("_extra", {}).get("x") == (content.strip().rpartition(",")[2] or None)


def test_csv_with_line_breaks_quotes_and_tabs(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "a.csv", 'id\tat\n"a\nb"\t\'x\'\n"say ""hi"""\t \n')
    rows, _ = received(spark, tmp_path, source("csv", delimiter="\\t", multiline=True))
    assert [(row["id"], row["at"]) for row in rows] == [("a\nb", "'x'"), ('say "hi"', " ")]


def test_csv_lines_that_leave_a_quote_open_keep_their_text_alone(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "a.csv", 'id,at,x\n1,2,\n\n"2,3,y\n4,5,"6\n7,8,4111111111111111 "9"\n')
    put(tmp_path, "b.csv", 'id,at\n1,2\n2,"3\n')
    put(tmp_path, "c.csv", 'id,at\n1,"2\n3"\n')
    rows, refused = received(spark, tmp_path, source("csv"))
    assert [(row["_row"], row.get("id"), row.get("_corrupt")) for row in rows] == [
        (1, "1", None), (2, None, '"2,3,y'), (3, None, '4,5,"6'), (4, "7", None), (1, "1", None), (2, None, '2,"3'),
    ]  # fmt: skip
    assert not rows[2].get("_extra") and rows[3]["_extra"] == {"x": '****1111 "9"'}
    assert "set `multiline: true`" in refused["c.csv"]
    rows, refused = received(spark, tmp_path, source("csv", multiline=True))
    assert [row["at"] for row in rows] == ["2\n3"]
    assert "mend line 4, '\"2,3,y'" in refused["a.csv"] and "mend line 3" in refused["b.csv"]


def test_rows_keep_their_number_in_large_files_and_damaged_bytes_are_flagged(
    spark: SparkSession, tmp_path: Path
) -> None:
    """The sample that is checked before is 1 MiB; the damage lies behind it, in a file of several splits."""
    lines = [f"{n},{'x' * 30}" for n in range(1, 60_001)]
    put(tmp_path, "big.csv", "\n".join(lines).encode() + b"\n60001,\xff4111111111111111\n60002\n")
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    spark.conf.set("spark.sql.files.maxPartitionBytes", "300k")
    try:
        contract = source("csv", header=False)
        found, _ = find(tmp_path, contract.read)
        look = inspect(spark, contract, found)[found[0]]
        file = Received(found[0], look, "d", datetime(2025, 1, 1, tzinfo=UTC))
        frame = read_batch(spark, contract, "b", [file], None)
        wrong = frame.where("_row <= 60000 and id <> _row or _row > 60002").count()
        last = frame.where("_row > 60000").orderBy("_row").collect()
    finally:
        spark.conf.set("spark.sql.files.maxPartitionBytes", before or "128m")
    assert wrong == 0
    assert [(row["id"], row["at"], row["_corrupt"]) for row in last] == [
        ("60001", "\ufffd4111111111111111", "not valid utf-8"), (None, None, "60002"),
    ]  # fmt: skip


def test_files_with_awkward_names_are_read(spark: SparkSession, tmp_path: Path) -> None:
    names = ["a b.csv", "c [1]{x}%20 ü#.csv", "d*?^.csv", "q'uo\"te\\x.csv", "~t@&=$!,;+.csv"]
    for number, name in enumerate(names):
        put(tmp_path, name, f"id,at\n{number},x\n")
    rows, refused = received(spark, tmp_path, source("csv"))
    assert refused == {}
    assert {row["_file"]: row["id"] for row in rows} == {name: str(number) for number, name in enumerate(names)}


def test_spark_masks_and_tokenises_exactly_as_python_does(spark: SparkSession) -> None:
    texts = [
        "a 4111 1111 1111 1111 12 b 4111111111111111,5", "41111111111111111111", "x", "", "4111-1111-1111-1111", None,
        "5500 0000 0000 0004 4111111111111111", "378282246310005;", "52.520006599999", "4111111111111111.0", " 12 34 ",
        "４１１１ 1111\u00a01111\u20111111", "n/a", "1" * 100_000, "4111.1111.1111.1111", "5555  5555  5555  4444",
        "4012/8888/8888/1881", "41111111.11111111", "2025.10.04 14.30.06", "3782'822463'10005",
        "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2", "4222222222222 4222222222222",
    ]  # fmt: skip
    frame = spark.createDataFrame([(text,) for text in texts], "text string").coalesce(1)
    rows = frame.select("text", mask_pans(frame["text"]), tokenise(frame["text"], KEY, ("n/a",))).collect()
    for text, masked, made in rows:
        assert masked == (None if text is None else mask_text(text))
        assert made == (None if text is None else token(text, KEY, ("n/a",)))


def test_a_short_key_is_refused_before_anything_is_read(spark: SparkSession, tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,at,card\n1,2,3\n")
    contract = source("csv", {"card": "pan"})
    found, _ = find(tmp_path, contract.read)
    file = Received(found[0], inspect(spark, contract, found)[found[0]], "d", datetime(2025, 1, 1, tzinfo=UTC))
    with pytest.raises(ConfigError, match="use at least 16"):
        read_batch(spark, contract, "b", [file], None)
