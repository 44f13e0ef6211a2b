"""Files as they come from banks, shops and insurers, written in every way `finlake draft` should understand."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2024, 3, 1, 8, 30)


def claims(rows: int = 600, seed: int = 1) -> list[dict[str, object]]:
    """Claims with times, money, codes, private data, a repeated policy and a late label."""
    made = []
    rng = random.Random(seed)
    when = START
    for number in range(rows):
        when += timedelta(minutes=rng.randint(20, 900))
        reported = when + timedelta(minutes=rng.randint(30, 6000))
        bad = rng.random() < 0.15
        made.append(
            {
                "Claim No": f"C{number:05d}", "Policy": f"P{rng.randint(1, 90):03d}", "Happened": when, "Reported": reported,
                "Amount": round(rng.lognormvariate(6, 1) * (2 if bad else 1), 2), "Region": rng.choice(["Nord", "Süd", "West"]),
                "E-Mail": f"person{number}@mail.example", "Card": pan(rng), "Paid": rng.choice(["yes", "no"]),
                "Closed On": (when + timedelta(days=rng.randint(3, 30))).date(), "Fraud": "Y" if bad else "N",
                "Recovered": round(rng.random() * 100, 2) if bad else None,
            }
        )  # fmt: skip
    return made


def pan(rng: random.Random) -> str:
    digits = [4, *(rng.randint(0, 9) for _ in range(14))]
    total = sum(d if i % 2 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(digits))
    return "".join(map(str, [*digits, -total % 10]))


def text(
    value: object, times: str = "%Y-%m-%d %H:%M", days: str = "%Y-%m-%d", decimal: str = ".", null: str = ""
) -> str:
    if value is None:
        return null
    if isinstance(value, datetime):
        return value.strftime(times)
    if isinstance(value, date):
        return value.strftime(days)
    if isinstance(value, float):
        return f"{value:.2f}".replace(".", decimal)
    return str(value)


def delimited(
    rows: list[dict[str, object]], delimiter: str = ",", header: bool = True, times: str = "%Y-%m-%d %H:%M",
    days: str = "%Y-%m-%d", decimal: str = ".", null: str = "",
) -> str:  # fmt: skip
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(rows[0])
    writer.writerows([text(value, times, days, decimal, null) for value in row.values()] for row in rows)
    return out.getvalue()


def write_zoo(folder: Path) -> dict[str, Path]:
    """One file of each kind, by what is special about it."""
    rows = claims()
    german = delimited(rows, ";", times="%d.%m.%Y %H:%M", days="%d.%m.%Y", decimal=",")
    plain = {key: text(value) for key, value in rows[0].items()}
    files: dict[str, bytes] = {
        "plain.csv": delimited(rows).encode(),
        "german.csv": german.encode("cp1252"),
        "latin.csv": german.encode("latin-1"),
        "bom.csv": b"\xef\xbb\xbf" + delimited(rows).encode(),
        "wide.csv": delimited(rows, "\t").encode("utf-16"),
        "pipes.csv": delimited(rows, "|", null="NULL").encode(),
        "headless.csv": delimited(rows, header=False).encode(),
        "american.csv": delimited(rows, times="%m/%d/%Y %I:%M %p", days="%m/%d/%Y", null="N/A").encode(),
        "packed.csv.gz": gzip.compress(delimited(rows).encode()),
        "lines.jsonl": "\n".join(json.dumps({**row, **{k: text(row[k]) for k in ("Happened", "Reported", "Closed On")}}) for row in rows).encode(),
        "lines.jsonl.gz": gzip.compress("\n".join(json.dumps({k: text(v) for k, v in row.items()}) for row in rows).encode()),
        "epoch.csv": "\n".join(["id,event_ts_epoch,fee", *(f"{i},{int(r['Happened'].replace(tzinfo=UTC).timestamp())},{r['Amount']}"
                               for i, r in enumerate(rows))]).encode(),
        "compact.csv": "\n".join(["ref;value_date;balance", *(f"R{i};{r['Happened']:%Y%m%d};{r['Amount']}" for i, r in enumerate(rows))]).encode(),
        "repeated.csv": "\n".join(["day,shop,sales", *(f"2024-{1 + i // 40:02d}-{1 + i % 20:02d},S{i // 20 % 2},{i * 1.5}" for i in range(400))]).encode(),
        "rows.xml": ("<claims>" + "".join("<claim>" + "".join(f"<{k.replace(' ', '').replace('-', '')}>{text(v)}</{k.replace(' ', '').replace('-', '')}>"
                     for k, v in row.items() if v is not None) + "</claim>" for row in rows) + "</claims>").encode(),
    }  # fmt: skip
    assert plain
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    table = {key: [row[key] for row in rows] for key in rows[0]}
    stamps = pa.array([value.replace(microsecond=123) for value in table.pop("Happened")], pa.timestamp("ns"))
    pq.write_table(pa.table({**table, "Happened": stamps}), folder / "columns.parquet")
    return {path.name: path for path in sorted(folder.iterdir())}
