"""What a task changes in the shared Spark session or leaves open in MLflow does not reach the next one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow

from finlake.cli.jobs import run_job


def test_spark_settings_views_database_and_mlflow_runs_are_put_back(spark: Any, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    seen: dict[str, Any] = {}
    steps: dict[str, Any] = {}

    def messy() -> None:
        spark.conf.set("spark.sql.shuffle.partitions", "17")
        spark.conf.set("spark.sql.left.behind", "1")
        spark.range(3).createOrReplaceTempView("left_behind")
        spark.sql("CREATE SCHEMA IF NOT EXISTS elsewhere")
        spark.catalog.setCurrentDatabase("elsewhere")
        mlflow.start_run()

    def look() -> None:
        seen["partitions"] = spark.conf.get("spark.sql.shuffle.partitions")
        seen["setting"] = spark.conf.get("spark.sql.left.behind", "none")
        seen["views"] = [row["tableName"] for row in spark.sql("SHOW TABLES").where("isTemporary").collect()]
        seen["database"] = spark.catalog.currentDatabase()
        seen["run"] = mlflow.active_run()

    steps.update(messy=messy, look=look)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    wheel = {"package_name": "finlake", "entry_point": "finlake-job"}
    tasks = [{"task_key": name, "python_wheel_task": {**wheel, "parameters": [name]}} for name in steps]
    (tmp_path / "databricks.yml").write_text(
        json.dumps(
            {"bundle": {"name": "x"}, "targets": {"local": {}}, "resources": {"jobs": {"main": {"tasks": tasks}}}}
        )
    )
    result = run_job("main", bundle_root=tmp_path, execute=lambda argv: steps[argv[0]]() or {})
    assert result.ok, result.tasks
    assert seen == {"partitions": before, "setting": "none", "views": [], "database": "default", "run": None}


def test_a_timeout_cancels_the_spark_jobs_of_its_task(spark: Any, tmp_path: Path) -> None:
    wheel = {"package_name": "finlake", "entry_point": "finlake-job", "parameters": ["slow"]}
    tasks = [{"task_key": "slow", "timeout_seconds": 2, "python_wheel_task": wheel}]
    (tmp_path / "databricks.yml").write_text(
        json.dumps(
            {"bundle": {"name": "x"}, "targets": {"local": {}}, "resources": {"jobs": {"main": {"tasks": tasks}}}}
        )
    )

    def slow(argv: list[str]) -> dict[str, Any]:
        return {"n": spark.range(10**13).selectExpr("max(sqrt(id))").first()[0]}

    result = run_job("main", bundle_root=tmp_path, execute=slow)
    assert result.tasks[0].error == "took longer than timeout_seconds: 2"
    assert spark.range(5).count() == 5
