"""What Spark raises when a query fails. A failed task is py4j's own error on classic compute, not one of pyspark's."""

from __future__ import annotations

import re

from pyspark.errors import PySparkException

from finlake.errors import FeatureError

try:
    from py4j.protocol import Py4JJavaError
except ImportError:  # only Spark Connect is installed
    SPARK_ERRORS: tuple[type[Exception], ...] = (PySparkException,)
else:
    SPARK_ERRORS = (PySparkException, Py4JJavaError)


def in_one_line(error: Exception) -> str:
    """The sentence that says what went wrong, without Java's class names and stack."""
    java = getattr(error, "java_exception", None)
    text = str(java.getMessage() if java is not None else error)
    known = re.search(r"\[[A-Z_.]{5,}\] ?[^\n]*", text)
    found = known.group() if known else next(iter(text.strip().splitlines()), type(error).__name__)
    return re.sub(r" *SQLSTATE: \w+.*", "", found)


def of_a_feature(error: BaseException) -> FeatureError | None:
    """What a feature's function raised on a worker: Spark keeps only its text. None where it was something else."""
    found = re.search(rf"{FeatureError.__module__}\.{FeatureError.__name__}: ([^\n]*)", str(error))
    return FeatureError(found[1]) if found and isinstance(error, SPARK_ERRORS) else None
