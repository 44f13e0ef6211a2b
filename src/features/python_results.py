"""What a function of a `python` feature returned, as doubles."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from finlake.errors import FeatureError

Doubles = np.ndarray[Any, np.dtype[np.float64]]


def numbers(returned: Any, rows: int) -> Doubles:
    """Doubles, one for each row in its place; None, NaN, NA and infinities become NaN, truth becomes 1 or 0.

    Args:
        returned: a Series, an array or a list.
        rows: how many there must be. An index says nothing: values belong to rows by their place.

    Raises:
        FeatureError: it is something else, has another length, or holds what is no number.
    """
    if isinstance(returned, str) or np.ndim(returned) != 1:
        raise FeatureError(f"returned {_a(type(returned).__name__)}, not one number for each row")
    if len(returned) != rows:
        raise FeatureError(f"returned {len(returned)} values for {rows} rows")
    dtype = getattr(returned, "dtype", np.dtype("object"))
    if dtype.kind == "O":
        made = np.array([_number(value) for value in returned])
    elif dtype.kind in "biuf":
        plain = returned.to_numpy("float64", na_value=np.nan) if isinstance(dtype, ExtensionDtype) else returned
        made = np.array(plain, dtype="float64")
    else:
        raise FeatureError(f"returned values of type {dtype}, and features are numbers")
    made[~np.isfinite(made)] = np.nan
    return made


def _number(value: Any) -> float:
    if value is None or value is pd.NA:
        return float("nan")
    if not isinstance(value, Real | Decimal | np.bool_):
        raise FeatureError(f"returned {value!r}, which is {_a(type(value).__name__)} and no number")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeio' else 'a'} {noun}"
