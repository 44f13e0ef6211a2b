"""Rules with consequences: references, limits, whole batches, personal values, and history after VACUUM."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F
from refining import House, payments, row

from finlake.config import Source
from finlake.contracts.versions import read_silver_as_of
from finlake.errors import ContractError

SHOPS = Source.model_validate(
    {
        "source": "shops",
        "about": "Shops.",
        "owner": "team@lender.example",
        "read": {"from": "shops", "format": "csv"},
        "columns": {"shop": {"type": "text"}, "told_at": {"type": "timestamp"}},
        "key": "shop",
        "happened_at": "told_at",
        "known_at": "told_at",
    }
)


def test_rules_decide_what_happens_to_a_row_and_are_counted_for_each_batch(lake, tmp_path):
    between = {"column": "amount", "min_value": 0.01, "max_value": 1000}
    rules = [
        {"rule": "the amount is positive", "expect_column_values_to_be_between": between},
        {"rule": "paid before it was sent", "expect_not_in_future": {"column": "paid_at"}},
        {
            "rule": "the shop is described",
            "expect_reference": {"column": "holder", "in": "shops", "key": "shop"},
        },
        {
            "rule": "the holder has a long name",
            "expect_column_value_lengths_to_be_between": {"column": "holder", "min_value": 8},
            "otherwise": "warn",
        },
        {"rule": "cards differ", "expect_column_values_to_be_unique": {"column": "card_id"}},
        {"rule": "the mean is small", "expect_column_mean_to_be_between": {"column": "amount", "max_value": 10}},
        {"rule": "there are rows", "expect_table_row_count_to_be_between": {"min_value": 1}, "otherwise": "stop"},
    ]
    house = House(lake, tmp_path, payments(expect=rules), SHOPS)
    house.receive(
        "s", [{"shop": "Ada Lovelace", "told_at": "2025-01-01"}, {"shop": "Bo", "told_at": "2025-01-01"}], "shops"
    )
    house.receive("day1", [
        row("p1", card="tok_1"),
        row("p2", card="tok_2", amount="-1,00"),
        row("p3", card="tok_3", paid_at="01.01.2026 10:00:00"),
        row("p4", card="tok_4", holder="Eve"),
        row("p5", card="tok_5", holder="Bo"),
        row("p6", card="tok_6"),
        row("p7", card="tok_6"),
        row("p8", card="tok_8", amount=None, holder=None),
    ])  # fmt: skip
    house.refine()
    assert {key[-1]: reasons for key, reasons in house.reasons().items()} == {
        "2": ["broken rule: the amount is positive"],
        "3": ["broken rule: paid before it was sent"],
        "4": ["broken rule: the shop is described"],
        "6": ["broken rule: cards differ"],
        "7": ["broken rule: cards differ"],
    }
    quality = {(r["rule"]): (r["checked"], r["failed"], r["passed"]) for r in lake.read("ops.quality").collect()}
    assert quality["the amount is positive"] == (7, 1, False)
    assert quality["the shop is described"] == (7, 1, False)
    assert quality["the holder has a long name"] == (7, 2, False)
    assert quality["cards differ"] == (5, 2, False)
    assert quality["the mean is small"][2] is False
    assert quality["there are rows"][2] is True
    assert quality["amount is a number"] == (7, 0, True)
    warnings = " / ".join(house.step.warnings)
    assert "2 rows kept, although broken rule: the holder has a long name" in warnings
    assert "a batch breaks “the mean is small” (observed 12.5" in warnings
    assert house.accounts()["day1"] == (8, 3, 0, 0, 5)

    # The shop of p4 arrives later: the row is asked again and released.
    house.receive("s2", [{"shop": "Eve", "told_at": "2025-01-02"}], "shops")
    house.refine()
    assert house.accounts()["day1"] == (8, 4, 0, 0, 4)
    masked = {r["holder"] for r in lake.read("quarantine.payments").collect()}
    assert masked == {"xxx xxxxxxxx", "xxx"}


def test_mostly_is_the_limit_of_the_batch_and_a_missing_partner_table_is_a_warning(lake, tmp_path):
    rules = [
        {
            "rule": "holders are named",
            "expect_column_values_to_match_regex": {"column": "holder", "regex": "^Ada", "mostly": 0.9},
            "otherwise": "warn",
        },
        {"rule": "the shop is described", "expect_reference": {"column": "holder", "in": "shops"}},
    ]
    house = House(lake, tmp_path, payments(expect=rules), SHOPS)
    house.receive("day1", [row("p1"), row("p2", holder="Bo")])
    with pytest.raises(ContractError, match="1 of 2 rows break “holders are named”, and at least 90%"):
        house.refine()
    assert "no silver.shops yet" in house.step.warnings[0]
    assert house.accounts()["day1"] == (2, 0, 0, 0, 2)
    assert set(house.reasons()["day1000000000000-1"][0].split(": ")[0:1]) == {"the batch was held back"}


@pytest.mark.long
def test_a_column_added_to_the_contract_is_found_among_what_arrived(lake, tmp_path):
    house = House(lake, tmp_path, payments())
    house.receive("day1", [row("p1", amount="x", _extra={"Note": "late"}), row("p2", _extra={"Note": "n"})])
    house.refine()
    columns = {name: column.model_dump(by_alias=True) for name, column in payments().columns.items()}
    columns["note"] = {"type": "text", "names": ["Note"]}
    house.sources["payments"] = payments(columns=columns, read={"from": "p", "format": "csv", "null_words": ["x"]})
    house.refine()
    assert [(r["number"], r["amount"] is None, r["note"]) for r in house.silver()] == [
        ("p1", True, "late"),
        ("p2", False, None),
    ]
    assert house.accounts() == {"day1": (2, 2, 0, 0, 0)}
    released = lake.read("quarantine.payments").select("_released_at").collect()
    assert [r["_released_at"] for r in released] == [datetime(2025, 10, 15)]


@pytest.mark.long
def test_another_key_or_clock_is_refused_until_silver_is_made_again(lake, tmp_path):
    house = House(lake, tmp_path, payments())
    house.receive("day1", [row("p1"), row("p1", holder="Bo"), row("p2", amount="x")])
    house.receive("day2", [row("p1", sent_at="2025-10-05 10:00:00"), row("p1")], day=1)
    house.refine()
    assert house.accounts() == {"day1": (3, 0, 1, 0, 2), "day2": (2, 1, 0, 1, 0)}
    house.sources["payments"] = payments(key=["number", "holder"])
    house.receive("day3", [row("p3")], day=2)
    with pytest.raises(ContractError, match=r"made with key number · .* now says key number, holder · .*--rebuild"):
        house.refine()
    house.refine("payments", rebuild=True)
    assert house.accounts() == {"day1": (3, 1, 1, 0, 1), "day2": (2, 1, 0, 1, 0), "day3": (1, 1, 0, 0, 0)}
    assert [r["holder"] for r in house.silver() if r["known_to"] is None] == ["Ada Lovelace", "Bo", "Ada Lovelace"]
    assert list(house.reasons().values()) == [["amount is not a number"]]
    assert house.refine() == {"rows": {}}


@pytest.mark.long
def test_an_old_view_can_be_made_again_after_a_correction_and_vacuum(lake, tmp_path):
    house = House(lake, tmp_path, payments())
    house.receive("day1", [row("p1"), row("p2")])
    house.refine()
    moment = datetime(2025, 10, 2, tzinfo=UTC)
    before = lake.digest(read_silver_as_of(lake.read("silver.payments"), moment), exclude=("known_to",))
    house.receive(
        "day2", [row("p1", amount="99,00", sent_at="2025-10-05T10:00:00Z"), row("p3", sent_at="2025-10-05")], day=1
    )
    house.refine()
    assert house.accounts() == {"day1": (2, 1, 1, 0, 0), "day2": (2, 2, 0, 0, 0)}
    name = lake.names.full("silver.payments")
    lake.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        lake.spark.sql(f"OPTIMIZE {name}")
        lake.spark.sql(f"VACUUM {name} RETAIN 0 HOURS")
    finally:
        lake.spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    after = lake.read("silver.payments")
    assert lake.digest(read_silver_as_of(after, moment), exclude=("known_to",)) == before
    assert after.where(F.col("known_to").isNull()).count() == 3
    detail = lake.spark.sql(f"DESCRIBE DETAIL {name}").first()
    assert detail["properties"]["delta.enableChangeDataFeed"] == "true"
    assert detail["clusteringColumns"] == ["number"]


@pytest.mark.long
def test_a_condition_no_row_can_stop_and_a_rule_nobody_can_compute(lake, tmp_path):
    rules = [
        {
            "rule": "ten is more than the amount",
            "expect_row_condition": {"condition": "10 / amount > 1 or amount = 20"},
        },
        {"rule": "the holder is a number", "expect_row_condition": {"condition": "cast(holder as int) > 1"}},
    ]
    house = House(lake, tmp_path, payments(expect=rules), SHOPS)
    house.receive("shops", [{"shop": "Ada", "told_at": "2025-01-01"}], "shops")
    house.receive("day1", [row("p1", amount="0,00"), row("p2", amount="2,00"), row("p3", amount="11,00")])
    house.refine()
    assert {r["number"] for r in lake.read("silver.payments").collect()} == {"p1", "p2"}

    wrong = [{"rule": "x", "expect_row_condition": {"condition": "lenght(holder) > 1"}}]
    house = House(lake, tmp_path, payments(expect=wrong), SHOPS)
    house.receive("day2", [row("p9")], day=2)
    house.receive("shops2", [{"shop": "Bo", "told_at": "2025-01-01"}], "shops", day=2)
    with pytest.raises(ContractError, match=r"payments: Spark could not refine it.*lenght"):
        house.refine()
    assert lake.read("silver.shops").count() == 2
    assert {r["source"] for r in lake.read("ops.batches").where("batch = 'shops2'").collect()} == {"shops"}
