"""How much of the money that an account received it passed on at once, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.features.networks.answers import asked_batches
from finlake.features.networks.edges import micros, sides, transfers
from finlake.features.networks.passing import Movements, Passed, passed_on
from finlake.features.windows import NEVER
from finlake.features.windows.known import whole_entities
from finlake.features.windows.ranges import first_at_or_after, fold

_GATHERED = 2_000_000  # versions looked at together
_FIGURES = ("received", "passed", "prompt", "waited")
_HOUR = 3_600_000_000


def flow_through(edges: DataFrame, asked: DataFrame, windows: Mapping[str, timedelta], bound: timedelta) -> DataFrame:
    """Share of the money received in a window [t - length, t) that left again within `bound` and before t.

    Payments known at t are matched with receipts of the same window, first in, first out; see `passing`. It is a sign of
    accounts that only pass money on: FATF, "Professional Money Laundering" (2018); Li et al., "FlowScope" (2020).

    Args:
        edges: an edges frame; edges whose amount is unknown or not above zero are left out.
        asked: account (text), as_of (microseconds since 1970), distinct.
        windows: lengths by the name that ends the columns' names.
        bound: how long after a receipt a payment may still be made of it.

    Returns:
        as_of, account, and for each window `flow_through_<w>` in [0, 1], null where nothing was received, and
        `hours_to_pass_<w>`: over payments of the window that follow a receipt of the window within the bound, the mean
        time since the latest such receipt; null where there are none.
    """
    amount = F.when(F.col("incoming"), F.col("amount")).otherwise(-F.col("amount"))
    rows = sides(transfers(edges).filter("amount > 0")).select(
        "account", "at", "since", "until", amount.alias("_amount")
    )
    lengths = [micros(length) for length in windows.values()]
    whole = dict.fromkeys((f"{figure}_{n}" for n in range(len(lengths)) for figure in _FIGURES), True)
    run = partial(_batches, windows=lengths, bound=micros(bound))
    found = asked_batches(rows, asked, run, whole, ("_amount",))
    columns = []
    for n, window in enumerate(windows):
        columns.append(F.try_divide(f"passed_{n}", f"received_{n}").alias(f"flow_through_{window}"))
        hours = F.try_divide(F.col(f"waited_{n}") / _HOUR, F.col(f"prompt_{n}"))
        columns.append(hours.alias(f"hours_to_pass_{window}"))
    return found.select("as_of", "account", *columns)


def _batches(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, windows: list[int], bound: int
) -> Iterator[pa.RecordBatch]:
    for table in whole_entities(batches):
        columns = [table["_id"].drop_null().combine_chunks()]
        for window in windows:
            found = _known(table, window, bound)
            columns += [pa.array(getattr(found, figure), pa.int64()) for figure in _FIGURES]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _known(table: pa.Table, window: int, bound: int) -> Passed:
    """From the current versions; windows of which one was settled after their moment again, from those visible then."""
    entity = table["_entity"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    at, since, until = (table[name].to_numpy() for name in ("_at", "_from", "_until"))
    asking = table["_id"].is_valid().to_numpy()
    rows = Movements(entity[~asking], at[~asking], table["_amount"].fill_null(0).to_numpy()[~asking])
    since, until, moment = since[~asking], until[~asking], at[asking]
    low, high = (first_at_or_after(rows.entity, rows.at, entity[asking], edge) for edge in (moment - window, moment))
    current = until == NEVER
    place = np.concatenate([np.zeros(1, np.int64), np.cumsum(current)])
    found = passed_on(_some(rows, current), place[low], place[high], bound)
    settled = fold((np.where(current, since, until),), low, high, lambda a, b: (np.maximum(a[0], b[0]),))[0]
    late = np.flatnonzero((high > low) & (settled > moment))
    piece = np.cumsum((high - low)[late]) // _GATHERED
    for some in np.split(late, np.flatnonzero(np.diff(piece)) + 1):
        which, row = _each(low[some], high[some])
        seen = (since[row] <= moment[some][which]) & (until[row] > moment[some][which])
        which, row = which[seen], row[seen]
        edge = np.searchsorted(which, np.arange(len(some) + 1))
        again = passed_on(Movements(which, rows.at[row], rows.amount[row]), edge[:-1], edge[1:], bound)
        for figure in _FIGURES:
            getattr(found, figure)[some] = getattr(again, figure)
    return found


def _some(rows: Movements, taking: np.ndarray) -> Movements:
    return Movements(rows.entity[taking], rows.at[taking], rows.amount[taking])


def _each(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range and place, for every place in the ranges [low, high)."""
    length = high - low
    which = np.repeat(np.arange(len(low)), length)
    return which, np.arange(len(which)) - np.repeat(np.cumsum(length) - length - low, length)
