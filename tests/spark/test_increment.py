"""One update after another gives the table that a rebuild gives, digest for digest, and computes only what news touches."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import timedelta

from feature_cases import PAYMENTS, REPORTS, START, Version, config, rows, versioned, world

from finlake.lakehouse import Lake, table_digest
from finlake.pipelines.features import features
from finlake.pipelines.step import Step

D = timedelta(days=1)
GROUPS = {
    "card": {
        "entity": "card",
        "features": {
            "n_1d": {"count": "rows", "windows": ["1d"]},
            "std_km_1d": {"std": "km", "windows": ["1d"]},
            "known_1d": {"count": "rows", "clock": "known", "windows": ["1d"]},
        },
    },
    "shop": {
        "entity": "shop",
        "features": {"fraud_2d": {"share": "label(fraud) = 1", "windows": ["2d"], "ends_before": "1d"}},
    },
}
NOWS = [START + days * D for days in (2, 3)]
COMPUTED = re.compile(r"([\d,]+) of them computed")


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


def test_updates_give_what_a_rebuild_gives(lake: Lake) -> None:
    payments, reports = (deliveries(versions, 3) for versions in world(3, keys=60))
    conf, said, total = config(GROUPS, "known_at"), [], 0
    for number, now in enumerate(NOWS):
        deliver(lake, "payments", PAYMENTS, payments[number])
        deliver(lake, "reports", REPORTS, reports[number])
        step = Step(lake, conf, now, "features", say=said.append)
        total = features(step, "fraud")["rows"]["fraud"]
    computed = [int(found[1].replace(",", "")) for found in map(COMPUTED.search, said) if found]
    assert "all of them" in said[0]
    assert len(computed) == len(NOWS) - 1
    assert all(0 < count < total for count in computed), computed
    updated = table_digest(lake.read("features.fraud"))
    assert features(step, "fraud", rebuild=True)["rows"]["fraud"] == total
    assert table_digest(lake.read("features.fraud")) == updated


def test_the_change_feed_tells_all_or_nothing(lake: Lake) -> None:
    payments, _ = (deliveries(versions, 5) for versions in world(5, keys=40))
    deliver(lake, "payments", PAYMENTS, payments[0])
    first = lake.version("silver.payments")
    deliver(lake, "payments", PAYMENTS, payments[1])
    second = lake.version("silver.payments")
    changed = lake.changes("silver.payments", first, second)
    assert changed is not None
    kinds = {row["_change_type"] for row in changed.select("_change_type").distinct().collect()}
    assert kinds == {"insert", "update_preimage", "update_postimage"}
    lake.delete("silver.payments", "card = 'c1'")
    assert lake.changes("silver.payments", second, second + 1) is None
