"""The leakage auditor: finds features that know what was not known when the decision was taken, and shows rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.errors import LeakageError
from finlake.features.decisions import decisions, key_text, lasting
from finlake.features.definitions import kinds
from finlake.features.expressions import Scope, parse
from finlake.features.trace import Use, trace

SHOWN = 3
SUSPICIOUS_AUC = 0.98
FEWEST_POSITIVES = 50
_SAMPLE = 20_000


@dataclass(frozen=True)
class Seen:
    """A row that proves the point: its value became known after the decision."""

    decision_key: str
    decision_ts: datetime
    known_from: datetime
    value: str

    def __str__(self) -> str:
        late = self.known_from - self.decision_ts
        return (
            f"{self.decision_key}: decided {self.decision_ts:%Y-%m-%d %H:%M}, {self.value!r} known {spoken(late)} later"
        )


@dataclass(frozen=True)
class Finding:
    """A feature, the column it should not know, why, and what to do."""

    feature: str
    column: str
    place: str
    reason: str
    advice: str
    rows: tuple[Seen, ...] = ()
    late: timedelta | None = None

    def __str__(self) -> str:
        known = f", typically known {spoken(self.late)} after the decision" if self.late else ""
        shown = "".join(f"\n    {row}" for row in self.rows)
        return f"{self.feature} uses {self.column}{known}: {self.reason} ({self.place}). {self.advice}{shown}"


def audit(use_case: UseCase, config: Config, versions: Mapping[str, DataFrame] | None = None) -> list[Finding]:
    """Features that use a forbidden column, one that is known later than the decision, or the decision's own label.

    Args:
        use_case: says what may never reach a model.
        config: definitions and contracts.
        versions: silver versions by source; given, each finding shows up to three rows.
    """
    found: dict[tuple[str, str], Finding] = {}
    for feature, uses in trace(use_case, config).items():
        for use in uses:
            verdict = _verdict(use, use_case, config)
            if verdict and (feature, use.column) not in found:
                rows, late = _evidence(use, use_case, config, versions or {})
                found[feature, use.column] = Finding(feature, use.column, use.place, *verdict, rows, late)
    return list(found.values())


def refuse_leaks(findings: Sequence[Finding]) -> None:
    """Stops the run.

    Raises:
        LeakageError: there are findings; the message names features and columns and shows rows.
    """
    if findings:
        lines = "\n  ".join(str(finding) for finding in findings)
        raise LeakageError(f"{len(findings)} feature{'s' if len(findings) > 1 else ''} would leak:\n  {lines}")


def _verdict(use: Use, use_case: UseCase, config: Config) -> tuple[str, str] | None:
    """(reason, advice), or None where the use is sound."""
    if use.how == "label":
        if use.own_row:
            return "it is the label of the decision's own row", "Take including_this away."
        return None
    if use.column in use_case.never:
        return "the use case says it may never reach a model", "Leave the feature out, or take the column off `never`."
    source = config.source(use.source)
    if use.own_row and use.column in source.later_columns:
        return (
            f"{source.source} says under known_later that it is known later than the row",
            "Use it only of earlier rows, in a window without including_this.",
        )
    if use.own_row and use.source == use_case.label.from_.source and use.column in _label_columns(use_case, config):
        return "the label is made from it", "Leave it out, and give it its own clock under known_later."
    return None


def _label_columns(use_case: UseCase, config: Config) -> set[str]:
    source = config.source(use_case.label.from_.source)
    return parse(use_case.label.positive, Scope(kinds(source)), "boolean").names("column")


def _evidence(
    use: Use, use_case: UseCase, config: Config, versions: Mapping[str, DataFrame]
) -> tuple[tuple[Seen, ...], timedelta | None]:
    """Up to three rows whose value became known after their decision, and the median delay."""
    if use.how == "label" or use.source not in versions or use_case.score.each not in versions:
        return (), None
    scored, source = config.source(use_case.score.each), config.source(use.source)
    decided = decisions(versions[scored.source], use_case, scored)
    if source is scored:
        asked, key = F.col("decision_key"), key_text(source.key)
    elif use.definition:
        asked, key = (
            F.col(f"`{use.definition.entity}`").cast("string"),
            F.col(f"`{use.definition.entity}`").cast("string"),
        )
    else:
        return (), None
    values = lasting(versions[use.source]).filter(F.col(f"`{use.column}`").isNotNull())
    filled = values.groupBy(key.alias("_join")).agg(
        F.min("known_from").alias("_known"),
        F.min_by(F.col(f"`{use.column}`").cast("string"), "known_from").alias("_value"),
    )
    late = decided.select("decision_key", "decision_ts", asked.alias("_join")).join(filled, "_join")
    late = late.filter(F.col("_known") > F.col("decision_ts"))
    delay = (F.unix_micros("_known") - F.unix_micros("decision_ts")).cast("double")
    median = late.agg(F.percentile_approx(delay, 0.5).alias("median")).first()
    masked = source.silver_columns[use.column].pii is not None
    secret = any(scored.silver_columns[name].pii is not None for name in scored.key)
    rows = tuple(
        Seen(
            "***" if secret else row["decision_key"],
            row["decision_ts"],
            row["_known"],
            "***" if masked else row["_value"],
        )
        for row in late.orderBy(F.col("_known").desc(), "decision_key").limit(SHOWN).collect()
    )
    typical = timedelta(microseconds=median["median"]) if median and median["median"] is not None else None
    return rows, typical


def suspicious(training: DataFrame, features: Sequence[str]) -> list[Finding]:
    """Features that alone tell positives from negatives in the training part better than any honest one does.

    Judged on at most 20,000 rows, positives first; with fewer than 50 positives nothing is said. A missing value counts
    as the lowest and as the highest, because what is missing can tell as well.
    """
    part = training.filter(F.col("part") == "train").select("label", *(f"`{name}`" for name in features))
    rows = _bounded(part, F.col("label") == 1).toPandas(), _bounded(part, F.col("label") == 0).toPandas()
    positives, negatives = (frame[list(features)].to_numpy(dtype=float) for frame in rows)
    if len(positives) < FEWEST_POSITIVES or not len(negatives):
        return []
    found = []
    for place, name in enumerate(features):
        strength = max(_auc(positives[:, place], negatives[:, place], missing) for missing in (-np.inf, np.inf))
        if strength > SUSPICIOUS_AUC:
            reason = f"alone it tells positives from negatives with AUC {strength:.3f}"
            found.append(
                Finding(name, name, "training set", reason, "Look at what it is made from, and when that was known.")
            )
    return found


def _bounded(part: DataFrame, condition: Column) -> DataFrame:
    return part.filter(condition).limit(_SAMPLE // 2)


def _auc(positives: np.ndarray, negatives: np.ndarray, missing: float) -> float:
    """Chance that a positive lies above a negative, or below if that is more; ties count half."""
    high = np.where(np.isnan(positives), missing, positives)
    low = np.sort(np.where(np.isnan(negatives), missing, negatives))
    below = np.searchsorted(low, high, "left")
    upto = np.searchsorted(low, high, "right")
    area = float((below + upto).sum()) / (2 * len(high) * len(low))
    return max(area, 1 - area)


def spoken(delay: timedelta) -> str:
    """`9 days`, `4 hours`, `12 minutes`."""
    seconds = delay.total_seconds()
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'s' if count != 1 else ''}"
    return "less than a minute"
