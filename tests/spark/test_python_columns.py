"""Functions in Python on Spark's workers: unknown values, truth and texts, and what a failure says."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import functions as F

from finlake.config import Config, Target
from finlake.config.features import PythonFunction
from finlake.errors import FeatureError
from finlake.features.python_calls import PythonCall
from finlake.features.python_columns import python_column
from finlake.lakehouse import Lake
from finlake.pipelines.step import Step, run_step

MODULE = """
def price(amount, urgent, place):
    return amount * (1 + urgent) + place.map(len, na_action="ignore")

def fails(amount):
    return [None if value != value else 1 / value for value in amount]
"""
CALL = PythonCall("g.price", PythonFunction(call="m:price", of=["a", "b", "c"]), MODULE, ("number", "boolean", "text"))
FAILS = PythonCall("g.fails", PythonFunction(call="m:fails", of=["a"]), MODULE, ("number",))


def test_workers_answer_as_one_row_alone_does(spark) -> None:
    rows = [
        (1.5, True, "x"), (1.5, False, ""), (None, True, "x"), (1.5, None, "x"), (1.5, True, None),
        (float("nan"), True, "x"), (float("inf"), True, "x"), (1e308, True, "xy"),
    ]  # fmt: skip
    frame = spark.createDataFrame(rows, "amount double, urgent boolean, place string")
    made = frame.select("*", python_column(CALL, [F.col(name) for name in frame.columns]).alias("made")).collect()
    answers = [row["made"] for row in made]
    assert answers == [CALL.of_one(row) for row in rows]
    assert answers == [4.0, 1.5, *[None] * 6]
    empty = frame.filter("amount < 0")
    assert empty.select(python_column(CALL, [F.col(name) for name in frame.columns])).collect() == []


def test_a_failure_on_a_worker_names_the_feature_and_the_line_also_in_the_record(lake: Lake, tmp_path: Path) -> None:
    frame = lake.spark.createDataFrame([(1.0,), (0.0,)], "amount double")

    def work(step: Step) -> dict[str, object]:
        return {"rows": frame.select(python_column(FAILS, [F.col("amount")])).collect()}

    step = Step(lake, Config(tmp_path, Target(target="local")), lake.spark.sql("SELECT now()").first()[0], "features")
    wanted = "feature g.fails: m:fails: raised ZeroDivisionError (conf/python/m.py:6): float division by zero"
    with pytest.raises(FeatureError) as raised:
        run_step(step, work, {})
    assert str(raised.value) == wanted
    assert lake.read("ops.runs").first()["error"] == f"FeatureError: {wanted}"
