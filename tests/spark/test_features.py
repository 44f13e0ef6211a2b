"""Features in batch against a reference that looks at every version for every decision."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from pyspark.sql import functions as F
from tests.spark.feature_cases import PAYMENTS, REPORTS, START, Reference, Version, config, rows, world
from tests.spark.feature_meanings import GROUPS, expected, same

from finlake.features.build import build_features, sources_read
from finlake.features.decisions import decisions
from finlake.lakehouse import table_digest


def frames(spark, payments, reports, parts=2):
    return {
        "payments": spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS).repartition(parts),
        "reports": spark.createDataFrame(rows(reports, REPORTS), REPORTS).repartition(parts),
    }


def build(spark, conf, payments, reports, parts=2):
    versions = frames(spark, payments, reports, parts)
    use_case = conf.use_cases["fraud"]
    assert set(sources_read(use_case, conf)) == set(versions)
    known = decisions(versions["payments"], use_case, conf.source("payments"))
    return build_features(known, versions, use_case, conf)


@pytest.mark.parametrize(("as_of", "seed"), [("known_at", 1), ("happened_at", 2)])
def test_every_feature_is_what_was_known_at_the_decision(spark, as_of, seed):
    payments, reports = world(seed)
    reference = Reference(payments, reports, as_of)
    wanted = expected(reference)
    got = {
        row["decision_key"]: row.asDict() for row in build(spark, config(GROUPS, as_of), payments, reports).collect()
    }
    assert got.keys() == wanted.keys()
    wrong = [
        (key, name, value, got[key][name])
        for key, features in wanted.items()
        for name, value in features.items()
        if not same(value, got[key][name])
    ]
    assert not wrong, f"{len(wrong)} of {sum(map(len, wanted.values()))} values differ: {wrong[:10]}"
    for name in wanted["p0"]:
        values = {features[name] for features in wanted.values()}
        assert len(values) > 1, f"{name} says nothing in this test"


SMALL = {
    "card": {
        "entity": "card",
        "features": {
            name: GROUPS["card"]["features"][name]
            for name in (
                "n_{window}",
                "mean_3d",
                "since",
                "known_1d",
                "mean_km_1d",
                "std_3d",
                "recent_mean_3d",
                "first_3d",
            )
        },
    },
    "shop": {
        "entity": "shop",
        "features": {"fraud_1d": {**GROUPS["shop"]["features"]["fraud_{window}"], "windows": ["1d"]}},
    },
}


def test_layout_does_not_matter_and_what_came_later_does_not_change_earlier_decisions(spark):
    payments, reports = world(4)
    conf = config(SMALL, "known_at")
    until = START + timedelta(days=2)
    digests = [
        table_digest(build(spark, conf, payments, reports, parts).filter(F.col("decision_ts") <= until))
        for parts in (1, 7)
    ]
    known = [[truncated(v, until) for v in versions if v.known_from <= until] for versions in (payments, reports)]
    assert len(known[0]) < len(payments)
    digests.append(table_digest(build(spark, conf, known[0], known[1], 3)))
    assert len(set(digests)) == 1
    assert int(digests[0].split("-")[0]) > 20


def truncated(version: Version, until: datetime) -> Version:
    """The version as silver held it at that moment."""
    return replace(version, known_to=None if version.known_to and version.known_to > until else version.known_to)


def test_rows_of_another_source_that_share_a_moment_are_in_the_order_of_their_keys(spark):
    fired = "case when verdict = 'confirmed' then 1 else 0 end"
    told = {"first_told_3d": {"first": fired, "windows": ["3d"]}, "last_told": {"lookup": fired}}
    conf = config({"told": {"entity": "payment_id", "source": "reports", "features": told}}, "known_at")
    later = START + timedelta(days=1)
    paid = {"payment_id": "p", "card": "c", "shop": "s", "paid_at": later, "amount": None, "items": 1, "km": 1.0}
    payments = [Version("p", {**paid, "outcome": None, "sent_at": later}, later, later, None)]

    def report(number: int) -> Version:
        verdict = "confirmed" if number == 9 else "dismissed"
        values = {"report_id": f"r{number}", "payment_id": "p", "verdict": verdict, "told_at": START}
        return Version(f"r{number}", values, START, START, None)

    for order in (range(10), reversed(range(10)), (5, 9, 0, 2, 1, 8, 7, 3, 6, 4)):
        row = build(spark, conf, payments, [report(number) for number in order], 1).first()
        assert (row["first_told_3d"], row["last_told"]) == (0, 1)
