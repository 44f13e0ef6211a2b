"""Moves the online store's log of answers to the lake, each line exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.errors import TableError
from finlake.lakehouse.ops import SERVED
from finlake.pipelines.step import Step
from finlake.serving.store import OnlineStore, Served

TABLE = "ops.served_features"
PAGE = 20_000  # lines; they are held in memory
_ABOUT = "What was answered online: the features of each decision as they were served, one row for each answer."
_COMMENTS = {
    "use_case": "whose features",
    "decision_key": "key of the decision's row; the feature table has the same",
    "event_ts": "when the decision's row happened",
    "served_at": "the moment of the decision: what was known by then could count",
    "known_until": "watermark of the publication in charge: every row known to the lake by then was in the store",
    "definition": "digest of the feature definitions, as in features.<use case> and ops.feature_definitions",
    "values": "feature -> value as it was served; null is unknown",
    "store": "which online store answered; a new file or schema is another store",
    "number": "number of the line in that store's log; grows, with gaps",
    "moved_at": "when the line came to the lake",
}


def move_served(step: Step, store: OnlineStore, use_case: str, page: int = PAGE) -> int:
    """Appends the log of a use case to ops.served_features and deletes from the store what is there; how many lines.

    A page is committed under the number of its first line, so of several appends that begin with the same line, by a run
    that was stopped and the next one or by two runs at once, only one is made. The store then forgets the lines up to
    the last one that the lake holds, whoever brought it there.

    Raises:
        TableError: lines were deleted from the table before the store had forgotten them.
    """
    moved, identity = 0, store.identity()
    while lines := store.served_since(use_case, 0, page):
        first = lines[0].number
        step.lake.append(
            TABLE, _frame(step, lines, identity), txn=(f"served_features/{identity}/{use_case}", first),
            about=_ABOUT, comments=_COMMENTS, cluster_by=["use_case", "number"],
        )  # fmt: skip
        mine = (F.col("store") == identity) & (F.col("use_case") == use_case) & (F.col("number") >= first)
        found = step.lake.read(TABLE).filter(mine).agg(F.max("number").alias("last")).first()
        if found is None or found["last"] is None:
            raise TableError(
                f"the answers of {use_case} from number {first} on were moved to {TABLE} and deleted there before the online "
                f"store had forgotten them; nothing more is moved until {TABLE} is restored to a version that holds them"
            )
        moved += store.forget_served(use_case, found["last"])
    if moved:
        step.say(f"online {use_case}: {moved:,} answers moved to {TABLE}")
    return moved


def _frame(step: Step, lines: Sequence[Served], identity: str) -> DataFrame:
    now = datetime.now(UTC)
    rows = [
        (
            line.use_case, line.decision_key, _moment(line.at), _moment(line.moment), _moment(line.watermark),
            line.definition, {name: None if value is None else float(value) for name, value in line.values.items()},
            identity, line.number, now,
        )
        for line in lines
    ]  # fmt: skip
    return step.lake.spark.createDataFrame(rows, SERVED)


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
