"""From bronze to silver on a real lake."""

from __future__ import annotations

from datetime import datetime

import pytest
from refining import House, payments, row

from finlake.errors import ContractError


@pytest.fixture
def house(lake, tmp_path):
    return House(lake, tmp_path, payments())


def test_good_rows_are_typed_corrections_are_versions_and_every_row_is_accounted_for(house):
    house.receive("day1", [
        row("p1"),
        row("p2", amount="1.234,56", paid_at="01.10.2025 23:30:00"),
        row("p2", amount="1.234,56", paid_at="01.10.2025 23:30:00"),
        row("p3", amount="12,5 EUR"),
        row(None),
        row("p4", paid_at="30.03.2025 02:30:00"),
        row("p5", card=None),
        row("p6", _corrupt="p6;what"),
    ])  # fmt: skip
    house.receive("day2", [
        row("p1", amount="99,00", sent_at="2025-10-02T08:00:00Z"),
        row("p7", amount="-3,00"),
        row("p7", amount="-4,00"),
    ], day=1)  # fmt: skip
    house.refine()
    seen = [(r["number"], str(r["amount"]), r["known_from"], r["known_to"]) for r in house.silver()]
    first, corrected = datetime(2025, 10, 1, 10, 1), datetime(2025, 10, 2, 8)
    assert seen == [
        ("p1", "12.50", first, corrected),
        ("p1", "99.00", corrected, None),
        ("p2", "1234.56", first, None),
        ("p7", "-3.00", first, None),
    ]
    assert house.silver()[2]["event_ts"] == datetime(2025, 10, 1, 21, 30)
    assert house.reasons() == {
        "day1000000000000-4": ["amount is not a number"],
        "day1000000000000-5": ["number is missing"],
        "day1000000000000-6": ["paid_at does not exist in Europe/Berlin (clock change)"],
        "day1000000000000-7": ["card_id is missing"],
        "day1000000000000-8": ["the row could not be read: wrong number of fields, or a quote that does not close"],
        "day2000000000000-3": ["same number and sent_at as an earlier row, but other values"],
    }
    assert house.accounts() == {"day1": (8, 1, 1, 1, 5), "day2": (3, 2, 0, 0, 1)}
    assert house.lake.sql("SELECT count(*) AS n FROM silver.payments_current").first()["n"] == 3
    assert not house.lake.exists("ops.refining_payments")

    # Running again finds nothing to do.
    tables = ("silver.payments", "quarantine.payments", "ops.batches", "ops.duplicates")
    before = {name: house.lake.version(name) for name in tables}
    house.refine()
    assert before == {name: house.lake.version(name) for name in before}


def test_a_changed_contract_releases_rows_through_the_same_path(house):
    house.receive("day1", [row("p1", amount="12,345"), row("p2", amount="x"), row("p3")])
    house.refine()
    assert house.accounts() == {"day1": (3, 1, 0, 0, 2)}
    columns = {name: column.model_dump(by_alias=True) for name, column in payments().columns.items()}
    columns["amount"] = {"type": "money", "currency": "EUR", "decimals": 2}
    columns["note"] = {"type": "text"}
    house.sources["payments"] = payments(
        columns={**columns, "amount": {"type": "text"}},
    )
    with pytest.raises(ContractError, match=r"holds amount as decimal\(18,2\)"):
        house.refine()
    columns["paid_at"]["format"] = "dd.MM.yyyy HH:mm:ss"
    house.sources["payments"] = payments(
        columns=columns, read={"from": "p", "format": "csv", "decimal": ".", "null_words": ["x"]}
    )
    house.refine()
    assert house.accounts() == {"day1": (3, 3, 0, 0, 0)}


def test_a_batch_over_its_limit_is_held_as_a_whole_and_freed_by_a_new_limit(house):
    house.sources["payments"] = payments(stop_above="10%")
    house.receive("day1", [row("p1"), row("p2", amount="x"), row("p3")])
    with pytest.raises(ContractError, match="day1 is held back"):
        house.refine()
    assert house.accounts() == {"day1": (3, 0, 0, 0, 3)}
    with pytest.raises(ContractError, match="day1 is held back"):
        house.refine()
    house.sources["payments"] = payments(stop_above="50%")
    house.refine()
    assert house.accounts() == {"day1": (3, 2, 0, 0, 1)}
