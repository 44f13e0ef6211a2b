"""Headers are matched whatever way they are spelled, and a missing column is named."""

from __future__ import annotations

from typing import Any

import pytest

from finlake.config import Source
from finlake.contracts.received.headers import in_order, match, needed_columns, normalise


def source(**columns: Any) -> Source:
    return Source.model_validate(
        {
            "source": "pay",
            "about": "x",
            "owner": "x",
            "read": {"from": "pay", "format": "csv"},
            "columns": {"payment_id": {"type": "text"}, "paid_at": {"type": "timestamp", "as": "at"}} | columns,
            "key": "payment_id",
            "happened_at": "at",
            "known_at": {"happened_at plus": "1 day"},
        }
    )


@pytest.mark.parametrize(
    "spelling", ["payment_id", "\ufeffPayment-ID ", "PAYMENT ID", "payment.id", " Payment__Id", "ｐayment_id"]
)
def test_case_spaces_dashes_and_byte_order_marks_do_not_matter(spelling: str) -> None:
    assert normalise(spelling) == "payment_id"
    assert match([spelling, "paid_at"], source()).positions == {"payment_id": 0, "paid_at": 1}


def test_letters_beyond_ascii_are_kept() -> None:
    assert normalise("Größe (m²)") == "grösse_m2"


def test_exact_names_win_over_aliases_and_aliases_over_other_spellings() -> None:
    contract = source(note={"type": "text", "names": ["remark"]})
    assert match(["Note", "remark", "note", "payment_id", "paid_at"], contract).positions["note"] == 2
    assert match(["Note", "remark", "payment_id", "paid_at"], contract).positions["note"] == 1
    assert match(["Remark", "payment_id", "paid_at"], contract).positions["note"] == 0


def test_columns_the_contract_does_not_know_are_kept_apart() -> None:
    found = match(["payment_id", "new", "", "paid_at", "new"], source())
    assert found.extra == {"new (column 2)": 1, "column 3": 2, "new (column 5)": 4}


def test_an_optional_column_may_be_missing_and_a_needed_one_may_not() -> None:
    contract = source(note={"type": "text"}, currency={"type": "text", "required": True})
    assert needed_columns(contract) == {"payment_id", "paid_at", "currency"}
    assert match(["payment_id", "paid_at", "currency"], contract).missing == ("note",)
    assert match(["payment_id", "paid_at", "currency"], contract).problem == ""
    problem = match(["paymnt_id", "paid_at", "note"], contract).problem
    assert "the needed column 'payment_id' is missing (also missing: currency)" in problem
    assert "the header is [paymnt_id, paid_at, note]; did you mean 'paymnt_id'?" in problem


def test_the_header_in_a_message_is_masked() -> None:
    problem = match(["4111111111111111", "x"], source()).problem
    assert "4111111111111111" not in problem
    assert "****1111" in problem


def test_a_column_that_arrives_twice_is_refused() -> None:
    for header in (["payment_id", "payment_id", "paid_at"], ["Payment_ID", "PAYMENT ID", "paid_at"]):
        assert "column 'payment_id' arrives twice" in match(header, source()).problem
    assert match(["payment_id", "PAYMENT ID", "paid_at"], source()).extra == {"PAYMENT ID": 1}


def test_without_header_the_number_of_columns_must_fit() -> None:
    assert in_order(2, source()).positions == {"payment_id": 0, "paid_at": 1}
    assert "its first line has 3 columns and the contract 2" in in_order(3, source()).problem
