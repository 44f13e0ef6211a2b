"""Step: the point-in-time feature table of a use case."""

from __future__ import annotations

from datetime import datetime

from finlake.config import UseCase
from finlake.features.definitions import select
from finlake.pipelines.feature_build import Build
from finlake.pipelines.feature_versions import forget_unread, in_use, keep_for_its_readers, remember
from finlake.pipelines.step import Step, Values


def features(step: Step, use_case: str = "all", rebuild: bool = False) -> Values:
    """Brings features.<use_case> to hold every decision up to the step's moment.

    Only decisions that news since the last build touches are computed, unless definitions changed or `rebuild` is given.

    Raises:
        LeakageError: a feature would know what was not known at the moment of the decision.
        FreshnessError: there is no decision up to the step's moment.
    """
    names = list(step.config.use_cases) if use_case == "all" else [use_case]
    return {"rows": {name: _all_versions(step, step.config.use_case(name), rebuild=rebuild) for name in names}}


def _all_versions(step: Step, use_case: UseCase, *, rebuild: bool) -> int:
    """The table of the present definitions, and those of older ones by which a model still decides."""
    keep_for_its_readers(step, use_case)
    rows = _build(step, use_case, rebuild=rebuild)
    remember(step, use_case)
    for older in in_use(step, use_case):
        _build(older.step, older.use_case, rebuild=rebuild, table=older.table)
    forget_unread(step, use_case)
    return rows


def _build(step: Step, use_case: UseCase, *, rebuild: bool, table: str = "") -> int:
    build = Build.open(step, use_case, table)
    before = None if rebuild else build.before
    if before is not None and build.stands(before):
        step.say(f"{build.table}: nothing new, {before['rows']:,} decisions stand")
        return int(before["rows"])
    news = build.news() if before is not None else None
    if before is None or news is None:
        build.rebuild()
        touched = "all of them computed"
    else:
        touched = f"{build.update(news, datetime.fromisoformat(before['as_of'])):,} of them computed"
    rows = build.finish()
    step.say(f"{build.table}: {rows:,} decisions, {touched}, {len(select(use_case, step.config).outputs)} features")
    return rows
