"""A feature table that somebody wrote values of the future into is refused, and one that nobody touched is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.spark.feature_cases import PAYMENTS, REPORTS, START, config, rows, world

from finlake.cli.features import audit_one
from finlake.errors import LeakageError
from finlake.lakehouse import Lake, table_digest
from finlake.models.registry import Registry
from finlake.pipelines.features import features
from finlake.pipelines.step import Step
from finlake.pipelines.train import train
from finlake.pipelines.training_data import training_data

GROUPS = {
    "card": {
        "entity": "card",
        "features": {
            "n_1d": {"count": "rows", "windows": ["1d"]},
            "mean_items_2d": {"mean": "items", "windows": ["2d"]},
        },
    },
    "shop": {
        "entity": "shop",
        "features": {"fraud_2d": {"share": "label(fraud) = 1", "windows": ["2d"], "ends_before": "1d"}},
    },
}
CONF = config(GROUPS, "known_at", split={"train": "2d", "choose": "1d", "test": "1d"})
NOW = START + timedelta(days=12)


@pytest.fixture
def step(lake: Lake) -> Step:
    """A lake with silver and the feature table."""
    payments, reports = world(8, keys=1_400)
    lake.overwrite("silver.payments", lake.spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS))
    lake.overwrite("silver.reports", lake.spark.createDataFrame(rows(reports, REPORTS), REPORTS))
    said: list[str] = []
    made = Step(lake, CONF, NOW, "audit", say=said.append)
    features(made, "fraud")
    return made


@pytest.mark.long
def test_values_of_the_future_in_the_stored_table_are_refused_and_others_are_not(step: Step, capsys) -> None:
    lake, fraud = step.lake, CONF.use_case("fraud")
    audit_one(step, fraud)
    assert step.warnings == []
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "fraud: by their definitions, no feature knows what was not known at the decision"
    assert said[1].endswith("of them fraud: no leak is found")
    assert not [name for name in lake.tables() if name.startswith(("ops.again", "ops.audited"))]

    # an outside job adds what became known of every third payment later: far from too good to be true
    lake.sql(
        "MERGE INTO features.fraud AS t USING (SELECT DISTINCT payment_id FROM silver.reports "
        "WHERE verdict = 'confirmed' AND substr(payment_id, -1) IN ('1', '4', '7')) AS s ON t.decision_key = s.payment_id "
        "WHEN MATCHED THEN UPDATE SET mean_items_2d = mean_items_2d + 1"
    )
    for look in (training_data, audit_one):
        with pytest.raises(LeakageError) as caught:
            look(step, fraud)
        assert "1 feature would leak:\n  mean_items_2d: as of the decision it has another value in" in str(caught.value)
        assert "Run finlake features --use-case fraud --rebuild" in str(caught.value)
    assert not [name for name in lake.tables() if name.startswith(("ops.again", "ops.audited"))]

    # no model of such a table reaches the registry
    with pytest.raises(LeakageError, match="1 feature would leak"):
        train(step, "fraud")
    assert Registry(CONF.target, lake.root, "fraud").latest() is None and not lake.exists("ops.models")


def test_a_table_that_is_behind_silver_is_said_and_one_of_other_definitions_is_not_looked_at(
    step: Step, capsys
) -> None:
    lake, fraud = step.lake, CONF.use_case("fraud")
    lake.sql("UPDATE features.fraud SET n_1d = n_1d + 1 WHERE xxhash64(decision_key) % 4 = 0")
    before = table_digest(lake.read("features.fraud"))
    audit_one(step, fraud)
    assert "no leak is sure; look at\n  n_1d: as of the decision" in capsys.readouterr().out
    assert table_digest(lake.read("features.fraud")) == before
    lake.sql("UPDATE features.fraud SET _definition = 'other'")
    audit_one(step, fraud)
    assert (
        "fraud: its rows were not looked at: features.fraud was built from definitions other" in capsys.readouterr().out
    )
