"""Card numbers are recognised, masked and tokenised the same way whatever way they are written."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finlake.contracts.masking import RUN, is_card_number, luhn, mask_path, mask_text
from finlake.contracts.pan import fingerprint, token
from finlake.errors import ConfigError

KEY = b"0123456789abcdef"
CARD = "4111111111111111"


@pytest.mark.parametrize(
    "number", [CARD, "378282246310005", "5500000000000004", "4222222222222", "6304000000000000000"]
)
def test_numbers_of_13_to_19_digits_that_pass_luhn_are_card_numbers(number: str) -> None:
    assert is_card_number(number)
    assert not is_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"paid with {CARD}, twice", "paid with ****1111, twice"),
        ("4111 1111 1111 1111 12", "****1111 12"),
        ("12 4111-1111-1111-1111", "12 ****1111"),
        ("4111\u00a01111\u20111111\u00a01111", "****1111"),
        (f"5500 0000 0000 0004 {CARD}", "****0004 ****1111"),
        (f"{CARD}0000", f"{CARD}0000"),
        ("7,4111.1111.1111.1111,x", "7,****1111,x"),
        ("5555  5555  5555  4444", "****4444"),
        ("4012/8888/8888/1881", "****1881"),
        ("3782'822463'10005", "****0005"),
        ("1.4111111111111111", "1.****1111"),
        ("41111111.11111111", "41111111.11111111"),
        ("2025.10.04 14.30.06", "2025.10.04 14.30.06"),
        ("latitude 52.520006599999", "latitude 52.520006599999"),
        ("", ""),
    ],
)
def test_only_card_numbers_are_masked(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_names_of_files_keep_their_times_but_not_card_numbers() -> None:
    assert luhn("20251015143006")
    assert mask_path(f"in/20251015143006_{CARD}.csv") == "in/20251015143006_****1111.csv"
    assert mask_path(f"2025-10-01-{CARD}.csv") == "2025-10-01-****1111.csv"
    assert mask_path("20251001 4111 1111 1111 1111.csv") == "20251001 ****1111.csv"
    assert mask_path("20251001-2221 0000 0000 0009.csv") == "20251001-****0009.csv"
    assert mask_path(f"2025/10/01/{CARD}-20251001.csv") == "2025/10/01/****1111-20251001.csv"
    assert mask_path("2014 0000 0000 0004.csv") == mask_text("2014 0000 0000 0004.csv")
    times = "2025-10-15-14-30-06.csv 20251015-20251016.csv 20251015-143006-20251016-143006.csv 20251015143006123.csv"
    assert [mask_path(name) for name in times.split()] == times.split()


def test_a_text_of_any_length_can_be_masked() -> None:
    assert mask_text("1" * 100_000) == "1" * 100_000
    assert mask_text("1 " * 5_000 + CARD).endswith("****1111")
    assert "}+" in RUN, "Java recurses once for each digit of a run unless the loop is possessive"


def _check_digit(digits: str) -> str:
    return next(d for d in "0123456789" if luhn(digits + d))


@given(
    body=st.text("0123456789", min_size=12, max_size=18),
    gaps=st.lists(st.sampled_from(["", "", " ", "-"]), min_size=18, max_size=18),
    before=st.text("abc, ;", max_size=5),
    after=st.text("abc, ;", max_size=5),
)
def test_no_card_number_survives_masking(body: str, gaps: list[str], before: str, after: str) -> None:
    number = body + _check_digit(body)
    written = "".join(digit + gap for digit, gap in zip(number, [*gaps[: len(number) - 1], ""], strict=False))
    assert number not in "".join(char for char in mask_text(before + written + after) if char.isdigit())


@pytest.mark.parametrize(
    "spelling",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        " 4111111111111111 ",
        "4111111111111111.0",
        "4111/1111/1111/1111",
        "４１１１1111 1111 1111",
    ],
)
def test_every_spelling_of_a_number_has_one_token(spelling: str) -> None:
    assert token(spelling, KEY) == token(CARD, KEY)


def test_the_token_is_a_keyed_hash_in_letters() -> None:
    expected = (
        hmac.new(KEY, CARD.encode(), hashlib.sha256)
        .hexdigest()[:32]
        .translate(str.maketrans("0123456789abcdef", "abcdefghijklmnop"))
    )
    assert token(CARD, KEY) == f"tok_{expected}"
    assert token(CARD, b"another key, 16+") != token(CARD, KEY)
    assert not any(char.isdigit() for char in token(CARD, KEY))


def test_what_is_no_number_shows_nothing_of_itself_and_stays_distinct() -> None:
    one, other = token("4111-NNNN-1111", KEY), token("4111-NNNN-1112", KEY)
    assert one.startswith("tok_invalid_")
    assert one != other
    assert "4111" not in one


def test_words_for_null_stay_but_never_a_word_that_could_be_a_number() -> None:
    assert token("n/a", KEY, ("n/a",)) == "n/a"
    assert token("", KEY) == ""
    assert token(CARD, KEY, (CARD,)) == token(CARD, KEY)


def test_a_short_key_is_refused_and_a_fingerprint_does_not_show_the_key() -> None:
    with pytest.raises(ConfigError, match="has 3 bytes"):
        token(CARD, b"abc")
    assert fingerprint(KEY) != fingerprint(KEY + b"x")
    assert KEY.decode() not in fingerprint(KEY)
