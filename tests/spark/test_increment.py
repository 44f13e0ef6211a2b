"""One update after another gives the table that a rebuild gives, digest for digest, and computes only what news touches."""

from __future__ import annotations

import re

from tests.spark.feature_cases import PAYMENTS, REPORTS, config, world
from tests.spark.feature_deliveries import NOWS, deliver, deliveries

from finlake.lakehouse import Lake, table_digest
from finlake.pipelines.features import features
from finlake.pipelines.step import Step

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
COMPUTED = re.compile(r"([\d,]+) of them computed")


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
