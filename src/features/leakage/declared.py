"""What the definitions say: features that would use what is not known when the decision is taken, with rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import Config, UseCase
from finlake.features.decisions import decisions, key_text, lasting
from finlake.features.definitions import positive_condition
from finlake.features.leakage.findings import Finding, Seen
from finlake.features.trace import Use, trace

SHOWN = 3


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
    return positive_condition(use_case, config.source(use_case.label.from_.source)).names("column")


def _evidence(
    use: Use, use_case: UseCase, config: Config, versions: Mapping[str, DataFrame]
) -> tuple[tuple[Seen, ...], timedelta | None]:
    """Up to three rows whose value became known after their decision, and the median delay."""
    beyond = use.definition is not None and use.source not in (
        use.definition.source,
        use_case.score.each,
    )  # of a network
    if use.how == "label" or beyond or use.source not in versions or use_case.score.each not in versions:
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
