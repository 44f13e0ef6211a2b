"""Finds received files and looks at their first bytes and their digest, without Spark."""

from __future__ import annotations

import bz2
import codecs
import fnmatch
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from finlake.config.source import Read
from finlake.contracts.masking import mask_path
from finlake.errors import ConfigError

_SAMPLE = 1 << 20
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".filepart")
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2"}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
WIDE = ("utf-16", "utf-16-le", "utf-16-be", "utf-32")


@dataclass(frozen=True)
class Found:
    """A file as it lies in the landing folder; `file` is what people and tables see."""

    path: Path
    file: str
    bytes: int
    modified: datetime

    def changed(self) -> bool:
        """Whether somebody has written to it, or removed it, since it was found."""
        try:
            seen = self.path.stat()
        except OSError:
            return True
        return (seen.st_size, _time(seen)) != (self.bytes, self.modified)


def find(landing: Path, read: Read) -> tuple[list[Found], list[Path]]:
    """Files of a source in order of name, and other files of its folder: unfinished, or outside its pattern.

    Hidden and marker files (`.x`, `_SUCCESS`) are passed over.
    """
    start = landing / read.from_
    paths = [start] if start.is_file() else _visible(start)
    mine = [takes(landing, read, path) for path in paths]
    found = [_found(path, landing) for path, taken in zip(paths, mine, strict=True) if taken]
    return found, [path for path, taken in zip(paths, mine, strict=True) if not taken]


def takes(landing: Path, read: Read, path: Path) -> bool:
    """Whether a source reads this file."""
    start = landing / read.from_
    wanted = not path.name.endswith(_UNFINISHED) and fnmatch.fnmatchcase(path.name, read.pattern)
    return path == start or (path.is_relative_to(start) and wanted)


def _visible(start: Path) -> list[Path]:
    paths = []
    for folder, folders, names in os.walk(start, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        paths += [Path(folder) / name for name in names if not name.startswith((".", "_"))]
    return [path for path in sorted(paths) if path.is_file()]


def _found(path: Path, landing: Path) -> Found:
    seen = path.stat()
    name = path.relative_to(landing).as_posix() if path.is_relative_to(landing) else path.name
    # Spark takes `..` out of paths, and rows are told apart by the path Spark gives
    return Found(Path(os.path.abspath(path)), shown(name), seen.st_size, _time(seen))


def shown(name: str) -> str:
    """A file's name as people and tables see it: without card numbers, and UTF-8 whatever its bytes are."""
    return mask_path(os.fsencode(name).decode("utf-8", "replace"))


def _time(seen: os.stat_result) -> datetime:
    return datetime.fromtimestamp(seen.st_mtime_ns // 1000 / 1_000_000, UTC)


def content_digest(found: Found) -> str:
    """SHA-256 of the bytes. An empty file's also depends on its name and time, because all empty files are alike."""
    sha = hashlib.sha256()
    if not found.bytes:
        sha.update(f"{found.file}|{found.modified.isoformat()}".encode())
    with found.path.open("rb") as stream:
        while chunk := stream.read(_SAMPLE):
            sha.update(chunk)
    return sha.hexdigest()


def broken(found: Found) -> str:
    """Why the file as a whole cannot be read, or an empty string: reads a compressed file to its end."""
    with found.path.open("rb") as stream:
        start = stream.read(8)
    suffix = found.path.suffix.lower()
    if ":" in found.path.name:
        return "has a colon in its name, which Spark cannot open; rename it"
    if "\ufffd" in found.file:
        return "has a name that is not UTF-8, which Spark cannot open; rename it"
    if start.startswith(b"PK\x03\x04"):
        return "is a zip archive (or a spreadsheet); unpack it, or save it as CSV"
    for magic, ending in _MAGIC.items():
        if start.startswith(magic) != (suffix == ending):
            kind = ending[1:]
            if suffix == ending:
                return f"is named {ending} but does not hold {kind} data; rename it, or send it again"
            return f"holds {kind} data but is not named {ending}; rename it so that it is read as such"
    try:
        with opened(found.path) as stream:
            if suffix in _MAGIC.values():
                while stream.read(_SAMPLE):
                    pass
    except EOFError:
        return f"is truncated: it stops before its {suffix[1:]} data ends; send it again"
    except (zlib.error, gzip.BadGzipFile, OSError) as error:
        return f"holds damaged {suffix[1:]} data ({error}); send it again"
    return ""


def opened(path: Path) -> BinaryIO:
    """The decompressed content."""
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return cast(BinaryIO, bz2.open(path, "rb")) if suffix == ".bz2" else path.open("rb")


def chunks(path: Path) -> Iterator[bytes]:
    """The decompressed content, a MiB at a time."""
    with opened(path) as stream:
        while chunk := stream.read(_SAMPLE):
            yield chunk


def sample(path: Path) -> bytes:
    """The first MiB of the decompressed content."""
    return next(chunks(path), b"")


def encoding_name(name: str) -> str:
    """Python's name of an encoding; `latin-1` and `ISO-8859-1` are `iso8859-1`.

    Raises:
        ConfigError: no such encoding, or one that is not built on ASCII and not Unicode.
    """
    try:
        found = codecs.lookup(name).name
        known = 'A;,\t"\n0'.encode(found)
    except (LookupError, UnicodeEncodeError) as error:
        raise ConfigError(
            f"unknown encoding {name!r}; use utf-8, utf-16, cp1252, latin-1 or another single-byte one"
        ) from error
    found = {"utf-8-sig": "utf-8", "utf_8_sig": "utf-8", "ascii": "utf-8"}.get(found, found)
    if found not in ("utf-8", *WIDE) and (known != b'A;,\t"\n0' or not single_byte(found)):
        raise ConfigError(f"encoding {name!r} cannot be read here; convert the files to utf-8 before they land")
    return found


def single_byte(encoding: str) -> bool:
    """Whether every byte is one character."""
    upper = bytes(range(128, 256)).decode(encoding, "replace")
    return encoding not in ("utf-8", *WIDE) and len(upper) == 128 and upper.count("\ufffd") < 64


def decode(data: bytes, encoding: str) -> tuple[str, str]:
    """The text of a file's beginning without byte order mark, and why it is not in that encoding (or nothing)."""
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    if marked and not encoding.startswith(marked):
        return "", f"is declared {encoding} but begins with the byte order mark of {marked}: set `encoding: {marked}`"
    if encoding in ("utf-16", "utf-32") and not marked:
        return (
            "",
            f"is declared {encoding} but has no byte order mark: set `encoding: {encoding}-le` (or -be, or utf-8)",
        )
    text, at = _try(data, encoding)
    if at is not None:
        fits = next(
            (name for name in ("utf-8", "cp1252", "latin-1") if name != encoding and _try(data, name)[1] is None), ""
        )
        hint = f"; {fits} fits: set `encoding: {fits}`" if fits else ""
        return "", f"is not {encoding}: byte 0x{data[at]:02x} at position {at}{hint}"
    if text.count("\0") > len(text) // 4:
        return "", f"is declared {encoding} but holds zero bytes as UTF-16 does: try `encoding: utf-16-le`"
    if single_byte(encoding) and not data.isascii() and _try(data, "utf-8")[1] is None:
        return "", f"is declared {encoding} but its bytes are UTF-8: set `encoding: utf-8`"
    return text.removeprefix("\ufeff"), ""


def _try(data: bytes, encoding: str) -> tuple[str, int | None]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(data, final=False), None
    except UnicodeDecodeError as error:
        return "", error.start
