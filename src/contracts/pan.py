"""Card numbers become keyed tokens before anything is stored: HMAC-SHA256 in Spark's own functions.

The token depends on the digits only, so every spelling of a number gets the same token, in every file and source.
Tokens are letters, so that no token looks like a card number.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from pyspark.sql import Column
from pyspark.sql import functions as F

from finlake.contracts.masking import GAPS
from finlake.errors import ConfigError

PREFIX, INVALID = "tok_", "tok_invalid_"
_DECIMALS = r"\.0+$"  # of a number that went through a floating-point column
_DIGITS = "^[0-9]+$"
_WIDE, _PLAIN = "０１２３４５６７８９", "0123456789"
_HEX, _LETTERS = "0123456789abcdef", "abcdefghijklmnop"
_BLOCK, _LENGTH = 64, 32


def tokenise(column: Column, key: bytes, null_words: tuple[str, ...] = ()) -> Column:
    """`tok_` and 32 letters. Null and the contract's words for null stay as they are.

    A value that is not digits (after spaces, dashes, dots and slashes are taken out) becomes `tok_invalid_…` of the whole
    text: different texts stay different, and nothing of the text shows.
    """
    return sealed(plain(column), key, null_words)


def plain(column: Column) -> Column:
    """The digits of a number in any spelling; other texts only without spaces around them."""
    text = F.trim(column)
    digits = F.regexp_replace(F.regexp_replace(F.translate(text, _WIDE, _PLAIN), _DECIMALS, ""), GAPS, "")
    spelled = F.when(digits.rlike(_DIGITS), digits).otherwise(text)
    return F.when(text.rlike(_DIGITS), text).otherwise(spelled)


def sealed(message: Column, key: bytes, null_words: tuple[str, ...] = ()) -> Column:
    """The token of what `plain` gives. For many rows put `plain` into a column first: its value is used four times."""
    inner, outer = _pads(key)
    first = F.unhex(F.sha2(F.concat(F.lit(inner), F.encode(message, "utf-8")), 256))
    hashed = F.left(F.sha2(F.concat(F.lit(outer), first), 256), F.lit(_LENGTH))
    prefix = F.when(message.rlike(_DIGITS), F.lit(PREFIX)).otherwise(F.lit(INVALID))
    untouched = message.isNull() | message.isin(*_not_numbers(null_words))
    return F.when(untouched, message).otherwise(F.concat(prefix, F.translate(hashed, _HEX, _LETTERS)))


def token(text: str, key: bytes, null_words: tuple[str, ...] = ()) -> str:
    """The same token for one value, without Spark."""
    text = text.strip(" ")
    if text in _not_numbers(null_words):
        return text
    digits = re.sub(GAPS, "", re.sub(_DECIMALS, "", text.translate(str.maketrans(_WIDE, _PLAIN))))
    valid = re.fullmatch("[0-9]+", digits) is not None
    _check(key)
    hashed = hmac.new(key, (digits if valid else text).encode(), hashlib.sha256).hexdigest()[:_LENGTH]
    return (PREFIX if valid else INVALID) + hashed.translate(str.maketrans(_HEX, _LETTERS))


def fingerprint(key: bytes) -> str:
    """What tells two keys apart without telling the key."""
    return token("finlake key check", key).removeprefix(INVALID)[:16]


def _not_numbers(null_words: tuple[str, ...]) -> list[str]:
    return ["", *(word for word in null_words if word and not re.search(r"\d{4}", word))]


def _check(key: bytes) -> None:
    if len(key) < 16:
        raise ConfigError(f"the key for card numbers has {len(key)} bytes; use at least 16 random ones")


def _pads(key: bytes) -> tuple[bytearray, bytearray]:
    _check(key)
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    return bytearray(b ^ 0x36 for b in block), bytearray(b ^ 0x5C for b in block)
