"""From bronze rows to judged rows: typed, every check asked, reasons attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from finlake.config import Expectation, Source
from finlake.contracts.checks import BatchCounts, Check, Outcome, ask, ask_more, is_good
from finlake.contracts.conditions import condition
from finlake.contracts.contract import sequence_column
from finlake.contracts.expectations import (
    COMPLETE_ROWS,
    ROW_EXPECTATIONS,
    Setting,
    compile_expectation,
    counted_rows,
    types_of,
)
from finlake.contracts.parsing import parse
from finlake.contracts.references import Reference, attach
from finlake.contracts.versions import withheld


@dataclass(frozen=True)
class Judged:
    """Typed rows with `_reasons`, and the checks in the order of the arrays `_failed` and `_checked`."""

    frame: DataFrame
    checks: list[Check]


def judge(
    bronze: DataFrame,
    source: Source,
    now: datetime,
    references: list[Reference] | None = None,
    tables: Mapping[str, DataFrame | None] | None = None,
) -> Judged:
    """Types the rows and asks every row rule of the contract. A reference whose table is missing is not asked."""
    parsed = parse(bronze, source)
    links = references or []
    frame = attach(parsed.frame, links, tables or {})
    flags = {link.position: link.flag for link in links}
    checks, last = [*parsed.checks, *_later_clocks(source)], []
    for position, rule in enumerate(source.expect):
        if rule.name not in ROW_EXPECTATIONS or (rule.name == "expect_reference" and position not in flags):
            continue
        setting = Setting(now, types_of(source), flags.get(position, ""), f"_unique_{position}")
        check = compile_expectation(rule, setting)
        if rule.name in COMPLETE_ROWS:
            newest = F.col("_newest")
            last.append((position, rule, replace(check, checked=check.checked & newest, failed=check.failed & newest)))
        else:
            checks.append(check)
    checks = _distinct_names(checks)
    frame = ask(frame, checks)
    if not last:
        return Judged(frame, checks)
    frame = _with_uniqueness(frame, source, [(position, rule) for position, rule, _ in last])
    more = [check for _, _, check in last]
    return Judged(ask_more(frame, checks, more), _distinct_names([*checks, *more]))


def why_held(counts: BatchCounts, source: Source) -> list[str]:
    """The sentences that say why a batch is held back; none if it may go on."""
    found = [_broken_limit(outcome) for outcome in counts.outcomes if outcome.holds]
    limit = source.stop_above
    if limit is not None and counts.received and counts.broken / counts.received > limit:
        share = counts.broken / counts.received
        found.append(
            f"{counts.broken:,} of {counts.received:,} rows ({share:.2%}) are broken; stop_above is {limit * 100:g}%"
        )
    return found


def _broken_limit(outcome: Outcome) -> str:
    check, limit = outcome.check, outcome.check.limit or 0.0
    if outcome.verdict is not None:
        return f"the batch breaks “{check.rule}”" + (f" (observed {outcome.observed})" if outcome.observed else "")
    share = "all" if limit == 1 else f"at least {limit * 100:g}%"
    return f"{outcome.failed:,} of {outcome.checked:,} rows break “{check.rule}”, and {share} must keep it"


def _with_uniqueness(frame: DataFrame, source: Source, rules: list[tuple[int, Expectation]]) -> DataFrame:
    """Marks values that several rows of a batch have, among the newest good row of each key."""
    order = [F.col(sequence_column(source)).desc(), F.col("_arrived_at"), F.col("_file"), F.col("_row")]
    by_key = Window.partitionBy("_batch", is_good(), *source.key).orderBy(*order)
    frame = frame.withColumn("_newest", is_good() & (F.row_number().over(by_key) == 1))
    for position, rule in rules:
        names = [rule.arguments["column"]] if "column" in rule.arguments else list(rule.arguments["column_list"])
        among: Column = F.col("_newest")
        if rule.where:
            among = among & F.coalesce(condition(rule.where), F.lit(False))
        default = "any_value_is_missing" if "column" in rule.arguments else "all_values_are_missing"
        among = among & counted_rows([F.col(n) for n in names], rule.arguments.get("ignore_row_if", default))
        together = Window.partitionBy("_batch", *names)
        frame = frame.withColumn(f"_unique_{position}", among & (F.count_if(among).over(together) > 1))
    return frame


def _later_clocks(source: Source) -> list[Check]:
    if not source.known_later:
        return []
    columns = tuple(name for group in source.known_later for name in group.columns)
    return [
        Check(
            rule="what is known later says since when",
            reason="a value has no time from which it was known, and is withheld",
            expectation="known_later",
            columns=columns,
            checked=F.col("_corrupt").isNull(),
            failed=F.col("_corrupt").isNull() & withheld(source),
            severity="warn",
        )
    ]


def _distinct_names(checks: list[Check]) -> list[Check]:
    """Two rules may share a sentence; each needs a row of its own in the quality table."""
    seen: dict[tuple[str, str], int] = {}
    named = []
    for check in checks:
        key = (check.rule, check.expectation)
        seen[key] = seen.get(key, 0) + 1
        named.append(check if seen[key] == 1 else replace(check, rule=f"{check.rule} ({seen[key]})"))
    return named
