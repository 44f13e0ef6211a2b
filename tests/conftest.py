"""One Spark session for the whole test process, and an empty lake for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from finlake.config import Config, Target
from finlake.lakehouse import Lake, open_lake
from finlake.lakehouse.names import SCHEMAS
from finlake.lakehouse.session import open_session, use_utc

use_utc()

# Hundreds of small plans that run once each: writing and compiling code for them takes longer than walking them, and
# planning them again at each exchange longer than leaving them.
# One run of the small lake and the page of one's own table have the settings that users have.
NO_CODE = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
}

# Lakes that take minutes to make, by their fixtures.
COSTLY = ("demo", "one_run")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    session = open_session(NO_CODE, warehouse=tmp_path_factory.mktemp("warehouse"))
    yield session
    session.stop()


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """An empty lake."""
    forget_lakes(spark)
    return open_lake(Config(tmp_path, Target(target="local", lake=str(tmp_path / "lake"))), spark)


def forget_lakes(session: SparkSession) -> None:
    """One process serves one lake at a time: the next one's schemas lie elsewhere."""
    for schema in SCHEMAS:
        session.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that share a costly lake run in one worker, and start first; the others go where there is room.

    All of tests/long is `long`.
    """

    def shared(item: pytest.Item) -> str:
        return next((name for name in COSTLY if name in getattr(item, "fixturenames", ())), "")

    for item in items:
        if item.path.parent.name == "long":
            item.add_marker(pytest.mark.long)
        item.add_marker(pytest.mark.xdist_group(shared(item) or item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: (*COSTLY, "").index(shared(item)))
