"""Frames of work in progress, written once and read several times; gone when the work is done."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from finlake.lakehouse.follow import checkpoint
from finlake.lakehouse.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@contextmanager
def scratch(lake: Lake, who: str) -> Iterator[Callable[[str, DataFrame], DataFrame]]:
    """Gives a function that writes a frame under a name and gives back what reads it.

    The files are Parquet, beside the lake or in the volume of checkpoints. They are removed at the end, and those of a
    process that was killed at the next beginning: one worker at a time may be called `who`.
    """
    place = checkpoint(lake, f"scratch/{who}")
    shutil.rmtree(place, ignore_errors=True)

    def write(name: str, frame: DataFrame) -> DataFrame:
        path = f"{place}/{name}"
        frame.write.parquet(path)
        return lake.spark.read.schema(frame.schema).parquet(path)

    try:
        yield write
    finally:
        shutil.rmtree(place, ignore_errors=True)
