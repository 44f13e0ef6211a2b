"""What is delivered: files that appear once, are as their contract says, and hold the dirt that was planted."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from finlake.config import load
from finlake.errors import ConfigError
from finlake.simulation import CLOCK, generate
from finlake.simulation.dirt import KIND, SENT, Spoil, soil
from finlake.simulation.draws import Draws
from finlake.simulation.generate import DELIVERIES

pytestmark = pytest.mark.long

CONF = Path(__file__).parents[2] / "conf"
SIZES = {"payments": 6_000, "loans": 600, "seed": 7}


class Delivered:
    """A landing folder, what generate said about it, and its rows as Python reads them."""

    def __init__(self, landing: Path, result: dict[str, Any]) -> None:
        self.landing, self.result = landing, result

    def rows(self, source: str) -> list[dict[str, Any]]:
        return [row for path in sorted((self.landing / source).iterdir()) for row in read(path, source)]

    def planted(self, source: str) -> dict[str, int]:
        return {line["kind"]: line["rows"] for line in self.result["ledger"] if line["source"] == source}

    def stamps(self) -> dict[str, int]:
        return {str(p.relative_to(self.landing)): p.stat().st_mtime_ns for p in self.landing.rglob("*") if p.is_file()}


def read(path: Path, source: str) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    if path.suffix == ".xml":
        return [{e.tag: e.text for e in row} for row in ElementTree.parse(path).getroot()]
    encoding = "latin-1" if source == "loan_applications" else "utf-8"
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode(encoding)
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    separator = DELIVERIES[source].options.get("sep", ",")
    return list(csv.DictReader(text.splitlines(), delimiter=separator))


@pytest.fixture(scope="module")
def delivered(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    landing = tmp_path_factory.mktemp("demo") / "landing"
    return Delivered(landing, generate(spark, landing, dirt=4.0, **SIZES))


def test_every_source_has_the_columns_of_its_contract(delivered: Delivered) -> None:
    config = load(CONF)
    for source, delivery in DELIVERIES.items():
        contract = config.source(source)
        seen = {name for row in delivered.rows(source) for name in row}
        assert seen == set(contract.columns), source
        assert contract.read.from_ == source
        for path in (delivered.landing / source).iterdir():
            assert path.match(contract.read.pattern), path
        assert contract.read.delimiter == delivery.options.get("sep", ",")


def test_coded_columns_hold_only_codes_the_contract_knows(delivered: Delivered) -> None:
    config = load(CONF)
    for source in DELIVERIES:
        coded = {name: column.codes for name, column in config.source(source).columns.items() if column.codes}
        rows = delivered.rows(source)
        for name, codes in coded.items():
            seen = {row.get(name) for row in rows} - {None, ""}
            assert seen - {"X"} <= set(codes), (source, name)


def test_files_carry_the_time_of_their_delivery_and_nothing_is_from_the_future(delivered: Delivered) -> None:
    times = [stamp / 1e9 for stamp in delivered.stamps().values()]
    assert max(times) <= CLOCK.timestamp()
    assert max(times) > CLOCK.timestamp() - 3600
    last = max(row["sent_at"] for row in delivered.rows("card_transactions"))
    assert last < CLOCK.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_second_call_adds_nothing_and_a_later_one_only_the_next_day(
    spark: SparkSession, delivered: Delivered
) -> None:
    before = delivered.stamps()
    assert generate(spark, delivered.landing, dirt=4.0, **SIZES)["new"] == 0
    assert delivered.stamps() == before
    rows = delivered.result["rows"]["card_transactions"]
    more = generate(spark, delivered.landing, dirt=4.0, until=datetime(2025, 10, 16, tzinfo=UTC), **SIZES)
    after = delivered.stamps()
    assert {path: after[path] for path in before} == before
    new = sorted(set(after) - set(before))
    assert more["new"] == len(new) > 0
    assert "card_transactions/payments_2025-10-15.csv.gz" in new
    assert all("2025-10-15" in path for path in new)
    assert more["rows"]["card_transactions"] > rows
    delivered.result = more


def test_what_the_ledger_says_was_planted_is_in_the_files(delivered: Delivered) -> None:
    rows, planted = delivered.rows("card_transactions"), delivered.planted("card_transactions")
    assert len(rows) == delivered.result["rows"]["card_transactions"]
    assert sum(r["amount"] == "n/a" for r in rows) == planted["amount is not a number"] > 0
    assert sum(r["paid_at"][6:10] == "2027" for r in rows) == planted["time in the future"] > 0
    assert sum(r["card_number"] == "" for r in rows) == planted["card number missing"] > 0
    assert sum(r["amount"].startswith("-") for r in rows) == planted["amount out of range"] > 0
    assert sum(r["terminal_id"].startswith("t_9") for r in rows) == planted["terminal unknown"] > 0
    distinct = {tuple(r.values()) for r in rows}
    assert len(rows) - len(distinct) <= planted["duplicate"]
    assert len(rows) - len(distinct) > 0.9 * planted["duplicate"]
    again = len(distinct) - len({r["payment_id"] for r in rows})
    assert 0 < again <= planted["correction"]


def test_without_dirt_every_key_comes_once(spark: SparkSession) -> None:
    frame = spark.range(1000).select("id", F.lit("1").alias("amount"), F.current_timestamp().alias(SENT))
    clean = soil(frame, Draws(7), "x", F.col("id"), {"bad": Spoil(0.5, {"amount": F.lit("n/a")})}, factor=0)
    assert clean.where("amount = '1'").count() == clean.where(F.col(KIND).isNull()).count() == 1000


def test_each_row_gets_at_most_one_kind_and_sound_rows_stay_beside_their_copies(spark: SparkSession) -> None:
    spoils = {
        "copy": Spoil(0.2, fate="duplicate", again=True, later=F.lit(60)),
        "bad": Spoil(0.3, {"amount": F.lit("n/a")}),
    }
    frame = spark.range(4000).select("id", F.lit("1").alias("amount"), F.timestamp_seconds(F.lit(0)).alias(SENT))
    rows = soil(frame, Draws(7), "x", F.col("id"), spoils).toPandas()
    kinds = rows[KIND].value_counts()
    assert len(rows) == 4000 + kinds["copy"]
    assert set(rows.id) == set(range(4000))
    assert (rows.amount == "n/a").sum() == kinds["bad"]
    assert abs(kinds["bad"] - 1200) < 150
    assert (rows[SENT].dt.second + 60 * rows[SENT].dt.minute)[rows[KIND] == "copy"].eq(60).all()


def test_more_dirt_than_rows_is_refused(spark: SparkSession) -> None:
    frame = spark.range(1).select("id", F.current_timestamp().alias(SENT))
    with pytest.raises(ConfigError, match="would spoil 300%"):
        soil(frame, Draws(7), "x", F.col("id"), {"bad": Spoil(0.3)}, factor=10)


def test_a_time_without_zone_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a time zone"):
        generate(spark, tmp_path / "landing", until=datetime(2025, 10, 15))
