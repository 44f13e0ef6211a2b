"""Which statements read, and a folder that is no lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from finlake.errors import SetupError, TableError
from finlake.lakehouse.format import check_format, is_lake
from finlake.lakehouse.names import READING, kinds_of, moves_by_itself


@pytest.mark.parametrize(
    "query",
    ["select 1", "with a as (select 1) select * from a", "select 1 union select 2", "show tables", "describe t"],
)
def test_a_query_reads(query: str) -> None:
    assert set(kinds_of(query)) <= set(READING)


@pytest.mark.parametrize(
    "query",
    ["delete from ops.runs", "update ops.runs set status = 'ok'", "drop table ops.figures", "insert into a select 1",
     "merge into a using b on a.x = b.x when matched then delete", "vacuum ops.runs", "create table a as select 1",
     "truncate table a", "alter table a add column b int", "optimize a"],
)  # fmt: skip
def test_what_changes_the_lake_does_not_count_as_reading(query: str) -> None:
    assert not set(kinds_of(query)) & set(READING)


@pytest.mark.parametrize("what", ["now()", "CURRENT_DATE", "rand(7)", "uuid()", "unix_timestamp()", "localtimestamp"])
def test_what_asks_for_the_time_or_for_chance_moves_by_itself(what: str) -> None:
    assert moves_by_itself(f"SELECT a, {what} AS b FROM silver.a")
    assert moves_by_itself(f"SELECT a FROM (SELECT a FROM silver.a WHERE b < {what})")


@pytest.mark.parametrize(
    "what", ["main.silver.a", "risk.a", "a", "read_files('a.csv')", "parquet.`a`", "silver.a JOIN main.silver.b"]
)
def test_what_reads_something_else_than_the_lake_moves_by_itself(what: str) -> None:
    assert moves_by_itself(f"SELECT 1 AS x FROM {what}")
    assert moves_by_itself("SELECT main.silver.rate(x) AS x FROM silver.a")


def test_what_tables_alone_decide_does_not_move() -> None:
    assert not moves_by_itself(
        "WITH b AS (SELECT * FROM gold.c) "
        "SELECT count(*), row_number() OVER (ORDER BY a), t.user, to_date(now), explode(t.s.x) FROM silver.a AS t JOIN b"
    )


def test_what_is_no_sql_is_refused_with_its_place() -> None:
    with pytest.raises(TableError, match="not valid SQL"):
        kinds_of("selec 1 from from")


def test_a_lake_is_begun_once_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    assert not is_lake(lake)
    check_format(lake)
    assert is_lake(lake)
    check_format(lake)
    (lake / "finlake.json").write_text("{", "utf-8")
    with pytest.raises(SetupError, match="is damaged"):
        check_format(lake)


def test_a_file_in_the_place_of_the_lake_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("", "utf-8")
    with pytest.raises(SetupError, match="cannot be used"):
        check_format(tmp_path / "lake")
