"""Reasons of decisions: exact tree SHAP of the rows that somebody will look at, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from finlake.models.artefact import Artefact
from finlake.models.scoring import VALUES, as_floats, matrix_of
from finlake.models.served import Scorer, top_reasons

if TYPE_CHECKING:
    import pyarrow as pa

REASONS = "array<struct<rank:int,feature:string,value:double,contribution:double,text:string>>"
Render = Callable[[str, float | None, Mapping[str, float | None], datetime], str]
"""Feature, its value, all feature values of the row, moment of the decision -> a sentence."""


def with_reasons(rows: DataFrame, artefact: Artefact, render: Render, count: int = 4) -> DataFrame:
    """`reasons` instead of `_values`: the features that raised each row's score most, strongest first.

    Contributions are in log odds before calibration. A missing value is null, and so are the reasons of rows without
    `_values`. The rows have `decision_ts`.
    """
    names = [name for name in rows.columns if name != VALUES]
    empty = rows.sparkSession.createDataFrame([], f"reasons {REASONS}").schema
    schema = StructType([*(rows.schema[name] for name in names), *empty.fields])

    def run(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        import pyarrow

        kind, scorer = _arrow(), artefact.scorer()
        for batch in batches:
            asked = batch.column(VALUES).is_valid()
            told = batch.filter(asked)
            found = iter(_told(scorer, told, render, count) if told.num_rows else ())
            said = pyarrow.array([next(found) if wanted else None for wanted in asked.to_pylist()], kind)
            yield pyarrow.RecordBatch.from_arrays([*(batch.column(name) for name in names), said], [*names, "reasons"])

    return rows.mapInArrow(run, schema)


def _told(scorer: Scorer, rows: pa.RecordBatch, render: Render, count: int) -> list[list[dict[str, Any]]]:
    features = scorer.features
    values = matrix_of(rows.column(VALUES), len(features))
    made = []
    moments = rows.column("decision_ts").to_pylist()
    for row, strongest, moment in zip(values, top_reasons(scorer, as_floats(values), count), moments, strict=True):
        known = {name: None if math.isnan(value) else float(value) for name, value in zip(features, row, strict=True)}
        made.append(
            [
                {
                    "rank": rank, "feature": name, "value": known[name], "contribution": part,
                    "text": render(name, known[name], known, moment),
                }
                for rank, (name, _, part) in enumerate(strongest, 1)
            ]
        )  # fmt: skip
    return made


def _arrow() -> pa.DataType:
    import pyarrow as pa

    fields = [("rank", pa.int32()), ("feature", pa.string()), ("value", pa.float64()), ("contribution", pa.float64())]
    return pa.list_(pa.struct([*fields, ("text", pa.string())]))
