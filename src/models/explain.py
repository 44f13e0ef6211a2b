"""Reasons of decisions: exact tree SHAP of the rows that somebody will look at, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.models.artefact import Artefact
from finlake.models.served import top_reasons

REASONS = "array<struct<rank:int,feature:string,value:double,contribution:double,text:string>>"
Render = Callable[[str, float | None, Mapping[str, float | None], datetime], str]
"""Feature, its value, all feature values of the row, moment of the decision -> a sentence."""


def reasons(rows: DataFrame, key: Sequence[str], artefact: Artefact, render: Render, count: int = 4) -> DataFrame:
    """`key` columns (with decision_ts) and `reasons`: the features that raised each row's score most, strongest first.

    Contributions are in log odds before calibration. A missing value is null.
    """
    features = artefact.card.features
    taken = rows.select(*key, *(F.col(f"`{name}`").cast("double").alias(f"x_{name}") for name in features))
    fields = ", ".join(f"`{name}` {taken.schema[name].dataType.simpleString()}" for name in key)
    keys = list(key)

    def run(frames: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        scorer = artefact.scorer()
        for frame in frames:
            values = frame[[f"x_{name}" for name in features]].set_axis(features, axis=1)
            made = []
            found = top_reasons(scorer, scorer.matrix(values), count) if len(values) else []
            for row, strongest, moment in zip(values.to_dict("records"), found, frame["decision_ts"], strict=True):
                known = {str(name): None if pd.isna(value) else float(value) for name, value in row.items()}
                made.append(
                    [
                        {
                            "rank": rank, "feature": name, "value": known[name], "contribution": part,
                            "text": render(name, known[name], known, moment),
                        }
                        for rank, (name, _, part) in enumerate(strongest, 1)
                    ]
                )  # fmt: skip
            yield frame[keys].assign(reasons=pd.Series(made, index=frame.index, dtype="object"))

    return taken.mapInPandas(run, f"{fields}, reasons {REASONS}")
