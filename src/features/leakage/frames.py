"""A sample of any pandas frame: whole columns are described and histories followed before rows are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from finlake.errors import LeakageError, UnknownNameError
from finlake.features.leakage.sample import LIMIT, Array, Group, History, Kind, Levels, Profile, Sample
from finlake.features.leakage.twins import copied

MOST_LEVELS = 5_000
NAN = float("nan")
_DATE = r"^(\d{4}-\d{1,2}(-\d{1,2}([ T].*)?)?|\d{1,2}/\d{1,2}/\d{2,4}|[A-Z][a-z]{2}-\d{2,4})$"
_PARTS = {"train": 0.6, "choose": 0.8, "test": 1.0}


def sample_from_frame(
    frame: pd.DataFrame,
    *,
    label: str,
    features: Sequence[str] | None = None,
    time: str | None = None,
    decided: str | None = None,
    entity: str | Sequence[str] = (),
    key: str | None = None,
    part: str | None = None,
    as_of: datetime | None = None,
    matures_after: timedelta | None = None,
    recomputed: pd.DataFrame | None = None,
    masked: Sequence[str] = (),
    limit: int = LIMIT,
    about: str = "table",
) -> Sample:
    """A bounded sample of a flat table.

    Texts become ranks by frequency, texts that are dates become days. Without `part`, the first 60 % in time (or in the
    order of the rows) are train, the next 20 % choose, the rest test. Rows without a label are left out.

    Args:
        frame: one row for each decision, in the order of the source.
        label: column of 1 and 0, or of true and false.
        features: columns to audit; without, all others.
        time: column of event times; `decided` of decision times, if they differ.
        entity: columns that say whose rows they are.
        key: column that names a row; without, its place.
        as_of: moment at which the labels were read; without, the last event.
        matures_after: how long after the event a label may still come.
        recomputed: the features as of the decision, the same rows in the same order.
        masked: features whose values are not shown.
        limit: most rows of the sample; positives are kept up to half of it.

    Raises:
        UnknownNameError: a column is not in the frame.
        LeakageError: the label has other values than 0 and 1.
    """
    entities = [entity] if isinstance(entity, str) else list(entity)
    given = {label, time, decided, key, part, *entities} - {None}
    chosen = list(features) if features is not None else [name for name in frame.columns if name not in given]
    for name in [*chosen, *(str(one) for one in given)]:
        if name not in frame.columns:
            raise UnknownNameError("column", name, map(str, frame.columns))
    kept = frame[label].notna().to_numpy()
    frame = frame[kept]
    hits = _hits(frame[label])
    coded = [_coded(frame[name]) for name in chosen]
    values = np.column_stack([column for _, column in coded]) if coded else np.empty((len(frame), 0))
    event = _times(frame[time]) if time else np.full(len(frame), np.datetime64("NaT"), "datetime64[us]")
    parts = frame[part].astype(str).to_numpy() if part else _default_parts(event)
    keys = frame[key].astype(str).to_numpy() if key else np.arange(len(frame)).astype(str)
    rows = _drawn(keys, hits, limit)
    stands = np.array([np.sum(hits == one) / max(np.sum(hits[rows] == one), 1) for one in (0, 1)])
    kinds: tuple[Kind, ...] = tuple(kind for kind, _ in coded)
    numbered = [(name, values[:, place]) for place, name in enumerate(chosen)]
    counted = {name: _counted(column, hits, parts == "train") for name, column in numbered}
    grouped = {name: _group(pd.factorize(frame[name])[0], hits, rows, entity=True) for name in entities}
    for (name, column), kind in zip(numbered, kinds, strict=True):
        if kind == "category" and name not in grouped:
            grouped[name] = _group(pd.factorize(column)[0], hits, rows, entity=False)
    profiles = {name: whole.profile() for name, (whole, _) in counted.items()}
    distinct = {name: len(whole.values) for name, (whole, _) in counted.items()}
    return Sample(
        names=tuple(chosen),
        kinds=kinds,
        values=values[rows],
        label=hits[rows],
        part=parts[rows],
        keys=keys[rows],
        event=event[rows],
        decision=(_times(frame[decided]) if decided else event)[rows],
        matured=(event + np.timedelta64(matures_after) if matures_after else np.full_like(event, "NaT"))[rows],
        weight=stands[hits[rows]],
        as_of=_moment(as_of, event),
        order=rows,
        recomputed=None if recomputed is None else _matrix(recomputed[chosen])[kept][rows],
        groups=grouped,
        histories={} if time is None else {n: _history(frame[n], event, hits, values, rows) for n in entities},
        profiles=profiles,
        train_profiles={name: some.profile() for name, (_, some) in counted.items()},
        levels={name: levels for name, (whole, _) in counted.items() if (levels := whole.levels())},
        train_levels={name: levels for name, (_, some) in counted.items() if (levels := some.levels())},
        copies=copied(values, parts, keys, profiles, distinct),
        masked=frozenset(masked),
        about=about,
    )


def _hits(label: pd.Series[Any]) -> Array:
    hits = pd.to_numeric(label, errors="coerce").astype(float).to_numpy()
    wrong = ~np.isin(hits, (0, 1))
    if wrong.any():
        seen = label.to_numpy()[wrong][0]
        raise LeakageError(
            f"label {label.name} has the value {seen!r}; the auditor needs 1 for positive and 0 for negative"
        )
    return hits.astype(np.int64)


def _moment(as_of: datetime | None, event: Array) -> np.datetime64 | None:
    """In UTC; a moment without a zone is UTC already."""
    if as_of is not None:
        return np.datetime64(as_of.astimezone(UTC).replace(tzinfo=None) if as_of.tzinfo else as_of, "us")
    known = event[~np.isnat(event)]
    return known.max() if len(known) else None


def _matrix(frame: pd.DataFrame) -> Array:
    return np.column_stack([_coded(frame[name])[1] for name in frame])


@dataclass(frozen=True, eq=False)
class _Counted:
    """Values of a column in order, how often each occurs, and how many of these are positive."""

    values: Array
    rows: Array
    positives: Array

    def profile(self) -> Profile:
        """Of the known values; NaN where there are none."""
        seen = self.rows > 0
        values, rows = self.values[seen], self.rows[seen]
        if not len(values):
            return Profile(0, mean=NAN, std=NAN, low=NAN, high=NAN, at_low=0, at_high=0, mode=NAN, at_mode=0)
        mean = float(np.average(values, weights=rows))
        std = float(np.sqrt(np.average((values - mean) ** 2, weights=rows)))
        ends, often = (float(values[0]), float(values[-1])), int(rows.argmax())
        at = int(rows[0]), int(rows[-1])
        return Profile(int(rows.sum()), mean, std, *ends, *at, float(values[often]), int(rows[often]))

    def levels(self) -> Levels | None:
        """None where the values cannot be rates, or are too many."""
        seen = self.rows > 0
        values = self.values[seen]
        if not 1 < len(values) <= MOST_LEVELS or not 0 <= values[0] < values[-1] <= 1:
            return None
        return Levels(values, self.rows[seen], self.positives[seen])


def _counted(column: Array, hits: Array, train: Array) -> tuple[_Counted, _Counted]:
    """Over all rows, and over those of train."""
    codes, uniques = pd.factorize(column)
    order = np.argsort(uniques)
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    made = []
    for rows in (codes >= 0, (codes >= 0) & train):
        at = places[codes[rows]]
        counts = np.bincount(at, minlength=len(order)), np.bincount(at, hits[rows], len(order))
        made.append(_Counted(np.asarray(uniques)[order], *counts))
    return made[0], made[1]


def _drawn(keys: Array, hits: Array, limit: int) -> Array:
    """Positions by the hash of the key, so that the same rows are drawn whatever their order."""
    if len(keys) <= limit:
        return np.arange(len(keys))
    order = np.argsort(pd.util.hash_array(keys.astype(object)), kind="stable")
    positives, negatives = order[hits[order] == 1], order[hits[order] == 0]
    positives = positives[: max(limit // 2, limit - len(negatives))]
    return np.sort(np.concatenate([positives, negatives[: limit - len(positives)]]))


def _coded(column: pd.Series[Any]) -> tuple[Kind, Array]:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date", _days(column)
    if pd.api.types.is_numeric_dtype(column):
        values = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
        return "number", np.where(np.isinf(values), np.nan, values)
    text = column.astype("string")
    known = text.dropna()
    if len(known) and known.head(2_000).str.match(_DATE).all():
        day = pd.to_datetime(known, errors="coerce", format="mixed")
        if day.notna().mean() > 0.99:
            return "date", _days(day.reindex(column.index))
    counts = known.value_counts()
    ranked = sorted(counts.index, key=lambda value: (-counts[value], value))
    return "category", text.map(dict(zip(ranked, range(len(ranked)), strict=True))).to_numpy(float, na_value=np.nan)


def _days(column: pd.Series[Any]) -> Array:
    time = _times(column)
    return np.where(np.isnat(time), np.nan, time.astype(np.int64) / 86_400e6)


def _times(column: pd.Series[Any]) -> Array:
    """UTC microseconds; a number counts as seconds."""
    if pd.api.types.is_numeric_dtype(column):
        column = pd.to_datetime(column, unit="s", errors="coerce")
    return pd.to_datetime(column, utc=True, errors="coerce").dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def _default_parts(event: Array) -> Array:
    place = np.arange(len(event)) if np.isnat(event).all() else np.argsort(np.argsort(event, kind="stable"))
    names, ends = list(_PARTS), np.array(list(_PARTS.values()))
    return np.array(names)[np.searchsorted(ends, (place + 0.5) / max(len(event), 1))]


def _group(codes: Array, hits: Array, rows: Array, *, entity: bool) -> Group:
    """The unknown are a group of their own."""
    codes = np.where(codes < 0, codes.max(initial=-1) + 1, codes)
    counts, positives = np.bincount(codes), np.bincount(codes, hits)
    return Group(codes[rows], counts[codes[rows]], positives[codes[rows]], entity)


def _history(entity: pd.Series[Any], event: Array, hits: Array, values: Array, rows: Array) -> History:
    codes = pd.factorize(entity)[0]
    order = np.lexsort((event, codes))
    same = codes[order][1:] == codes[order][:-1]
    tied = same & (event[order][1:] == event[order][:-1])
    first, moment = np.r_[True, ~same], np.r_[True, ~tied]
    place = np.arange(len(order))
    starts, begins = np.flatnonzero(first), np.flatnonzero(moment)
    began, ended = begins[np.cumsum(moment) - 1], np.r_[begins[1:], len(order)][np.cumsum(moment) - 1]
    entity_from, entity_until = starts[np.cumsum(first) - 1], np.r_[starts[1:], len(order)][np.cumsum(first) - 1]
    summed = np.r_[0, np.cumsum(hits[order])]
    back = np.empty_like(order)
    back[order] = place
    at = back[rows]
    known = codes[rows] >= 0
    earlier = np.where(known, began[at] - entity_from[at], 0)
    later = np.where(known, entity_until[at] - ended[at], 0)
    tied_positives = np.where(known, summed[ended[at]] - summed[began[at]] - hits[rows], 0)
    previous = values[order[np.maximum(began[at] - 1, 0)]].copy()
    following = values[order[np.minimum(ended[at], len(order) - 1)]].copy()
    previous[earlier == 0], following[later == 0] = np.nan, np.nan
    return History(earlier, later, tied_positives, previous, following)
