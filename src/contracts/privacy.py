"""Masks personal values wherever broken rows are kept or shown."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.masking import mask_pans

_LONGEST = 40


def mask_column(column: Column, kind: str | None) -> Column:
    """The shape of a personal value: letters become x, digits 9, at most 40 characters. Null stays null.

    Tokens of card numbers (`pan`) are no secret and stay; columns that are not personal (`None`) lose only what looks
    like a card number.
    """
    if kind is None:
        return mask_pans(column)
    shape = F.left(F.regexp_replace(F.regexp_replace(column, r"\p{L}", "x"), r"\p{N}", "9"), F.lit(_LONGEST))
    return F.when(column.startswith("tok_"), column).otherwise(shape) if kind == "pan" else shape


def masked_raw(source: Source, raw: str = "_raw") -> list[Column]:
    """The received columns out of the array `raw` (in contract order), masked by the contract."""
    return [
        mask_column(F.col(raw)[position], column.pii).alias(name)
        for position, (name, column) in enumerate(source.columns.items())
    ]
