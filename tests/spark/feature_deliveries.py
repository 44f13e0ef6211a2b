"""What silver holds after each of several deliveries of the payments world, some rows of which come late."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

from tests.spark.feature_cases import PAYMENTS, REPORTS, START, Version, rows, versioned, world

from finlake.lakehouse import Lake

NOWS = [START + timedelta(days=days) for days in (2, 3)]


def deliveries(versions: list[Version], seed: int) -> list[list[Version]]:
    """What had come by each of NOWS: mostly at once when it was known, some only the time after."""
    draw = random.Random(seed)
    came = {}
    for place, version in enumerate(versions):
        first = next((n for n, now in enumerate(NOWS) if version.known_from <= now), len(NOWS))
        came[place] = first + (draw.random() < 0.15)
    by_key: dict[str, list[int]] = {}
    for place, version in enumerate(versions):
        by_key.setdefault(version.key, []).append(place)
    made = []
    for number in range(len(NOWS)):
        held = [[versions[place] for place in places if came[place] <= number] for places in by_key.values()]
        made.append([version for received in held for version in versioned(received)])
    return made


def deliver(lake: Lake, name: str, schema: str, held: list[Version]) -> None:
    """Silver as refine leaves it: new versions are added, of old ones only the end changes."""
    seen: Counter[str] = Counter()
    marked = []
    for version, row in zip(held, rows(held, schema), strict=True):
        said = f"{version.key} {version.known_from} {version.event} {version.values}"
        seen[said] += 1
        marked.append((*row, f"{said} {seen[said]}"))
    frame = lake.spark.createDataFrame(marked, f"{schema}, _row_id string")
    lake.merge(f"silver.{name}", frame, on=["_row_id"], update=["known_to"])


def deliver_all(lake: Lake, seed: int, keys: int, number: int) -> None:
    """Both sources as the delivery of that number leaves them."""
    payments, reports = (deliveries(versions, seed) for versions in world(seed, keys=keys))
    deliver(lake, "payments", PAYMENTS, payments[number])
    deliver(lake, "reports", REPORTS, reports[number])
