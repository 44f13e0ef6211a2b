"""A file's bytes, decompressed by what its first ones say, and the text they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from finlake.errors import InputError

HEAD = 1 << 20
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def open_bytes(path: Path) -> BinaryIO:
    """The file's content, decompressed by what its first bytes say."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return cast(BinaryIO, gzip.open(path, "rb"))
    if magic.startswith(b"BZh"):
        return cast(BinaryIO, bz2.open(path, "rb"))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(BinaryIO, lzma.open(path, "rb"))
    return path.open("rb")


def encoding_of(head: bytes) -> tuple[str, str]:
    """(encoding, why) of a text's first bytes."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, "the file begins with a byte order mark"
    try:
        head.decode("utf-8")
        return "utf-8", "valid UTF-8"
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 4:
            return "utf-8", "valid UTF-8"
    if head[1:200:2].count(0) > 50:
        return "utf-16-le", "every second byte is zero"
    if any(0x80 <= byte <= 0x9F for byte in head):
        return "cp1252", "not UTF-8, and has characters of Windows' table"
    return "latin-1", "not UTF-8; every byte is a Western European letter"


def head_of(path: Path) -> bytes:
    """The first bytes, decompressed; those before a compressed file's damage.

    Raises:
        InputError: nothing can be decompressed.
    """
    parts = bytearray()
    try:
        with open_bytes(path) as file:
            while len(parts) < HEAD and (part := file.read(1 << 16)):
                parts += part
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        if not parts:
            raise InputError(f"{path} cannot be decompressed: {error}") from error
    return bytes(parts)


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """Lines with their ends; a compressed file that is cut off gives what is there."""
    try:
        with open_bytes(path) as file:
            yield from io.TextIOWrapper(
                file, "utf-8-sig" if encoding == "utf-8" else encoding, errors="replace", newline=""
            )
    except (EOFError, zlib.error):
        return
