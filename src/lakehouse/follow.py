"""Structured Streaming over a table's change feed, one micro-batch after the other, until nothing is new."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from finlake.lakehouse.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def follow(lake: Lake, name: str, after: int, work: Callable[[DataFrame], None], *, who: str, rows: int) -> None:
    """Hands every change of the table since version `after` to `work`, in batches of whole files.

    A batch is handed over at least once: stopped in the middle, the next call with the same `who` and `after` goes on
    with that batch, so `work` must end in the same state however often it sees one.

    Args:
        name: the table; its change feed is on.
        after: the last version that `work` has seen.
        work: takes a batch with the feed's columns, as a stored table; it may be read several times.
        who: names the reader; one reader at a time.
        rows: about how many rows a batch has, by the size of the table's files.

    Raises:
        TableError: a batch failed; the message is the batch's.
    """
    stream = lake.spark.readStream.option("readChangeFeed", "true").option("startingVersion", after + 1)
    feed = stream.option("maxFilesPerTrigger", max(1, rows // 1_000_000)).table(lake.names.full(name))
    stage = f"ops.stage_{who}"

    def batch(changes: DataFrame, number: int) -> None:
        # The batch belongs to a session of its own; a stored one can be joined with the lake's other tables.
        lake.drop(stage)
        lake.append(stage, changes, about="Work of a stream in progress.")
        work(lake.read(stage))

    place = checkpoint(lake, f"{who}/{name}/{after}")
    query = feed.writeStream.foreachBatch(batch).option("checkpointLocation", place).trigger(availableNow=True).start()
    query.awaitTermination()
    lake.drop(stage)


def checkpoint(lake: Lake, name: str) -> str:
    """Where work in progress of one tenant is kept: beside the lake, or in the volume `checkpoints` of a workspace."""
    schema = lake.names.schema("ops")
    if lake.root is not None:
        return str(Path(lake.root) / ".checkpoints" / schema / name)
    return f"/Volumes/{lake.names.catalog}/{schema}/checkpoints/{name}"
