"""The auditor shows rows whose value became known after the decision, and features that know too much."""

from __future__ import annotations

import random
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from feature_cases import PAYMENTS, REPORTS, START, Version, config, rows
from pyspark.sql import functions as F
from tests.unit.leakage_cases import clean
from tests.unit.leakage_plants import PLANTS

from finlake.errors import LeakageError
from finlake.features.leakage.declared import audit
from finlake.features.leakage.detectors import detect
from finlake.features.leakage.findings import refuse_leaks
from finlake.features.leakage.frames import sample_from_frame
from finlake.features.leakage.rows import Reading, audit_rows

KEYS = "decision_key string, event_ts timestamp, decision_ts timestamp, label int, part string"


def test_a_value_known_later_is_refused_and_shown(spark):
    day = timedelta(days=1)
    values = {
        "card": "c",
        "shop": "s",
        "paid_at": START,
        "amount": None,
        "items": 1,
        "km": None,
        "outcome": None,
        "sent_at": START,
    }
    payments = [Version(f"p{n}", {**values, "payment_id": f"p{n}"}, START, START, None) for n in range(9)]
    reports = [
        Version(
            f"r{n}",
            {"report_id": f"r{n}", "payment_id": f"p{n}", "verdict": "confirmed", "told_at": START},
            START,
            told,
            None,
        )
        for n, told in enumerate([START + 9 * day] * 5)
    ]
    conf = config(
        {"told": {"entity": "payment_id", "source": "reports",
                  "features": {"told": {"count": "rows", "where": "verdict = 'confirmed'", "windows": ["7d"]}}}},
        "happened_at", never=["verdict"],
    )  # fmt: skip
    versions = {
        "payments": spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS),
        "reports": spark.createDataFrame(rows(reports, REPORTS), REPORTS),
    }
    (finding,) = audit(conf.use_cases["fraud"], conf, versions)
    assert finding.late == 9 * day
    assert len(finding.rows) == 3
    with pytest.raises(LeakageError) as caught:
        refuse_leaks([finding])
    assert "told uses verdict, typically known 9 days after the decision" in str(caught.value)
    assert "'confirmed' known 9 days later" in str(caught.value)


def test_a_feature_that_gives_the_label_away_is_found(spark):
    draw = random.Random(3)
    made = []
    for number in range(600):
        label = int(number % 6 == 0)
        missing = None if label else draw.random()
        at = START + timedelta(hours=number)
        made.append(
            (f"d{number}", at, at, label, "train", draw.random() + 0.3 * label, label + draw.random() / 2, missing)
        )
    training = spark.createDataFrame(made, f"{KEYS}, honest double, told double, gap double")
    assert [finding.feature for finding in audit_rows(training, Reading(["honest", "told", "gap"]))] == ["gap", "told"]
    few = training.filter("label = 0 or decision_key < 'd2'")
    assert audit_rows(few, Reading(["told"])) == []


def test_what_needs_all_rows_is_found_in_spark_and_a_pandas_table_gives_the_same(spark):
    """Copies across the split, an encoding, a scaling, a window with its own label; the rest is passed in silence."""
    case = clean(4, rows=4_000)
    planted = case.frame.drop(columns="shop")
    names = ["share_with_own_label", "category_mean", "standardised", "between_zero_and_one"]
    for name in names:
        planted[name] = PLANTS[name](case, np.random.default_rng(4)).frame["planted"]
    honest = [name for name in planted if name not in {"key", "at", "customer", "label", *names}]
    place = np.arange(len(planted))
    planted["part"] = np.where(place < 2_400, "train", np.where(place < 3_200, "choose", "test"))
    copies = planted[:60].assign(key=[f"copy{n}" for n in range(60)], part="test")
    planted = pd.concat([planted, copies], ignore_index=True)
    planted["decision_ts"] = planted["at"]
    table = planted.rename(columns={"key": "decision_key", "at": "event_ts"})
    training = spark.createDataFrame(table).withColumns(
        {n: F.nanvl(F.col(n).cast("double"), F.lit(None)) for n in honest}
    )
    found = {f.feature: f for f in audit_rows(training, Reading([*honest, *names[:1]], ["customer"]))}
    assert {name: finding.kind for name, finding in found.items()} == {
        "share_with_own_label": "own label", "all features": "duplicates",
    }  # fmt: skip
    assert "in train as" in str(found["all features"].rows[0])
    whole = training.filter("decision_key not like 'copy%'")
    found = {f.feature: f.kind for f in audit_rows(whole, Reading([*honest, *names[1:]], ["customer"]))}
    assert found == {
        "category_mean": "target encoding", "standardised": "fitted on test rows", "between_zero_and_one": "fitted on test rows",
    }  # fmt: skip
    read = {
        "label": "label",
        "time": "event_ts",
        "key": "decision_key",
        "part": "part",
        "features": [*honest, *names[1:]],
    }
    same = detect(sample_from_frame(whole.toPandas(), **read, entity="customer"))
    assert {f.feature: f.kind for f in same} == found
