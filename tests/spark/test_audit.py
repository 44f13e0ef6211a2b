"""The auditor shows rows whose value became known after the decision, and features that know too much."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from feature_cases import PAYMENTS, REPORTS, START, Version, config, rows

from finlake.errors import LeakageError
from finlake.features.audit import audit, refuse_leaks, suspicious


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
        made.append((f"d{number}", label, "train", draw.random() + 0.3 * label, label + draw.random() / 2, missing))
    training = spark.createDataFrame(
        made, "decision_key string, label int, part string, honest double, told double, gap double"
    )
    assert [finding.feature for finding in suspicious(training, ["honest", "told", "gap"])] == ["told", "gap"]
    few = training.filter("label = 0 or decision_key < 'd2'")
    assert suspicious(few, ["told"]) == []
