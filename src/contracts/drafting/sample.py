"""Reads the first rows of a file as text, and finds out how the file is written."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from finlake.contracts.drafting.bytes_of import HEAD, encoding_of, head_of, lines_of, open_bytes
from finlake.errors import InputError

ROWS = 50_000
_DELIMITERS = (",", ";", "\t", "|")
NESTED = "nested"  # in `types`: lists or objects, which are told as JSON


@dataclass
class Sample:
    """A file's first rows as text, by column, and the keys of a contract's `read` that differ from their defaults."""

    format: str
    columns: dict[str, list[str | None]]
    rows: int
    complete: bool
    read: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def read_sample(path: Path, rows: int = ROWS) -> Sample:
    """The first `rows` rows of a CSV, JSON lines, Parquet or XML file, also compressed with gzip, bzip2 or xz.

    Raises:
        InputError: the file is missing, empty, cut off before its first row, or none of these formats.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; a contract is drafted from a file with some rows")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"PAR1":
        return parquet_sample(path, rows)
    head = head_of(path)
    encoding, why = encoding_of(head)
    start = head.decode(encoding, errors="ignore").lstrip("\ufeff \r\n\t")
    if not start.strip("\0"):
        raise InputError(f"{path} holds no text; a contract is drafted from a file with some rows")
    if start.startswith("<"):
        return xml_sample(path, rows)
    if start.startswith("{"):
        return jsonl_sample(path, encoding, rows)
    if start.startswith("["):
        raise InputError(f"{path} is one JSON array; write one object a line (jsonl), for example with: jq -c '.[]'")
    if b"\0" in head[:1000] and not encoding.startswith("utf-16"):
        raise InputError(f"{path} is not text; finlake reads CSV, JSON lines, Parquet and XML")
    sample = _csv(path, start, encoding, rows)
    if encoding != "utf-8":
        sample.read["encoding"] = encoding
        sample.notes["encoding"] = why
    return sample


def rows_of(path: Path, sample: Sample, whole: bool = False) -> Iterator[list[str]]:
    """All data rows of a CSV file as the sample says it is written; the `whole` file has its header, too."""
    read = sample.read
    quote, escape = read.get("quote", '"'), read.get("escape", '"')
    reader = csv.reader(
        lines_of(path, read.get("encoding", "utf-8")),
        delimiter=read.get("delimiter", ",").replace("\\t", "\t"),
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=None if escape in (quote, '"', "") else escape,
    )
    if read.get("header", True) and not whole:
        next(reader, None)
    return reader


def _csv(path: Path, start: str, encoding: str, rows: int) -> Sample:
    lines = [line for line in start.splitlines()[:500] if line.strip()]
    if len(lines) > 1 and len(start) >= HEAD // 2:
        lines = lines[:-1]
    quote = _quote_of(lines)
    delimiter = _delimiter_of(lines, quote)
    reader = csv.reader(lines_of(path, encoding), delimiter=delimiter, quotechar=quote)
    taken: list[list[str]] = []
    complete = True
    try:
        for row in reader:
            if row:
                taken.append(row)
            if len(taken) > rows:
                complete = False
                break
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num} is not CSV: {error}") from error
    _refuse_preamble(path, taken)
    header = _has_header(taken)
    names = [name.strip() for name in taken[0]] if header else [f"column_{i + 1}" for i in range(len(taken[0]))]
    names = [name or f"column_{i + 1}" for i, name in enumerate(names)]
    if twice := [name for name in names if names.count(name) > 1]:
        places = ", ".join(str(place) for place, name in enumerate(names, 1) if name == twice[0])
        raise InputError(f"{path} has several columns called {twice[0]!r} ({places}); give each a name of its own")
    body = taken[1:] if header else taken
    if not body:
        raise InputError(f"{path} has a header and no rows; a contract is drafted from a file with some rows")
    read: dict[str, Any] = {}
    notes: dict[str, str] = {}
    if delimiter != ",":
        read["delimiter"] = "\\t" if delimiter == "\t" else delimiter
        notes["delimiter"] = f"{len(names)} columns in nearly every line"
    if quote != '"':
        read["quote"] = quote
    if not header:
        read["header"] = False
        notes["header"] = "the first line looks like data; columns are taken in this order"
    if any("\n" in value for row in body[:5000] for value in row):
        read["multiline"] = True
        notes["multiline"] = "quoted values hold line breaks"
    columns: dict[str, list[str | None]] = {
        name: [row[index] if index < len(row) else None for row in body] for index, name in enumerate(names)
    }
    ragged = sum(len(row) != len(names) for row in body)
    if ragged:
        notes["rows"] = f"{ragged:,} of {len(body):,} rows do not have {len(names)} values; they will be quarantined"
    return Sample("csv", columns, len(body), complete, read, {}, notes)


def _refuse_preamble(path: Path, rows: list[list[str]]) -> None:
    """A table that begins further down cannot be read by any contract."""
    widths = Counter(len(row) for row in rows[:2000])
    usual, often = widths.most_common(1)[0]
    if len(rows[0]) == 1 and usual > 1 and often > len(rows[:2000]) / 2:
        begins = next(number for number, row in enumerate(rows, 1) if len(row) == usual)
        raise InputError(
            f"{path}: the table begins at line {begins}, below text such as {rows[0][0][:60]!r}; "
            f"remove the lines above it, for example with: tail -n +{begins}"
        )


def _quote_of(lines: list[str]) -> str:
    text = "".join(lines)
    if '"' in text:
        return '"'
    wrapped = sum(
        any(line.startswith("'") or f"{d}'" in line for d in _DELIMITERS) and line.count("'") % 2 == 0 for line in lines
    )
    return "'" if lines and wrapped > len(lines) / 2 else '"'


def _delimiter_of(lines: list[str], quote: str) -> str:
    best, best_score = ",", 0.0
    for delimiter in (*_DELIMITERS, " "):
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter, quotechar=quote) if row)
        if not counts:
            continue
        columns, often = counts.most_common(1)[0]
        share = often / sum(counts.values())
        score = (share**4) * min(columns - 1, 12) * (0.2 if delimiter == " " else 1)
        if columns > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _has_header(rows: list[list[str]]) -> bool:
    first, body = rows[0], rows[1:200]
    if any(_numeric(value) for value in first):
        return False
    if not body:
        return True
    if len(set(first)) < len(first) - 1:
        return False
    typed = [i for i in range(len(first)) if sum(_numeric(row[i]) for row in body if i < len(row)) > len(body) / 2]
    if typed:
        return True
    seen = [{row[i] for row in body if i < len(row)} for i in range(len(first))]
    return not any(value and value in values for value, values in zip(first, seen, strict=True))


def _numeric(text: str) -> bool:
    bare = text.strip().replace(",", "").replace(".", "").replace("-", "").replace(":", "").replace("/", "")
    return bool(bare) and bare.isdigit()


def jsonl_sample(path: Path, encoding: str, rows: int) -> Sample:
    """The first objects of a JSON lines file."""
    columns: dict[str, list[str | None]] = {}
    types: dict[str, set[str]] = {}
    count, broken, complete = 0, 0, True
    for line in lines_of(path, encoding):
        if not line.strip():
            continue
        if count == rows:
            complete = False
            break
        try:
            item = json.loads(line)
        except ValueError:
            broken += 1
            continue
        if not isinstance(item, dict):
            broken += 1
            continue
        for key, value in item.items():
            columns.setdefault(key, [None] * count).append(_json_text(value))
            types.setdefault(key, set()).add(type(value).__name__)
        count += 1
        for values in columns.values():
            if len(values) < count:
                values.append(None)
    if not count:
        raise InputError(f"{path}: no line is a JSON object")
    notes = {"rows": f"{broken:,} lines are not JSON objects; they will be quarantined"} if broken else {}
    fixed = {key: "boolean" for key, kinds in types.items() if kinds <= {"bool", "NoneType"} and "bool" in kinds}
    fixed |= {key: NESTED for key, kinds in types.items() if kinds & {"dict", "list"}}
    return Sample(
        "jsonl", columns, count, complete, {"encoding": encoding} if encoding != "utf-8" else {}, fixed, notes
    )


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def parquet_sample(path: Path, rows: int) -> Sample:
    """The first rows of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        batch = pa.Table.from_batches(list(_first_batches(file, rows)), file.schema_arrow).slice(0, rows)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a whole Parquet file: {error}") from error
    if not batch.num_rows:
        raise InputError(f"{path} has no rows; a contract is drafted from a file with some rows")
    types: dict[str, str] = {}
    columns: dict[str, list[str | None]] = {}
    for name, column in zip(batch.column_names, batch.columns, strict=True):
        kind = column.type
        if pa.types.is_timestamp(kind):
            types[name] = "timestamp"
        elif pa.types.is_date(kind):
            types[name] = "date"
        elif pa.types.is_boolean(kind):
            types[name] = "boolean"
        elif pa.types.is_integer(kind):
            types[name] = "integer"
        elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
            types[name] = "number"
        elif pa.types.is_nested(kind):
            types[name] = NESTED
        columns[name] = _arrow_text(column, types.get(name))
    complete = batch.num_rows == file.metadata.num_rows
    return Sample("parquet", columns, batch.num_rows, complete, {}, types)


def _first_batches(file: Any, rows: int) -> Iterable[Any]:
    taken = 0
    for batch in file.iter_batches(batch_size=min(rows, 16_384)):
        yield batch
        taken += batch.num_rows
        if taken >= rows:
            return


def _arrow_text(column: Any, kind: str | None) -> list[str | None]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "timestamp":
        column = pc.cast(column, pa.timestamp("us"), safe=False)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return [None if value is None else _bytes_text(value) for value in column.to_pylist()]
    if kind in ("boolean", NESTED):
        return [None if value is None else json.dumps(value, default=str) for value in column.to_pylist()]
    values = column.to_pylist() if kind == "number" else pc.cast(column, pa.string()).to_pylist()
    return [None if value is None or value != value else str(value) for value in values]


def _bytes_text(value: bytes) -> str:
    """As ingest takes it: UTF-8, else hexadecimal."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex().upper()


def xml_sample(path: Path, rows: int, row_tag: str | None = None) -> Sample:
    """The first `row_tag` elements, without it those of the first element that repeats."""
    depths: Counter[tuple[int, str]] = Counter()
    wide: Counter[tuple[int, str]] = Counter()
    depth = 0
    try:
        with open_bytes(path) as file:
            for event, element in ElementTree.iterparse(file, events=("start", "end")):
                if event == "start":
                    depth += 1
                    continue
                place = (depth, _local(element.tag))
                depth -= 1
                depths[place] += 1
                wide[place] += len(element) + len(element.attrib)
                if sum(depths.values()) > 20_000:
                    break
    except ElementTree.ParseError as error:
        if not depths:
            raise InputError(f"{path} is not XML: {error}") from error
    repeated = [place for place, count in depths.items() if count > 1 and wide[place] > count]
    if row_tag:
        repeated = [place for place in depths if place[1] == _local(row_tag)]
    if not repeated:
        raise InputError(f"{path}: no element {f'is called {row_tag}' if row_tag else 'repeats'}, so there are no rows")
    level, tag = min(repeated, key=lambda place: (place[0], -depths[place]))
    columns: dict[str, list[str | None]] = {}
    count, complete, depth = 0, True, 0
    with open_bytes(path) as file:
        try:
            for event, element in ElementTree.iterparse(file, events=("start", "end")):
                depth += 1 if event == "start" else -1
                if event == "end" and _local(element.tag) == tag and depth == level - 1:
                    if count == rows:
                        complete = False
                        break
                    found = {f"_{_local(key)}": value for key, value in element.attrib.items()}
                    found |= {_local(child.tag): (child.text or "").strip() for child in element if not len(child)}
                    for key, value in found.items():
                        columns.setdefault(key, [None] * count).append(value)
                    count += 1
                    for values in columns.values():
                        if len(values) < count:
                            values.append(None)
                    element.clear()
        except ElementTree.ParseError:
            complete = False
    return Sample("xml", columns, count, complete, {"row_tag": tag}, {}, {"row_tag": f"{count:,} such elements"})


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]
