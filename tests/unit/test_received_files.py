"""Files are found, recognised and refused before Spark opens them."""

from __future__ import annotations

import bz2
import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from finlake.config import Source
from finlake.contracts.received.files import broken, content_digest, decode, encoding_name, find, takes
from finlake.contracts.received.read_csv import inspect
from finlake.errors import ConfigError


def source(**read: Any) -> Source:
    return Source.model_validate(
        {
            "source": "pay",
            "about": "x",
            "owner": "x",
            "read": {"from": "pay", "format": "csv"} | read,
            "columns": {"id": {"type": "text"}, "at": {"type": "text"}, "name": {"type": "text"}},
            "key": "id",
            "happened_at": "at",
            "known_at": "at",
        }
    )


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def problem(folder: Path, content: bytes, **read: Any) -> str:
    path = put(folder, "pay/a.csv", content)
    look = inspect(next(found for found in find(folder, source().read)[0] if found.path == path), source(**read))
    return look.problem


def test_hidden_unfinished_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("b.csv", "sub/a.csv", ".hidden.csv", "_SUCCESS", "c.csv.tmp", "d.part", "_old/e.csv", "f.txt"):
        put(tmp_path, f"pay/{name}", b"x")
    assert [found.file for found in find(tmp_path, source(pattern="*.csv").read)[0]] == ["pay/b.csv", "pay/sub/a.csv"]
    assert [found.file for found in find(tmp_path, source(**{"from": "pay/b.csv"}).read)[0]] == ["pay/b.csv"]
    assert find(tmp_path, source(**{"from": "nothing"}).read)[0] == []
    others = find(tmp_path, source(pattern="*.csv").read)[1]
    assert [path.name for path in others] == ["c.csv.tmp", "d.part", "f.txt"]
    assert [takes(tmp_path, source(pattern="f*").read, path) for path in others] == [False, False, True]
    assert not takes(tmp_path, source(**{"from": "elsewhere"}).read, others[2])


def test_a_landing_folder_above_the_present_one_gives_paths_without_dots(tmp_path: Path) -> None:
    (tmp_path / "pay").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "pay" / "a.csv").write_text("id\n1\n")
    assert [found.path for found in find(tmp_path / "here" / "..", source().read)[0]] == [tmp_path / "pay" / "a.csv"]


def test_equal_content_has_one_digest_and_empty_files_stay_apart(tmp_path: Path) -> None:
    for name, content in (("a", b"x"), ("b", b"x"), ("c", b""), ("d", b"")):
        put(tmp_path, f"pay/{name}", content)
    a, b, c, d = (content_digest(found) for found in find(tmp_path, source().read)[0])
    assert a == b
    assert c != d


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-1], "is truncated: it stops before its gz data ends"),
        ("a.csv.gz", gzip.compress(b"a,b\n" * 99, mtime=0)[:-8] + b"12345678", "holds damaged gz data"),
        ("a.csv.bz2", bz2.compress(b"a,b\n" * 99)[:-4], "is truncated: it stops before its bz2 data ends"),
        ("a.csv.gz", b"a,b\n", "is named .gz but does not hold gz data"),
        ("a.csv", gzip.compress(b"a,b\n", mtime=0), "holds gz data but is not named .gz"),
        ("a.csv", b"PK\x03\x04rest", "is a zip archive"),
        ("a:b.csv", b"a,b\n", "has a colon in its name"),
        (os.fsdecode(b"caf\xe9.csv"), b"a,b\n", "has a name that is not UTF-8"),
    ],
)
def test_a_file_that_is_broken_as_a_whole_says_how(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    put(tmp_path, f"pay/{name}", content)
    assert broken(find(tmp_path, source().read)[0][0]).startswith(reason)


def test_whole_files_are_not_broken(tmp_path: Path) -> None:
    put(tmp_path, "pay/a.csv.gz", gzip.compress(b"a\n") + gzip.compress(b"b\n"))
    put(tmp_path, "pay/b.csv", b"a\n")
    assert [broken(found) for found in find(tmp_path, source().read)[0]] == ["", ""]


@pytest.mark.parametrize("declared", [",", "|"])
@pytest.mark.parametrize("used", [";", "\t"])
def test_a_wrong_delimiter_is_named(tmp_path: Path, declared: str, used: str) -> None:
    message = problem(tmp_path, f"id{used}at{used}name\n1{used}2{used}3\n".encode(), delimiter=declared)
    assert f"this file seems to use {'a tab' if used == chr(9) else 'a semicolon'}" in message
    assert f"set `delimiter: {used!r}`" in message


def test_a_wrong_delimiter_is_seen_without_header_too(tmp_path: Path) -> None:
    assert "seems to use a semicolon" in problem(tmp_path, b"1;2;3\n", header=False)


@pytest.mark.parametrize(
    ("content", "declared", "hint"),
    [
        ("id,at,näme\n".encode("latin-1"), "utf-8", "cp1252 fits: set `encoding: cp1252`"),
        ("id,at,näme\n".encode(), "latin-1", "its bytes are UTF-8: set `encoding: utf-8`"),
        ("id,at,name\n".encode("utf-16"), "utf-8", "set `encoding: utf-16`"),
        ("id,at,name\n".encode("utf-16-le"), "utf-8", "try `encoding: utf-16-le`"),
        ("id,at,name\n".encode("utf-16-le"), "utf-16", "set `encoding: utf-16-le`"),
        (b"\xef\xbb\xbfid,at,name\n", "latin-1", "set `encoding: utf-8`"),
    ],
)
def test_a_wrong_encoding_is_refused_with_one_that_fits(
    tmp_path: Path, content: bytes, declared: str, hint: str
) -> None:
    assert hint in problem(tmp_path, content, encoding=declared)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"\xef\xbb\xbfid,at,name\n", "utf-8"),
        ("id,at,name,ö\n".encode("latin-1"), "ISO-8859-1"),
        ("id,at,name,€\n".encode("cp1252"), "windows-1252"),
        ("id,at,name\n".encode("utf-16"), "utf-16"),
        (b"\n \nid,at,name\n1,2,3", "utf-8"),
        (b'"id","at","na""me","name"\n', "utf-8"),
    ],
)
def test_the_agreed_encoding_is_read(tmp_path: Path, content: bytes, encoding: str) -> None:
    assert problem(tmp_path, content, encoding=encoding) == ""


def test_a_character_cut_by_the_sample_is_no_error() -> None:
    assert decode("aé".encode()[:-1], "utf-8") == ("a", "")


@pytest.mark.parametrize("name", ["klingon", "utf-7", "shift-jis", "cp500"])
def test_encodings_that_cannot_be_read_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="encoding"):
        encoding_name(name)
