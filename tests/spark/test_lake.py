"""The lake's reads and writes: idempotent, versioned, digested."""

from __future__ import annotations

import pytest

from finlake.errors import TableError
from finlake.lakehouse import table_digest


def test_writes_are_idempotent_versioned_and_described(lake, spark):
    first = spark.createDataFrame([(1, "a"), (2, None)], "id int, word string")
    lake.append("bronze.things", first, txn=("load-1", 1), about="Things", comments={"word": "It's a word"})
    lake.append("bronze.things", first, txn=("load-1", 1), about="Things")
    assert lake.read("bronze.things").count() == 2
    described = {
        row["col_name"]: row["comment"] for row in spark.sql("DESCRIBE TABLE spark_catalog.bronze.things").collect()
    }
    assert described["word"] == "It's a word"

    lake.merge("silver.things", first, on=["id"], cluster_by=["id"])
    before = lake.version("silver.things")
    more = spark.createDataFrame([(2, "b"), (3, "c")], "id int, word string")
    lake.merge("silver.things", more, on=["id"], update=["word"])
    assert sorted(map(tuple, lake.read("silver.things").collect())) == [(1, "a"), (2, "b"), (3, "c")]
    assert lake.digest("silver.things") != table_digest(lake.read("silver.things", before))
    assert lake.digest(lake.read("silver.things", before)) == table_digest(first)

    lake.overwrite("gold.things", more, about="Gold", comments={"word": "w"}, cluster_by=["id"])
    lake.overwrite("gold.things", more.withColumnRenamed("word", "text"))
    assert lake.read("gold.things").columns == ["id", "text"]
    assert lake.writes["gold.things"] == lake.version("gold.things")
    assert lake.tables() == ["bronze.things", "gold.things", "silver.things"]


def test_a_view_is_seen_by_a_process_with_a_catalog_of_its_own(lake, spark):
    from finlake.lakehouse import Lake
    from finlake.lakehouse.names import SCHEMAS

    lake.append("gold.things", spark.createDataFrame([(1,), (5,)], "id int"))
    lake.view("bi.big", "SELECT id FROM gold.things WHERE id > 2", about="Big ones")
    lake.view("bi.bigger", "SELECT id + 1 AS id FROM bi.big")
    for schema in SCHEMAS:
        for row in spark.sql(f"SHOW VIEWS IN spark_catalog.{schema}").where("NOT isTemporary").collect():
            spark.sql(f"DROP VIEW spark_catalog.{schema}.{row['viewName']}")
    other = Lake(spark, _target(lake), lake.root)
    assert sorted(row["viewName"] for row in other.sql("show views in bi").collect()) == ["big", "bigger"]
    assert [row["id"] for row in other.sql("select * from bi.bigger").collect()] == [6]


def test_a_missing_table_names_the_nearest_one(lake, spark):
    lake.append("gold.customers", spark.createDataFrame([(1,)], "id int"))
    with pytest.raises(TableError, match=r"gold\.custmers.*did you mean 'gold\.customers'"):
        lake.read("gold.custmers")
    with pytest.raises(TableError, match=r"did you mean 'gold\.customers'"):
        lake.sql("select * from gold.custmers")


def test_the_digest_ignores_order_and_layout_and_sees_where_a_null_is(spark):
    rows = [(1, "a", {"k": "v"}), (2, None, None), (None, "2", {})]
    schema = "id int, word string, extra map<string,string>"
    one = spark.createDataFrame(rows, schema).repartition(1)
    other = spark.createDataFrame(rows[::-1], schema).repartition(3)
    assert table_digest(one) == table_digest(other)
    moved = spark.createDataFrame([(None, "x")], "a string, b string")
    assert table_digest(moved) != table_digest(spark.createDataFrame([("x", None)], "a string, b string"))
    assert table_digest(one.limit(0)) == "0-0"


def _target(lake):
    from finlake.config import Target

    return Target(target="local", lake=str(lake.root))


def test_files_of_a_first_write_that_was_killed_are_no_table_and_do_not_stop_the_next_one(lake):
    folder = lake.root / "gold" / "best_days"
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "part-00000-of-a-killed-write.parquet").write_bytes(b"PAR1")
    assert not lake.exists("gold.best_days") and "gold.best_days" not in lake.tables()
    lake.overwrite("gold.best_days", lake.spark.range(3))
    assert lake.read("gold.best_days").count() == 3


def test_tenants_keep_their_work_in_progress_apart(lake):
    from finlake.config import Target
    from finlake.lakehouse import Lake
    from finlake.lakehouse.follow import checkpoint

    other = Lake(lake.spark, Target(target="local", tenant="acme"), lake.root)
    assert checkpoint(lake, "scratch/n") != checkpoint(other, "scratch/n")
