"""How many payments an account made and received, with whom, and how concentrated they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.features.networks.answers import windows_at
from finlake.features.networks.edges import micros, sides, transfers
from finlake.features.windows.answers import Part

_MEASURED = (
    ("degree", "count", "peer"), ("fan", "distinct", "peer"), ("sum", "sum", "amount"),
    ("concentration", "concentration", "peer"),
)  # fmt: skip


def degrees(edges: DataFrame, asked: DataFrame, windows: Mapping[str, timedelta]) -> DataFrame:
    """Degrees of accounts over windows [t - length, t), from the payments known at t.

    Degree counts payments, fan counts distinct counterparties, as in Blanuša et al., "Graph Feature Preprocessor" (2024).
    Concentration is the Herfindahl-Hirschman index of counterparties, by payments: 1 where there is only one.
    Reciprocity is the share of counterparties that money went to and came from; as |A ∩ B| = |A| + |B| - |A ∪ B|, it takes
    three distinct counts and no join.

    Args:
        edges: an edges frame.
        asked: account (text), as_of (microseconds since 1970), distinct.
        windows: lengths by the name that ends the columns' names.

    Returns:
        as_of, account, and for each window `degree_in_<w>`, `fan_in_<w>`, `sum_in_<w>` (minor units), `concentration_in_<w>`,
        the same with `out`, and `reciprocity_<w>`. Counts and sums of nothing are 0; concentration and reciprocity of
        nothing are null. Unknown amounts count as payments and add nothing.
    """
    seen, incoming = sides(transfers(edges)), F.col("incoming")
    values = {
        "in_peer": F.when(incoming, F.col("peer")), "out_peer": F.when(~incoming, F.col("peer")), "any_peer": F.col("peer"),
        "in_amount": F.when(incoming, F.col("amount")), "out_amount": F.when(~incoming, F.col("amount")),
    }  # fmt: skip
    rows = seen.select("account", "at", "since", "until", *(made.alias(name) for name, made in values.items()))
    parts: list[Part] = []
    real: list[str] = []
    columns: list[Column | str] = ["as_of", "account"]
    for window, length in windows.items():
        low = -micros(length)
        parts.append(Part(f"fan_any_{window}", "distinct", "any_peer", low, -1))
        for side in ("in", "out"):
            for measure, function, value in _MEASURED:
                name = f"{measure}_{side}_{window}"
                parts.append(Part(name, function, f"{side}_{value}", low, -1))
                columns.append(F.coalesce(name, F.lit(0)).alias(name) if function == "sum" else name)
                real += [name] if function == "concentration" else []
        columns.append(_reciprocity(window))
    return windows_at(rows, asked, parts, real).select(*columns)


def _reciprocity(window: str) -> Column:
    into, out, either = (F.col(f"fan_{side}_{window}") for side in ("in", "out", "any"))
    return F.try_divide(into + out - either, either).alias(f"reciprocity_{window}")
