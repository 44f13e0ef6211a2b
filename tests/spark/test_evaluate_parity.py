"""Expressions without Spark give what Spark gives, on values that are easy to get wrong."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from finlake.features.columns import compile_expr, local_midnight
from finlake.features.expressions import Expr, Scope, parse
from finlake.features.online.casts import from_raw
from finlake.features.online.evaluate import evaluator

ZONES = ("Europe/Berlin", "America/New_York")
TYPES = {
    "x": "number", "y": "number", "n": "integer", "flag": "boolean", "t": "text", "at": "timestamp", "other": "timestamp",
    "d": "date",
}  # fmt: skip
SCHEMA = "x double, y double, n bigint, flag boolean, t string, at timestamp, other timestamp, d date"
KINDS = {
    "integer": "number", "number": "number", "boolean": "boolean", "text": "text", "timestamp": "time", "date": "time",
}  # fmt: skip
NUMBERS = [
    None, 0.0, -0.0, 1.0, -2.5, 0.5, 7.0, 1e-9, 2.675, 0.49999999999999994, 123456789.125, 2.0**63, -1e300, 89.5,
    math.nan, math.inf, -math.inf,
]  # fmt: skip
WHOLE = [None, 0, 1, -7, 2**53 + 1, -(2**63)]
TEXTS = [
    None, "", " ", " Car ", "car", "CAR\t", "Straße", "ÉCOLE", "İΣΑΣ", "😀é", "a%b_c", "aXbYc", "a\nb", "\u00a01", "\u0661",
    "12.5", "-3", " 12 ", "+7", "1e3", "1.", ".5", "1.5d", "2F", "1e400", "-0", "1_000", "1e", "9223372036854775807",
    "9223372036854775808", "NaN", "nan", "-nan", "Infinity", "-inf", "+INF", "true", "1\x7f", "\t5\n",
    "2025", "2025-3", "2025-03-30", "2025-1-5 6:07:08.25", "2025-03-30T02:30:00", "2025-10-26 02:30:00", "2025-03-09 02:30",
    "2025-11-02 01:30:00.1234567", "2025-03-30 6", "2025-03-30 06:", "2025-03-30 06:07:08.", "2025-03-30T10:00:00Z", "2025-03-30T10:00:00UTC", "2025-03-30 10:00:00 Europe/Berlin",
    "2025-03-30 10:00:00 +02:00", "2025-03-30 10:00:00+2", "2025-03-30 10:00:00.5-0130", "2025-03-30 06:07Z", "2025-03-30 06Z",
    "+2025-03-30", "2025-02-29", "2024-02-29", "2025-03-30 foo", "2025-03-30foo", "20250330", "2025-03-30 24:00:00",
    "2025-03-30  10:00", "025-03-05", "2025-", "\t2025-03-30\n", "2025-13-01", "2025-03-30T", "2025-03-30 10:00:00+19:00",
]  # fmt: skip
TIMES = [
    None, datetime(2025, 3, 30, 0, 59, 59, 999999, UTC), datetime(2025, 3, 30, 1, tzinfo=UTC),
    datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC),
    datetime(2025, 3, 9, 6, 59, 59, 1, UTC), datetime(2025, 3, 9, 7, tzinfo=UTC), datetime(2025, 11, 2, 5, 30, tzinfo=UTC),
    datetime(2025, 11, 2, 6, 30, tzinfo=UTC), datetime(2024, 2, 29, 23, 30, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 0, 0, 500000, UTC), datetime(1969, 12, 31, 22, 59, 59, 5, UTC),
    datetime(1890, 6, 1, 12, tzinfo=UTC), datetime(2080, 7, 1, 12, tzinfo=UTC), datetime(999, 1, 2, 3, 4, 5, tzinfo=UTC),
]  # fmt: skip
DATES = [
    None,
    date(2025, 3, 30),
    date(2025, 10, 26),
    date(2025, 3, 9),
    date(2024, 12, 31),
    date(1900, 1, 1),
    date(1582, 10, 10),
]
EXPRESSIONS = [
    "x + y", "x - y * 2", "x * y", "x / y", "x % y", "x % -3", "n % 4", "n / (y - 1)", "-x", "x = y", "x <> y", "x < y", "x <= y",
    "x > y", "x >= y", "x <=> y", "x > 1", "1 >= x", "n + 1", "n * n", "n / 2 > 1", "x + null", "null = x", "x < null", "t <> null", "x <=> null",
    "x > 1 and y > 1", "x > 1 or y > 1", "not (x > 1)", "flag and x > 1", "flag or x is null", "flag and null", "flag or null",
    "x is null", "x is not null", "flag is true", "flag is not true", "flag is false", "flag", "not flag", "flag = (x > 1)",
    "x in (1.0, 7)", "x not in (1, -2.5)", "t in ('car', '')", "x between 0 and 7", "x not between 0 and 7", "t between 'a' and 'd'",
    "t like '%a%'", "t like 'a\\\\%b\\\\_c'", "t like 'a%b_c'", "t like ''", "t like '_'", "t like '__'", "t like '%'", "not t like 'c%'",
    "case when x > 1 then 1 when y > 1 then 2 end", "case n when 1 then 10 else 20 end", "case t when 'car' then 'a' else t end",
    "if(x > y, x, y)", "if(flag, 't', null)", "case when x > 1 then at else d end", "case when x is null then null when flag then x end",
    "abs(x)", "abs(n)", "ceil(x)", "floor(x)", "ceil(x / 7)", "floor(-x * 1.5)", "round(x)", "round(x, 2)", "round(x / 7, 3)",
    "round(n / 2)", "round(y * 1.005, 2)", "sign(x)", "sign(n)", "sqrt(x)", "sqrt(-x)", "pow(x, y)", "pow(x, 2)", "pow(x, -3)",
    "pow(x, 0.5)", "pow(n, 0)", "exp(x)", "exp(x / 1000)", "exp(-x)", "ln(x)", "log10(x)", "ln(n)", "sin(x / 10)", "cos(x / 10)",
    "sin(y)", "coalesce(x, y, 3)", "coalesce(t, 'none')", "coalesce(x, null)", "nullif(x, 0)", "nullif(x, y)", "nullif(t, 'car')",
    "greatest(x, y, 1)", "least(x, y)", "least(x, null, n)", "greatest(t, 'b')", "greatest(at, other)", "least(at, d)",
    "hour(at)", "minute(at)", "day(at)", "dayofweek(at)", "dayofyear(at)", "month(at)", "quarter(at)", "year(at)", "hour(d)",
    "dayofweek(d)", "year(d)", "datediff(at, d)", "datediff(at, other)", "datediff(d, DATE '2025-01-31')", "hour(at) < 6 or hour(at) > 22",
    "at < d", "at = other", "at <= other", "cast(at as date)", "cast(d as date)", "cast(at as timestamp)", "cast(at as date) = d",
    "hour(cast(at as date))", "at > cast('2025-03-30' as date)", "at < cast('2025-10-26 02:30:00' as timestamp)",
    "length(t)", "length(trim(t))", "lower(t)", "upper(t)", "trim(t)", "lower(trim(t)) = 'car'", "t < 'b'", "t = 'car' or x is null",
    "cast(t as double)", "cast(t as int)", "cast(t as bigint) + 1", "cast(x as int)", "cast(x as bigint)", "cast(n as double)",
    "cast(flag as double)", "cast(flag as int)", "cast(t as date)", "cast(t as timestamp)", "cast(t as date) is null",
    "hour(cast(t as timestamp))", "cast(at as double)", "cast(at as bigint)", "cast(d as double)", "cast(x as string)",
    "cast(n as string)", "cast(flag as string)", "cast(at as string)", "cast(d as string)", "cast(t as string)",
    "length(cast(x / 3 as string))", "cast(cast(x as string) as double)", "cast(x % 1000000 as timestamp)",
    "cast(null as double)", "null is null", "great_circle_km(x, y, 52.52, 13.405)", "great_circle_km(x, 13.4, y, 13.4)",
    "great_circle_km(x / 2, y * 2, -x / 2, -y * 2)", "great_circle_km(52.52, 13.405, 48.8566, 2.3522)", "great_circle_km(x, y, x, y)",
    "great_circle_km(89.5, n, -89.5, n + 180)",
]  # fmt: skip
TRANSCENDENTAL = ("sin", "cos", "exp", "ln", "log10", "pow", "sqrt", "great_circle_km")


def rows() -> list[tuple[Any, ...]]:
    """Each pair of numbers, with the other columns in turn."""
    others = (
        itertools.cycle(values) for values in (WHOLE, [None, True, False], TEXTS, TIMES, TIMES[::-1] + TIMES, DATES)
    )
    return [(*pair, *rest) for pair, *rest in zip(itertools.product(NUMBERS, NUMBERS), *others, strict=False)]


def typed(text: str) -> Expr:
    return parse(
        text,
        Scope({name: KINDS[type_] for name, type_ in TYPES.items()}),
        None if text == "cast(null as double)" else "any",
    )


@pytest.fixture(scope="module")
def answers(spark: SparkSession) -> dict[str, list[Any]]:
    """Spark's answers by zone and expression."""

    def made(text: str, zone: str) -> Column:
        def resolve(expr: Expr) -> Column:
            return local_midnight(F.col(expr.value), zone) if expr.value == "d" else F.col(expr.value)

        column = compile_expr(typed(text), resolve, zone)
        return F.unix_micros(column) if typed(text).kind == "time" else column

    names = {f"e{n}": pair for n, pair in enumerate(itertools.product(ZONES, EXPRESSIONS))}
    frame = spark.createDataFrame(rows(), SCHEMA).coalesce(1)
    found = frame.select(*(made(text, zone).alias(name) for name, (zone, text) in names.items())).collect()
    return {" ".join(pair): [row[name] for row in found] for name, pair in names.items()}


@pytest.mark.parametrize("zone", ZONES)
def test_python_gives_what_spark_gives(answers: dict[str, list[Any]], zone: str) -> None:
    given = [
        {name: from_raw(value, type_, zone) for (name, type_), value in zip(TYPES.items(), row, strict=True)}
        for row in rows()
    ]
    wrong: list[object] = []
    for text in EXPRESSIONS:
        run, tolerance = evaluator(typed(text), zone), 1e-12 if any(name in text for name in TRANSCENDENTAL) else 0.0
        wanted = answers[f"{zone} {text}"]
        got = [run(lambda node, row=row: row[node.value]) for row in given]
        pairs = zip(given, got, wanted, strict=True)
        wrong += [(text, row, mine, its) for row, mine, its in pairs if not same(mine, its, tolerance)]
        if typed(text).names("column") and "null" not in text and len(set(map(str, got))) == 1:
            wrong.append(f"{text} says nothing in this test")
    assert not wrong, "\n".join(map(str, [len(wrong), *wrong[:40]]))


def same(mine: Any, its: Any, tolerance: float) -> bool:
    if type(mine) is not type(its):
        return False
    if isinstance(mine, float) and mine != mine:
        return its != its
    return mine == its or (isinstance(mine, float) and math.isclose(mine, its, rel_tol=tolerance))
