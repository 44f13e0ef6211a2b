"""Expressions on one row without Spark, by hand; tests/spark/test_evaluate_parity.py holds them against Spark."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.features.expressions import FUNCTIONS, Expr, Scope, parse
from finlake.features.online.casts import from_raw, text_of
from finlake.features.online.evaluate import evaluator
from finlake.features.online.functions import great_circle_km, rounded

BERLIN = "Europe/Berlin"
ROW = {
    "x": 2.5,
    "nan": math.nan,
    "gone": None,
    "t": "Car",
    "flag": True,
    "at": from_raw(datetime(2025, 3, 30, 1, tzinfo=UTC), "timestamp", BERLIN),
}
KINDS = {"x": "number", "nan": "number", "gone": "number", "t": "text", "flag": "boolean", "at": "time"}


def value(text: str, zone: str = BERLIN, **row: Any) -> Any:
    tree = parse(text, Scope(KINDS, {"own": "number"}, ["fraud"]), "any")
    known = {**ROW, "own": 7.0, "fraud": 1.0, **row}
    return evaluator(tree, zone)(lambda node: known[node.value])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x + this.own", 9.5), ("label(fraud) = 1", True), ("x / 0", None), ("x % 0", None), ("gone + 1", None),
        ("gone > 1 and false", False), ("gone > 1 or true", True), ("gone > 1 and true", None), ("not (gone > 1)", None),
        ("gone in (1, 2)", None), ("nan = nan", True), ("nan > 1e308", True), ("nan < nan", False), ("greatest(x, nan, gone)", math.nan),
        ("least(gone, x, nan)", 2.5), ("coalesce(gone, x)", 2.5), ("nullif(nan, nan)", None), ("gone <=> null", True),
        ("case when gone > 1 then 1 when x > 1 then 2 end", 2.0), ("if(flag, t, 'none')", "Car"),
        ("round(x)", 3.0), ("round(-x)", -3.0), ("round(2.675, 2)", 2.68), ("ceil(1e300)", 2.0**63), ("floor(-1e300)", -(2.0**63)),
        ("ceil(nan)", 0.0), ("sqrt(-1)", math.nan), ("ln(0)", None), ("ln(-1)", None), ("pow(0, -1)", math.inf), ("exp(1000)", math.inf),
        ("pow(1, nan)", math.nan), ("pow(-8, 0.5)", math.nan), ("pow(-1e200, 3)", -math.inf), ("t like 'C%'", True), ("t like '_a'", False),
        ("t like 'C\\\\%'", False), ("lower(t) = 'car'", True), ("length('😀é')", 2.0), ("trim('  a ')", "a"),
        ("hour(at)", 3.0), ("dayofweek(at)", 1.0), ("datediff(at, DATE '2025-03-29')", 1.0),
        ("cast('1.5' as int)", None), ("cast(' 12 ' as int)", 12.0), ("cast('1e400' as double)", math.inf), ("cast(-x as int)", -2.0),
        ("cast(1e19 as bigint)", None), ("cast(flag as double)", 1.0), ("cast(at as string)", "2025-03-30 01:00:00"),
        ("cast(1e7 as string)", "1.0E7"), ("cast(0.0001 as string)", "1.0E-4"), ("cast('9999-99-99' as date)", None),
        ("great_circle_km(gone, 1, 2, 3)", None), ("great_circle_km(52.52, 13.405, 52.52, 13.405)", 0.0), ("great_circle_km(90.1, 0, 0, 0)", None),
    ],
)  # fmt: skip
def test_values(text: str, wanted: Any) -> None:
    got = value(text)
    assert got == wanted or (got != got and wanted != wanted)
    assert type(got) is type(wanted)


def test_local_times_where_clocks_change() -> None:
    def read(text: str, zone: str) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value(f"cast('{text}' as timestamp)", zone))

    assert read("2025-03-30 02:30:00", BERLIN) == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)  # there is no such time
    assert read("2025-10-26 02:30:00", BERLIN) == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # the first of two
    assert read("2025-11-02 01:30", "America/New_York") == datetime(2025, 11, 2, 5, 30, tzinfo=UTC)
    assert read("2025-03-30", BERLIN) == datetime(2025, 3, 29, 23, tzinfo=UTC)
    assert value("cast(at as date) = cast('2025-03-30' as date)")
    assert value("datediff(at, DATE '2025-03-29')", "America/New_York") == 0


@pytest.mark.parametrize(
    ("raw", "column_type", "wanted"),
    [
        (None, "money", None), (Decimal("-3.50"), "money", -3.5), (7, "integer", 7.0), (0.5, "number", 0.5), (True, "boolean", True),
        ("é", "text", "é"), (datetime(1970, 1, 1, 0, 0, 1), "timestamp", 1_000_000),
        (datetime(1970, 1, 1, 1, 0, 0, 1, timezone(timedelta(hours=1))), "timestamp", 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "timestamp", -1), (date(1970, 1, 1), "date", -3_600_000_000),
    ],
)  # fmt: skip
def test_raw_values(raw: Any, column_type: str, wanted: Any) -> None:
    got = from_raw(raw, column_type, BERLIN)
    assert got == wanted and type(got) is type(wanted)


def test_a_text_with_its_offset_is_that_moment_in_any_zone() -> None:
    for zone in (BERLIN, "America/New_York"):
        told = value("cast('2025-03-30T10:00:00+02:00' as timestamp)", zone)
        assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=told) == datetime(2025, 3, 30, 8, tzinfo=UTC)


def test_moments_outside_the_calendar_are_unknown() -> None:
    assert value("year(at)", at=2**62) is None
    assert value("cast(at as date)", at=-(2**62)) is None
    assert value("cast('0001-01-01' as timestamp)") is None


def test_every_function_can_be_evaluated() -> None:
    for name, (wanted, result) in FUNCTIONS.items():
        kinds = ["number" if kind in ("same", "...") else kind for kind in wanted]
        arguments = [{"number": "x", "time": "at", "text": "t"}[kind] for kind in kinds]
        assert value(f"{name}({', '.join(arguments)})") is not None or name == "nullif", (name, result)


def test_distances() -> None:
    assert great_circle_km(52.52, 13.405, 48.8566, 2.3522) == pytest.approx(877.5, abs=0.1)  # Berlin, Paris
    assert great_circle_km(0, -179.5, 0, 179.5) == pytest.approx(6371.0088 * math.radians(1))
    assert great_circle_km(90, 0, -90, 0) == pytest.approx(6371.0088 * math.pi)
    assert great_circle_km(0, math.nan, 0, 0) is None


@given(st.floats(), st.floats())
def test_comparisons_order_all_numbers(a: float, b: float) -> None:
    def holds(operator: str) -> bool:
        return bool(value(f"x {operator} nan", x=a, nan=b))

    assert [holds("<"), holds("="), holds(">")].count(True) == 1
    assert holds("<=") == (holds("<") or holds("="))
    assert holds(">=") == (holds(">") or holds("="))
    assert holds("<>") == (not holds("="))


@given(st.floats(-1e15, 1e15), st.integers(0, 6))
def test_rounding_is_half_away_from_zero_of_the_written_number(number: float, digits: int) -> None:
    assert rounded(-number, digits) == -rounded(number, digits)
    assert (
        abs(Decimal(repr(rounded(number, digits))) - Decimal(repr(number)))
        <= Decimal(1).scaleb(-digits) / 2 + Decimal("1e-9") + Decimal(abs(number)) / 2**52
    )
    assert rounded(number, 0) in (math.floor(number), math.ceil(number))


@given(st.floats(allow_nan=False))
def test_numbers_survive_their_text(number: float) -> None:
    assert value("cast(t as double)", t=text_of(number)) == number


def test_the_tree_of_a_constant_is_not_walked_again() -> None:
    def never(node: Expr) -> Any:
        raise AssertionError(node)

    assert evaluator(parse("pow(2, 3) + length('abc')", Scope()), "UTC")(never) == 11
