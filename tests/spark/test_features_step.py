"""The features step on a lake: one table for each use case, built again only when something changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from feature_cases import PAYMENTS, REPORTS, START, config, rows, world

from finlake.errors import LeakageError
from finlake.lakehouse import table_digest
from finlake.pipelines.features import features
from finlake.pipelines.step import Step

GROUPS = {
    "card": {"entity": "card", "features": {"n_{window}": {"count": "rows", "windows": ["1d"], "unit": "payments"}}}
}


def test_the_table_is_described_kept_while_nothing_changes_and_refused_when_it_would_leak(lake, spark):
    payments, reports = world(5, keys=40)
    lake.overwrite("silver.payments", spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS))
    lake.overwrite("silver.reports", spark.createDataFrame(rows(reports, REPORTS), REPORTS))
    conf = config(GROUPS, "known_at")
    said: list[str] = []
    now = START + timedelta(days=3)
    step = Step(lake, conf, now, "features", say=said.append)

    first = features(step, "fraud")
    table = lake.read("features.fraud")
    assert first["rows"]["fraud"] == table.count() > 10
    assert {"decision_key", "card", "event_ts", "decision_ts", "n_1d", "this_amount"} <= set(table.columns)
    assert table.filter(f"decision_ts > TIMESTAMP '{now:%Y-%m-%d %H:%M:%S}'").isEmpty()
    comment = {row["col_name"]: row["comment"] for row in lake.sql("DESCRIBE TABLE features.fraud").collect()}["n_1d"]
    assert comment == "number of rows of payments with the same card, in the 1d before"

    version, digest = lake.version("features.fraud"), table_digest(table)
    assert features(step, "all") == first
    assert lake.version("features.fraud") == version
    assert said[-1].startswith("features.fraud: nothing new")

    lake.overwrite("silver.payments", lake.read("silver.payments"))
    features(step, "fraud")
    assert lake.version("features.fraud") > version
    assert table_digest(lake.read("features.fraud")) == digest

    assert "km" not in lake.read("features.fraud").columns
    features(replace(step, config=config(GROUPS, "known_at", baseline_rule="this.km > 2")), "fraud")
    assert "km" in lake.read("features.fraud").columns

    leaking = config(GROUPS, "known_at", never=["amount"])
    with pytest.raises(LeakageError, match="this_amount uses amount"):
        features(replace(step, config=leaking), "fraud")
