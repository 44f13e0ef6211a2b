"""A few decisions computed from the versions of their entities alone are what they are in the whole table."""

from __future__ import annotations

from pyspark.sql import functions as F
from tests.spark.feature_cases import PAYMENTS, REPORTS, config, rows, world

from finlake.features.build import build_features
from finlake.features.decisions import decisions
from finlake.features.entity_versions import decisions_of, entity_versions
from finlake.lakehouse import table_digest

GROUPS = {
    "card": {
        "entity": "card",
        "features": {
            "n_2d": {"count": "rows", "windows": ["2d"]},
            "last_items": {"last": "items"},
            "known_2d": {"count": "rows", "clock": "known", "windows": ["2d"]},
            "fraud_3d": {"share": "label(fraud) = 1", "windows": ["3d"]},
        },
    },
    "reported": {
        "entity": "payment_id",
        "source": "reports",
        "features": {"reports_so_far": {"count": "rows", "windows": ["5d"]}},
    },
}


def test_rows_that_moved_to_another_entity_end_when_they_did(spark):
    payments, reports = world(6, keys=150)
    conf, scored = config(GROUPS, "known_at"), config(GROUPS, "known_at").source("payments")
    fraud = conf.use_case("fraud")
    versions = {
        "payments": spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS),
        "reports": spark.createDataFrame(rows(reports, REPORTS), REPORTS),
    }
    known = decisions(versions["payments"], fraud, scored)
    whole = build_features(known, versions, fraud, conf)
    latest = known.filter("card = 'c1'").orderBy(F.col("event_ts").desc(), "decision_key").limit(6).collect()
    chosen = [row["decision_key"] for row in latest]
    keys = spark.createDataFrame([(key,) for key in chosen], "decision_key string")
    decided = decisions_of(keys, versions["payments"], fraud, scored)
    few = entity_versions(decided, versions, fraud, conf)

    kept, held = few["payments"].collect(), {v.key: set() for v in payments}
    for version in payments:
        held[version.key].add(version.values["card"])
    mine = {key for key, cards in held.items() if "c1" in cards}
    assert {row["payment_id"] for row in kept} == mine < held.keys()
    assert len(kept) == sum(version.key in mine for version in payments)
    assert any(len(held[key]) > 1 for key in mine)
    assert few["reports"].count() < len(reports)

    same = whole.filter(F.col("decision_key").isin(chosen))
    assert table_digest(build_features(decided, few, fraud, conf)) == table_digest(same)
