"""Values that begin with a quote which does not close where it should."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from finlake.config.source import Read
from finlake.contracts.received.quotes import Quotes, follow


def look(
    folder: Path, text: str, width: int = 3, multiline: bool = False, encoding: str = "utf-8", **read: Any
) -> Quotes:
    path = folder / ("x.csv.gz" if len(text) % 2 else "x.csv")
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    contract = Read.model_validate({"from": "x", "format": "csv", "multiline": multiline} | read)
    return follow(path, contract, encoding, width, multiline)


@pytest.mark.parametrize("multiline", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "id,at,note\n1,2,3\n",
        'id,at,note\n"1","2,3","say ""yes"""\r\n\n"","",""\n',
        '\ufeff"id","at","note"\n1,5" pipe,"abc"def\n',
    ],
)
def test_quotes_that_close_are_no_problem(tmp_path: Path, text: str, multiline: bool) -> None:
    assert look(tmp_path, text, multiline=multiline) == Quotes()


def test_a_line_break_in_a_value_needs_multiline_and_is_fine_with_it(tmp_path: Path) -> None:
    text = 'id,at,note\n1,2,3\n2,3,"first\nsecond, with ""quotes""\nthird"\n3,4,5\n'
    assert look(tmp_path, text, multiline=True) == Quotes()
    problem = look(tmp_path, text).problem
    assert "line 3 opens closes in a later line: set `multiline: true`" in problem
    assert "or mend line 3, '2,3,\"first'" in problem


def test_a_quote_in_the_first_column_makes_no_row_of_its_second_half(tmp_path: Path) -> None:
    assert "line 2 opens closes" in look(tmp_path, 'id,at,note\n"a\nb",2,3\n').problem


def test_a_stray_quote_costs_its_line_alone(tmp_path: Path) -> None:
    text = 'id,at,note\n1,2,"5 inch\n2,3,"x"\n\n3,4,5\n4,"6,4111111111111111\n5,6,7\n'
    assert look(tmp_path, text) == Quotes(open=((1, '1,2,"5 inch'), (4, '4,"6,****1111')))
    without_header = 'a,b,"c\n1,2,3\n'
    assert look(tmp_path, without_header, header=False).open == ((1, 'a,b,"c'),)


def test_with_multiline_a_stray_quote_is_refused_and_never_swallows_rows(tmp_path: Path) -> None:
    for rest in ("2,3,4\n" * 5, '2,3,"x"\n3,4,5\n', "2,3,4\n" * 2_000 + '3,4,5"\n'):
        problem = look(tmp_path, 'id,at,note\n1,2,"open\n' + rest, multiline=True).problem
        assert "line 2 opens does not close as that of one value: mend line 2" in problem


def test_a_header_that_leaves_a_quote_open_and_a_file_full_of_them_are_refused(tmp_path: Path) -> None:
    assert "line 1 opens a quote" in look(tmp_path, 'id,at,"note\n1,2,3\n').problem
    assert "as 1,000 lines before it do" in look(tmp_path, "id,at,note\n" + '1,2,"3\n' * 1_500).problem


def test_another_escape_quote_delimiter_and_encoding_are_followed(tmp_path: Path) -> None:
    good = "id;at;note\n1;2;'it\\'s; here'\n1;2;'\\\\'\n"
    assert look(tmp_path, good, delimiter=";", quote="'", escape="\\", encoding="cp1252") == Quotes()
    assert look(tmp_path, "1\t2\t'a\\'\n", delimiter="\\t", quote="'", escape="\\", header=False).open
    assert look(tmp_path, 'id,at,note\n1,2,"é\nü"\n', encoding="utf-16", multiline=True) == Quotes()
    assert look(tmp_path, 'id,at,note\n1,2,"3\n', quote="", escape="") == Quotes()
