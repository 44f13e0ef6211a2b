"""The same work in another number of partitions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession


@contextmanager
def partitions(spark: SparkSession, count: int) -> Iterator[None]:
    keys = ("spark.sql.shuffle.partitions", "spark.sql.leafNodeDefaultParallelism")
    before = {key: spark.conf.get(key, None) for key in keys}
    for key in keys:
        spark.conf.set(key, str(count))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, value)
