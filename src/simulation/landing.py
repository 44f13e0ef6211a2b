"""Files in a landing folder, with a manifest of what earlier calls wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from finlake.errors import ConfigError
from finlake.simulation.deliver import FILE, Delivery, slot_number, write
from finlake.simulation.dirt import KIND, SENT
from finlake.simulation.world import CLOCK

ROWS = "rows"


def moment_of(until: datetime | None) -> datetime:
    """The moment up to which files have been delivered.

    Raises:
        ConfigError: it has no zone.
    """
    until = until or CLOCK
    if until.tzinfo is None:
        raise ConfigError(
            f"until needs a time zone, got {until.isoformat()}; write for example 2025-10-15T00:00:00+00:00"
        )
    return until


def manifest(path: Path, parameters: Mapping[str, object], out_dir: Path) -> dict[str, Any]:
    """What an earlier call with the same parameters wrote; nothing if a file of it is gone."""
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    same = {key: known.get(key) for key in parameters} == dict(parameters)
    if same and all((out_dir / name).is_file() for name, digest in known["files"].items() if digest):
        return dict(known)
    return {"files": {}, "result": {}}


def missing_slots(
    deliveries: Mapping[str, Delivery], known: Mapping[str, Any], until: datetime
) -> dict[str, list[int]]:
    """By source, the numbers of the slots that were delivered by `until` and are not in the manifest."""
    return {
        source: [
            number
            for number, slot in enumerate(delivery.slots)
            if slot.delivered <= until and delivery.path(slot) not in known["files"]
        ]
        for source, delivery in deliveries.items()
    }


def land(
    frame: DataFrame, delivery: Delivery, wanted: list[int], out_dir: Path, work: Path, kinds: Sequence[str] = ()
) -> tuple[dict[str, str | None], dict[str, int]]:
    """Writes the wanted slots.

    Returns:
        file -> digest, None where a slot holds no rows; and how many rows were written, in all and of each kind of dirt.
    """
    seen = Observation(delivery.source)
    frame = frame.withColumn(FILE, slot_number(delivery, F.col(SENT))).drop(SENT).where(F.col(FILE).isin(wanted))
    counts = [F.count_if(F.col(KIND) == kind).alias(kind) for kind in kinds]
    frame = frame.observe(seen, F.count(F.lit(1)).alias(ROWS), *counts)
    written = write(frame.drop(KIND), delivery, wanted, out_dir, work)
    files = {delivery.path(delivery.slots[number]): None for number in wanted}
    # Spark forgets to observe a frame that turns out to be empty.
    return files | written, {kind: int(count) for kind, count in seen.get.items()} if written else {}


def save(path: Path, content: Mapping[str, object]) -> None:
    """Writes JSON all at once."""
    hidden = path.with_name(f".{path.name}.writing")
    hidden.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), "utf-8")
    os.replace(hidden, path)
