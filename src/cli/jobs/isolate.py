"""What a task may have changed in the process is put back before the next one."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import TYPE_CHECKING

from finlake.errors import JobError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class TookTooLong(JobError):
    """A task ran longer than its timeout_seconds."""


class _Stop(BaseException):
    """Raised into a running task; not an Exception, so that no task swallows it."""


@contextmanager
def isolated(argv: list[str]) -> Iterator[None]:
    """Restores folder, environment, argv, logging, MLflow runs, Spark conf, temporary views and database."""
    folder, environment, arguments = os.getcwd(), dict(os.environ), sys.argv
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    spark = _session()
    before = _spark_state(spark) if spark is not None else None
    sys.argv = ["finlake", *argv]
    try:
        yield
    finally:
        sys.argv = arguments
        os.chdir(folder)
        _restore_environment(environment)
        root.setLevel(level)
        root.handlers[:] = handlers
        _end_mlflow_runs()
        if spark is not None and before is not None:
            _restore_spark(spark, before)


def _restore_environment(environment: dict[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def _end_mlflow_runs() -> None:
    """A run left open would swallow what the next task logs."""
    mlflow = sys.modules.get("mlflow")
    while mlflow is not None and mlflow.active_run() is not None:
        mlflow.end_run("FAILED")


def _session() -> SparkSession | None:
    if "pyspark.sql" not in sys.modules:
        return None
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def _spark_state(spark: SparkSession) -> tuple[dict[str, str], set[str], str]:
    views = {row["tableName"] for row in spark.sql("SHOW TABLES").where("isTemporary").collect()}
    return dict(spark.conf.getAll), views, spark.catalog.currentDatabase()


def _restore_spark(spark: SparkSession, before: tuple[dict[str, str], set[str], str]) -> None:
    from pyspark.errors import PySparkException

    settings, views, database = before
    now, views_now, database_now = _spark_state(spark)
    for key in set(now) | set(settings):
        if now.get(key) != settings.get(key):
            with suppress(PySparkException):  # a static setting, which no task can have changed
                spark.conf.set(key, settings[key]) if key in settings else spark.conf.unset(key)
    for view in views_now - views:
        spark.catalog.dropTempView(view)
    if database_now != database:
        spark.catalog.setCurrentDatabase(database)


@contextmanager
def limited(seconds: float, message: str) -> Iterator[None]:
    """Stops what runs inside after `seconds`: cancels its Spark jobs and raises in the main thread.

    Native code that never returns to Python (a fit of XGBoost in this process) is only judged when it ends.

    Raises:
        TookTooLong: the time was up.
    """
    if math.isinf(seconds):
        yield
        return
    started = time.monotonic()
    in_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    try:
        with _alarm(seconds) if in_main else nullcontext():
            yield
    except (_Stop, Exception) as error:  # a call into the JVM turns the stop into an error of its own
        if isinstance(error, _Stop) or time.monotonic() - started > seconds:
            raise TookTooLong(message) from error
        raise
    if time.monotonic() - started > seconds:
        raise TookTooLong(message)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Cancels Spark's jobs and raises, again every second until what runs inside has come out."""
    spark, raised = _session(), False  # asked now: in the handler the main thread may be waiting for the JVM

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal raised
        if spark is not None:
            threading.Thread(target=spark.interruptAll, daemon=True).start()
        # A call into the JVM that is left early would give its answer to the next one; the cancelled job ends it.
        if not raised and not _in_the_jvm(frame):
            raised = True
            raise _Stop

    handler = signal.signal(signal.SIGALRM, stop)
    started = time.monotonic()
    other, _ = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if other:
            signal.setitimer(signal.ITIMER_REAL, max(other - (time.monotonic() - started), 0.001))


def _in_the_jvm(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith("py4j."):
            return True
        frame = frame.f_back
    return False
