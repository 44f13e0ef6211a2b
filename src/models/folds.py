"""Cross-validation in time, inside the training part: folds that are judged on days after what they learn from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from finlake.config import Duration
from finlake.config.base import MICROS
from finlake.config.use_case import Folds
from finlake.errors import TrainingError
from finlake.features.splits import back
from finlake.models.sample import Rows
from finlake.models.search import Cut


@dataclass(frozen=True)
class Fold:
    """Days [since, until) that are learnt from, and days [judged_since, judged_until) that are judged."""

    since: date
    until: date
    judged_since: date
    judged_until: date

    def __str__(self) -> str:
        last = timedelta(days=1)
        return f"learns {self.since} to {self.until - last}, judged {self.judged_since} to {self.judged_until - last}"


def fold_bounds(first: date, last: date, folds: Folds, matures_after: Duration) -> list[Fold]:
    """Folds over the days `first` to `last`, both included; the latest first.

    The later half of the days is cut into `folds.count` pieces of equal length, which are judged. A fold learns from the
    days before its piece and its gap: `expanding` from all of them, `rolling` from as many as the earliest fold has.

    Raises:
        TrainingError: too few days for that many folds and gaps.
    """
    days = (last - first).days + 1
    length = days // 2 // folds.count
    gap = folds.gap or matures_after
    end = last + timedelta(days=1)
    judged = [end - timedelta(days=length * (place + 1)) for place in range(folds.count)]
    untils = [_before(since, gap) for since in judged]
    learnt = untils[-1] - first
    if length < 1 or learnt.days < 1:
        raise TrainingError(
            f"model.search.folds: {days} days of train ({first} to {last}) are too few for {folds.count} folds after a "
            f"gap of {gap.text}; lengthen split.train, or lower folds.count or folds.gap"
        )
    return [
        Fold(first if folds.kind == "expanding" else until - learnt, until, since, since + timedelta(days=length))
        for since, until in zip(judged, untils, strict=True)
    ]


def cuts_of(rows: Rows, folds: Sequence[Fold]) -> list[Cut]:
    """The folds as rows.

    Raises:
        TrainingError: a fold has positives or negatives only.
    """
    made = []
    for fold in folds:
        cut = Cut(rows.between(fold.since, fold.until), rows.between(fold.judged_since, fold.judged_until))
        for side in (cut.learn, cut.held):
            positives = int(side.labels.sum())
            if positives in (0, len(side.labels)):
                raise TrainingError(
                    f"model.search.folds: the fold that {fold} has {len(side.labels):,} rows with {positives:,} positives "
                    f"between {side.span[0]} and {side.span[1]}; it needs positives and negatives. Lower folds.count"
                )
        made.append(cut)
    return made


def _before(day: date, gap: Duration) -> date:
    """Parts of a day count as whole ones."""
    if gap.months:
        return back(day, gap, "gap")
    return day - timedelta(days=math.ceil(gap.micros / MICROS["d"]))
