"""A check is one question asked of every row; this module asks many in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

FAILED, CHECKED, REASONS, RULES = "_failed", "_checked", "_reasons", "_rules"


@dataclass(frozen=True)
class Check:
    """One rule as Columns over typed rows.

    `checked` says whether a row counts in the denominator, `failed` whether it breaks the rule; null means no in both.
    `detail` replaces the fixed `reason` where the value may be shown. `limit` is the least share of checked rows that
    must pass before the whole batch is held; None means the rule never holds a batch.
    """

    rule: str
    reason: str
    expectation: str
    columns: tuple[str, ...]
    checked: Column
    failed: Column
    severity: str = "quarantine"
    mostly: float = 1.0
    limit: float | None = None
    detail: Column | None = None


@dataclass(frozen=True)
class Outcome:
    """How one batch fared under one check. Rules about whole batches bring their own verdict and what was observed."""

    check: Check
    checked: int
    failed: int
    verdict: bool | None = None
    observed: str = ""

    @property
    def passed(self) -> bool:
        """Great Expectations' verdict: the share of checked rows that pass reaches `mostly`; no rows is a pass."""
        if self.verdict is not None:
            return self.verdict
        return self.checked == 0 or (self.checked - self.failed) / self.checked >= self.check.mostly

    @property
    def holds(self) -> bool:
        """Whether this outcome alone holds the batch back."""
        limit = self.check.limit
        if self.verdict is not None:
            return limit is not None and not self.verdict
        return limit is not None and self.checked > 0 and (self.checked - self.failed) / self.checked < limit


_BETWEEN = "\u001f"  # the unit separator: no sentence holds it


@dataclass
class BatchCounts:
    """Counts of one batch: rows received, rows to quarantine, and the outcome of every check."""

    received: int = 0
    broken: int = 0
    outcomes: list[Outcome] = field(default_factory=list)


def ask(df: DataFrame, checks: Sequence[Check]) -> DataFrame:
    """Adds `_failed` and `_checked` (boolean arrays in the order of the checks) and what follows from them."""
    failed = [F.coalesce(check.failed, F.lit(False)) for check in checks]
    checked = [F.coalesce(check.checked, F.lit(False)) for check in checks]
    arrays = df.withColumns({FAILED: _booleans(failed), CHECKED: _booleans(checked)})
    return conclude(arrays, checks)


def ask_more(df: DataFrame, before: Sequence[Check], more: Sequence[Check]) -> DataFrame:
    """Appends checks whose columns depend on the earlier verdicts (uniqueness among rows that passed)."""
    failed = _booleans([F.coalesce(check.failed, F.lit(False)) for check in more])
    checked = _booleans([F.coalesce(check.checked, F.lit(False)) for check in more])
    arrays = df.withColumns({FAILED: F.concat(FAILED, failed), CHECKED: F.concat(CHECKED, checked)})
    return conclude(arrays, [*before, *more])


def conclude(df: DataFrame, checks: Sequence[Check]) -> DataFrame:
    """`_reasons` and `_rules` of the failures that keep a row out of silver; both empty for a good row."""
    out = [(index, check) for index, check in enumerate(checks) if check.severity != "warn"]
    reasons = [F.when(F.col(FAILED)[i], check.reason if check.detail is None else check.detail) for i, check in out]
    rules = [F.when(F.col(FAILED)[i], check.rule) for i, check in out]
    none = ~F.array_contains(FAILED, True)  # nearly every row; the sentences need not be asked for then
    return df.withColumns({REASONS: _texts(none, reasons), RULES: _texts(none, rules)})


def is_good() -> Column:
    """Whether a judged row may enter silver."""
    return F.size(REASONS) == 0


def tally(df: DataFrame, checks: Sequence[Check], by: str = "_batch") -> dict[str, BatchCounts]:
    """Counts of every check for every batch, in one aggregate pass."""
    counts = [F.count_if(F.col(CHECKED)[i]).alias(f"c{i}") for i in range(len(checks))]
    counts += [F.count_if(F.col(FAILED)[i]).alias(f"f{i}") for i in range(len(checks))]
    frame = df.groupBy(by).agg(F.count(F.lit(1)).alias("n"), F.count_if(~is_good()).alias("broken"), *counts)
    tallied = {}
    for row in frame.collect():
        outcomes = [Outcome(check, row[f"c{i}"], row[f"f{i}"]) for i, check in enumerate(checks)]
        tallied[row[by]] = BatchCounts(row["n"], row["broken"], outcomes)
    return tallied


def _booleans(items: Sequence[Column]) -> Column:
    return F.array(*items) if items else F.array().cast("array<boolean>")


def _texts(none: Column, items: Sequence[Column]) -> Column:
    """The texts that are not null. Joined and split, because filtering an array runs interpreted, row by row."""
    joined = F.concat_ws(_BETWEEN, *items)
    empty = F.array().cast("array<string>")
    return F.when(none | (joined == ""), empty).otherwise(F.split(joined, _BETWEEN)) if items else empty
