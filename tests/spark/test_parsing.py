"""What each received text becomes, or the sentence that says why it cannot: all cells in one Spark job a contract."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from refining import META

from finlake.config import Source
from finlake.contracts.judge import judge

NOW = datetime(2025, 10, 15, tzinfo=UTC)
D = Decimal


def source(column: dict[str, Any], decimal: str = ".", **more: dict[str, Any]) -> Source:
    return Source.model_validate(
        {
            "source": "cells",
            "about": "One cell a row.",
            "owner": "team@lender.example",
            "read": {"from": "cells", "format": "csv", "decimal": decimal, "null_words": ["", "NULL", "n/a"]},
            "columns": {"x": column, "id": {"type": "text"}, "at": {"type": "timestamp"}, **more},
            "key": "id",
            "happened_at": "at",
            "known_at": "at",
        }
    )


def read(spark: Any, contract: Source, texts: list[str | None]) -> list[Any]:
    """The value of each text, or its reason."""
    schema = f"x string, id string, at string, {META}"
    rows = [
        (text, str(n), "2025-01-01", {}, None, "cells", "b", "f", "0" * 16, n, NOW.replace(tzinfo=None))
        for n, text in enumerate(texts)
    ]
    judged = judge(spark.createDataFrame(rows, schema), contract, NOW).frame
    found = {int(row["id"]): row for row in judged.select("id", "x", "_reasons").collect()}
    return [(found[n]["_reasons"] or [found[n]["x"]])[0] for n in range(len(texts))]


def test_money_is_exact_or_refused(spark):
    cells = {
        "12.50": D("12.50"),
        " 12.5\u00a0": D("12.50"),
        "-3": D("-3.00"),
        "+0.5": D("0.50"),
        "1,234,567.89": D("1234567.89"),
        "1'234.50": D("1234.50"),
        "1.23456789E7": D("12345678.90"),
        "1.500": D("1.50"),
        "n/a": None,
        "": None,
        "12.345": "x has more than 2 decimals",
        "12,50": "x is not a number",
        "12.5 EUR": "x is not a number",
        "1,23,456": "x is not a number",
        "--1": "x is not a number",
        "NaN": "x is not a finite number",
        "inf": "x is not a finite number",
        "-Infinity": "x is not a finite number",
        "99999999999999999": "x is too large for money",
        "1e40": "x is too large for money",
    }
    assert read(spark, source({"type": "money", "currency": "EUR"}), list(cells)) == list(cells.values())


def test_a_decimal_comma_groups_thousands_with_points(spark):
    cells = {
        "1.234,56": D("1234.56"),
        "1.234": D("1234.00"),
        "12,5": D("12.50"),
        ",5": D("0.50"),
        "1234.56": "x is not a number",
        "12.5": "x is not a number",
    }
    assert read(spark, source({"type": "money", "currency": "EUR"}, ","), list(cells)) == list(cells.values())


def test_whole_numbers_do_not_overflow_or_lose_fractions(spark):
    cells = {
        "42": 42,
        "42.0": 42,
        "1,000": 1000,
        "-9223372036854775808": -(2**63),
        "9223372036854775808": "x is too large for a whole number",
        "1e30": "x is too large for a whole number",
        "4.5": "x is not a whole number",
        "four": "x is not a whole number",
        "nan": "x is not a finite number",
    }
    assert read(spark, source({"type": "integer"}), list(cells)) == list(cells.values())


def test_numbers_are_finite(spark):
    cells = {
        "1e3": 1000.0,
        ".5": 0.5,
        "5.": 5.0,
        "1e999": "x is not a finite number",
        "NaN": "x is not a finite number",
    }
    assert read(spark, source({"type": "number"}), list(cells)) == list(cells.values())


def test_booleans_by_words(spark):
    words = {"type": "boolean", "true_words": ["Ja"], "false_words": ["Nein"]}
    cells = {"ja": True, " NEIN ": False, "NULL": None, "yes": "x is neither Ja nor Nein"}
    assert read(spark, source(words), list(cells)) == list(cells.values())


def test_iso_times_with_and_without_offset(spark):
    column = {"type": "timestamp", "format": "iso", "zone": "Europe/Berlin"}
    cells = {
        "2025-07-01 12:00:00": datetime(2025, 7, 1, 10),
        "2025-01-01T12:00": datetime(2025, 1, 1, 11),
        "2025-07-01": datetime(2025, 6, 30, 22),
        "2025-07-01T12:00:00Z": datetime(2025, 7, 1, 12),
        "2025-07-01T12:00:00.123456789+02:00": datetime(2025, 7, 1, 10, 0, 0, 123456),
        "2025-07-01 12:00:00,5 +0530": datetime(2025, 7, 1, 6, 30, 0, 500000),
        "2025-07-01 12:00:00-05": datetime(2025, 7, 1, 17),
        "2025-03-30 02:30:00": "x does not exist in Europe/Berlin (clock change)",
        "2025-03-30 02:30:00+01:00": datetime(2025, 3, 30, 1, 30),
        "2025-10-26 02:30:00": datetime(2025, 10, 26, 0, 30),
        "2025-10-26 03:30:00": datetime(2025, 10, 26, 2, 30),
        "2025-02-29 10:00:00": "x is not a timestamp like 2025-10-15 06:30:00",
        "01.07.2025 10:00": "x is not a timestamp like 2025-10-15 06:30:00",
        "2025-07-01 25:00:00": "x is not a timestamp like 2025-10-15 06:30:00",
    }
    assert read(spark, source(column), list(cells)) == list(cells.values())


def test_times_by_pattern_and_as_seconds(spark):
    column = {"type": "timestamp", "format": "dd.MM.yyyy HH:mm:ss", "zone": "America/New_York"}
    wrong = "x is not a timestamp like dd.MM.yyyy HH:mm:ss"
    cells = {
        "01.07.2025 12:00:00": datetime(2025, 7, 1, 16),
        "31.02.2025 12:00:00": wrong,
        "2025-07-01 12:00:00": wrong,
    }
    assert read(spark, source(column), list(cells)) == list(cells.values())
    seconds = {"0": datetime(1970, 1, 1), "1751371200.5": datetime(2025, 7, 1, 12, 0, 0, 500000)}
    seconds |= {"1.7513712E9": datetime(2025, 7, 1, 12), "1751371200000": "x is not a timestamp in seconds since 1970"}
    assert read(spark, source({"type": "timestamp", "format": "epoch_s"}), list(seconds)) == list(seconds.values())


def test_dates(spark):
    wrong = "x is not a date like dd/MM/yyyy"
    cells = {"15/10/2025": date(2025, 10, 15), "30/02/2025": wrong, "2025-10-15": wrong}
    assert read(spark, source({"type": "date", "format": "dd/MM/yyyy"}), list(cells)) == list(cells.values())
    short = {"681231": date(2068, 12, 31), "690101": date(1969, 1, 1), "991231": date(1999, 12, 31)}
    assert read(spark, source({"type": "date", "format": "yyMMdd"}), list(short)) == list(short.values())
    iso = {"2025-10-15": date(2025, 10, 15), "2025-10-15 00:00:00.000000": date(2025, 10, 15)}
    iso |= {"2025-10-15 10:00:00": "x is not a date like 2025-10-15"}
    assert read(spark, source({"type": "date"}), list(iso)) == list(iso.values())


def test_codes_currencies_and_tokens(spark):
    codes = {"type": "text", "codes": {"01": "chip", "2": "online"}}
    assert read(spark, source(codes), ["01", "2", "1", None]) == ["chip", "online", "x has an unknown code '1'", None]
    assert read(spark, source(codes), ["5555555555554444"]) == ["x has an unknown code '****4444'"]
    secret = {**codes, "pii": "other"}
    assert read(spark, source(secret), ["4711"]) == ["x has an unknown code"]
    pan = {"type": "text", "pii": "pan"}
    assert read(spark, source(pan), ["tok_abc", "tok_invalid_abc", "4111111111111111"]) == [
        "tok_abc",
        "x is not a card number",
        "x is a card number that was not tokenised when it arrived",
    ]
    paid = {"paid": {"type": "money", "currency": "x"}}
    assert read(spark, source({"type": "text"}, **paid), ["eur", "EURO"]) == [
        "EUR",
        "x is not a currency code like EUR",
    ]


@pytest.mark.parametrize("kind", ["text", "integer", "money", "timestamp"])
def test_what_is_required_must_be_there(spark, kind):
    column = {"type": kind, "required": True, **({"currency": "EUR"} if kind == "money" else {})}
    assert read(spark, source(column), [None, "NULL", "  "]) == ["x is missing"] * 3
