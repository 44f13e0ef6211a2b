"""The batch execution of `python` features: one Arrow-batched pandas UDF each."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.features.python_calls import PythonCall


def python_column(call: PythonCall, arguments: list[Column]) -> Column:
    """DOUBLE, null where unknown.

    Args:
        call: travels to the workers with its module's text, so that nothing must be installed there.
        arguments: of the kinds that the call names.
    """
    given = [
        column if kind == "text" else column.cast("double") for column, kind in zip(arguments, call.kinds, strict=True)
    ]
    # Without type hints Spark takes Series for Series; its stubs know only the argument that says so and is deprecated.
    pandas_udf: Any = F.pandas_udf
    made: Column = pandas_udf(lambda *columns: pd.Series(call.answer(*columns)), "double")(*given)
    return made
