"""Versions of silver against a reference written as the contract's sentences, for hundreds of random histories."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import functions as F

from finlake.config import Source
from finlake.contracts.versions import read_silver_as_of, silver_rows, timeline, with_clocks

SOURCE = Source.model_validate(
    {
        "source": "loans",
        "about": "Loans.",
        "owner": "team@lender.example",
        "read": {"from": "loans", "format": "csv"},
        "columns": {
            "loan": {"type": "text"},
            "number": {"type": "integer"},
            "rate": {"type": "integer"},
            "made_at": {"type": "timestamp"},
            "known": {"type": "timestamp"},
            "outcome": {"type": "text"},
            "closed_at": {"type": "timestamp"},
            "recovered": {"type": "integer"},
        },
        "key": "loan",
        "latest_by": "number",
        "happened_at": "made_at",
        "known_at": "known",
        "known_later": [
            {"columns": ["outcome"], "known_at": "closed_at"},
            {"columns": ["recovered"], "known_at": {"happened_at plus": "9 days"}},
        ],
    }
)
START = datetime(2025, 1, 1)
NEW = (
    "loan string, number bigint, rate bigint, made_at timestamp, known timestamp, outcome string, closed_at timestamp, "
    "recovered bigint, _row_id string, _batch string, _arrived_at timestamp, _file string, _row bigint"
)
Row = dict[str, Any]


def day(number: int | None) -> datetime | None:
    return None if number is None else START + timedelta(days=number)


def histories(seed: int, loans: int, conflicts: bool = True) -> list[Row]:
    """Rows in the order they arrive: corrections out of order, repeats, contradictions, unknown outcomes."""
    rng = random.Random(seed)
    rows: list[Row] = []
    for loan in range(loans):
        number_of_rows = rng.choice([1, 1, 2, 3, 5])
        mine: list[Row] = []
        for _ in range(number_of_rows):
            if mine and rng.random() < 0.25:
                mine.append(dict(rng.choice(mine)))
                continue
            number = rng.randint(0, 4)
            if not conflicts and number in [other["number"] for other in mine]:
                continue
            mine.append(
                {
                    "loan": f"l{loan}",
                    "number": number,
                    "rate": rng.randint(1, 3),
                    "made_at": day(rng.randint(0, 2)),
                    "known": day(rng.randint(0, 8)),
                    "outcome": rng.choice([None, "repaid", "charged_off"]),
                    "closed_at": day(rng.choice([None, 1, 5, 12])),
                    "recovered": rng.choice([None, 7]),
                }
            )
        rows += mine
    rng.shuffle(rows)
    for position, row in enumerate(rows):
        row.update(_row_id=f"f-{position}", _row=position)
    return rows


def reference(rows: list[Row]) -> tuple[dict[tuple[str, int], Row], dict[str, str]]:
    """(row id, part) -> version with its times, and the class of every row that is not a version."""
    silver: dict[tuple[str, int], Row] = {}
    others: dict[str, str] = {}
    by_loan: dict[str, dict[int, Row]] = {}
    values = list(SOURCE.columns)
    for row in rows:
        heads = by_loan.setdefault(row["loan"], {})
        first = heads.setdefault(row["number"], row)
        if first is not row:
            others[row["_row_id"]] = "duplicate" if all(first[c] == row[c] for c in values) else "conflict"
    for heads in by_loan.values():
        for number, row in heads.items():
            later = [other["known"] for n, other in heads.items() if n > number]
            end = max(min(later), row["known"]) if later else None
            clocks = [(row["known"], 0)]
            clocks += [(max(row["known"], row["closed_at"]), 1)] if row["closed_at"] else []
            clocks += [(max(row["known"], row["made_at"] + timedelta(days=9)), 2)]
            clocks.sort()
            for place, (begins, part) in enumerate(clocks):
                shown = {p for _, p in clocks[: place + 1]}
                until = clocks[place + 1][0] if place + 1 < len(clocks) else None
                ends = [moment for moment in (until, end) if moment is not None]
                silver[row["_row_id"], part] = {
                    "rate": row["rate"],
                    "outcome": row["outcome"] if 1 in shown else None,
                    "recovered": row["recovered"] if 2 in shown else None,
                    "known_from": begins,
                    "known_to": max(min(ends), begins) if ends else None,
                }
    return silver, others


class Silver:
    """What a MERGE would make of `silver_rows`, kept in memory."""

    def __init__(self, spark: Any) -> None:
        self.spark = spark
        self.rows: dict[tuple[str, int], Row] = {}
        self.classes: dict[str, str] = {}
        self.schema: Any = None

    def add(self, batch: list[Row]) -> None:
        values = [(*(row[c] for c in SOURCE.columns), row["_row_id"], "b", START, "f", row["_row"]) for row in batch]
        new = with_clocks(self.spark.createDataFrame(values, NEW), SOURCE)
        existing = self.frame() if self.rows else None
        timed = timeline(new, SOURCE, existing)
        changes = silver_rows(timed, SOURCE)
        self.schema = changes.schema
        for item in changes.collect():
            key = (item["_row_id"], item["_part"])
            if key in self.rows:
                self.rows[key]["known_to"] = item["known_to"]
            else:
                self.rows[key] = item.asDict()
        doubles = timed.where(F.col("_class").isin("duplicate", "conflict")).select("_row_id", "_class").collect()
        self.classes.update({item["_row_id"]: item["_class"] for item in doubles})

    def frame(self) -> Any:
        names = self.schema.names
        return self.spark.createDataFrame([tuple(row[n] for n in names) for row in self.rows.values()], self.schema)

    def seen(self) -> dict[tuple[str, int], Row]:
        shown = ("rate", "outcome", "recovered", "known_from", "known_to")
        return {key: {name: row[name] for name in shown} for key, row in self.rows.items()}


def test_versions_are_those_of_the_reference_in_one_batch_or_in_many(spark):
    rows = histories(seed=1, loans=300)
    expected, others = reference(rows)
    once, split = Silver(spark), Silver(spark)
    once.add(rows)
    assert once.seen() == expected
    assert once.classes == others
    cuts = sorted(random.Random(2).sample(range(1, len(rows)), 2))
    for begin, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        split.add(rows[begin:end])
    assert split.seen() == expected
    assert split.classes == others


def test_without_contradictions_the_order_of_batches_does_not_matter(spark):
    rows = histories(seed=3, loans=150, conflicts=False)
    expected, _ = reference(rows)
    backwards = Silver(spark)
    half = len(rows) // 2
    backwards.add(rows[half:])
    backwards.add(rows[:half])

    def whatever_row(found: dict[tuple[str, int], Row]) -> list[Any]:
        """Without row ids: of two equal rows either may be the one that is kept."""
        loans = {row["_row_id"]: row["loan"] for row in rows}
        return sorted((loans[row_id], part, *map(str, row.values())) for (row_id, part), row in found.items())

    assert whatever_row(backwards.seen()) == whatever_row(expected)


def test_at_any_moment_each_loan_has_one_version_and_it_knows_nothing_later(spark):
    rows = histories(seed=4, loans=120)
    silver = Silver(spark)
    silver.add(rows)
    expected, _ = reference(rows)
    loans = {row["_row_id"]: row["loan"] for row in rows}
    frame = silver.frame()
    moments = [START + timedelta(days=n) for n in (0, 3, 7, 20)]
    views = [read_silver_as_of(frame, m.replace(tzinfo=UTC)).withColumn("_at", F.lit(m)) for m in moments]
    found = views[0].unionByName(views[1]).unionByName(views[2]).unionByName(views[3]).collect()
    for moment in moments:
        visible = {
            loans[row_id]: (row["rate"], row["outcome"])
            for (row_id, _), row in expected.items()
            if row["known_from"] <= moment and (row["known_to"] is None or moment < row["known_to"])
        }
        mine = [item for item in found if item["_at"] == moment]
        assert len(mine) == len({item["loan"] for item in mine})
        assert {item["loan"]: (item["rate"], item["outcome"]) for item in mine} == visible
        assert all(item["outcome"] is None or item["closed_at"] <= moment for item in mine)
