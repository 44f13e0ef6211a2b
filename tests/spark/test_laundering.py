"""The simulated bank: the same on any cluster, with every behaviour as described, and files its contracts accept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.spark.layouts import partitions

from finlake.config import load
from finlake.contracts.checks import is_good
from finlake.contracts.judge import judge
from finlake.errors import ConfigError
from finlake.lakehouse import table_digest
from finlake.simulation import CLOCK
from finlake.simulation.laundering import generate_laundering
from finlake.simulation.laundering.alerts import account_days, reports
from finlake.simulation.laundering.behaviours import laundering
from finlake.simulation.laundering.files import DELIVERIES, transfer_rows
from finlake.simulation.laundering.flows import CYCLE_DAYS, PASS_HOURS
from finlake.simulation.laundering.honest import honest
from finlake.simulation.laundering.incidents import BEHAVIOURS, THRESHOLD
from finlake.simulation.laundering.transfers import finish
from finlake.simulation.laundering.world import Bank, accounts

pytestmark = pytest.mark.long

CONF = Path(__file__).parents[2] / "examples" / "laundering"
META = {"_extra": "map<string,string>", "_corrupt": "string", "_source": "string", "_file": "string"}
META = {**META, "_file_digest": "string", "_row": "bigint", "_arrived_at": "timestamp"}
SIZES = {"accounts": 400, "transfers": 12_000, "seed": 7}


@dataclass
class Made:
    """A landing folder, what generate said about it, and the truth."""

    landing: Path
    result: dict[str, Any]
    truth: pd.DataFrame

    def of(self, behaviour: str) -> Iterator[pd.DataFrame]:
        """Bookings of each incident, in order of time."""
        found = self.truth[self.truth.behaviour == behaviour].sort_values("booked_at")
        return (incident for _, incident in found.groupby("incident"))

    def rows(self, source: str) -> pd.DataFrame:
        parts = [self._read(path, DELIVERIES[source].format) for path in sorted((self.landing / source).iterdir())]
        return pd.concat(parts, ignore_index=True)

    def _read(self, path: Path, form: str) -> pd.DataFrame:
        if form == "parquet":
            return pq.read_table(path).to_pandas()
        if form == "json":
            return pd.read_json(path, lines=True, dtype=False, convert_dates=False)
        separator = ";" if path.suffix == ".gz" else ","
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)

    def bookings(self) -> pd.DataFrame:
        """What was booked first, with the behaviour where there is one."""
        rows = self.rows("transfers")
        rows = rows[rows.status == "booked"].drop_duplicates("transfer_id", keep="last")
        rows["amount"] = rows.amount.str.replace(",", ".").astype(float)
        return rows.merge(self.truth[["transfer_id", "behaviour"]], on="transfer_id", how="left")

    def stamps(self) -> dict[str, int]:
        return {str(p.relative_to(self.landing)): p.stat().st_mtime_ns for p in self.landing.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Made:
    landing = tmp_path_factory.mktemp("bank") / "landing"
    result = generate_laundering(spark, landing, **SIZES)
    return Made(landing, result, pd.read_parquet(landing.parent / "truth" / "laundering.parquet"))


def digests(spark: SparkSession, folder: Path) -> tuple[str, ...]:
    """Of transfers, account days and reports of a small bank."""
    bank = Bank.sized(100, 2_500, 7)
    booked = finish(bank, honest(spark, bank, accounts(spark, bank)).unionByName(laundering(spark, bank)))
    booked.write.format("parquet").save(str(folder))
    booked = spark.read.format("parquet").load(str(folder))
    days = account_days(booked, bank)
    made = (transfer_rows(booked, bank.draws), days.drop("largest"), reports(booked, days, bank.draws))
    return tuple(table_digest(frame) for frame in made)


def test_rows_are_the_same_at_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    found = []
    for count in (1, 5):
        with partitions(spark, count):
            found.append(digests(spark, tmp_path / str(count)))
    assert found[0] == found[1]


def test_another_seed_gives_other_accounts(spark: SparkSession) -> None:
    one, other = (accounts(spark, Bank.sized(100, 2_500, seed)) for seed in (7, 8))
    assert table_digest(one) != table_digest(other)


def test_about_as_many_bookings_as_asked_for_and_laundering_is_rare(made: Made) -> None:
    bookings = made.result["bookings"]
    total = sum(bookings.values())
    assert 0.85 < total / SIZES["transfers"] < 1.15
    assert set(BEHAVIOURS) < set(bookings)
    assert 0.97 < bookings["none"] / total < 0.992
    assert made.truth.transfer_id.is_unique


def test_structuring_stays_below_the_threshold_and_adds_up_to_more(made: Made) -> None:
    for incident in made.of("structuring"):
        cash = incident[incident.channel == "cash_deposit"]
        assert cash.amount.max() < THRESHOLD < cash.amount.sum()
        assert (cash.booked_at.max() - cash.booked_at.min()).days <= 9
        assert set(incident[incident.direction == "out"].channel) <= {"swift"}


def test_a_fan_collects_from_many_before_it_pays_a_few(made: Made) -> None:
    for incident in made.of("fan"):
        mule = incident.account_id.mode()[0]
        own = incident[incident.account_id == mule]
        senders, receivers = own[own.direction == "in"], own[own.direction == "out"]
        assert len(senders) >= 5 > 0 < len(receivers) < len(senders)
        assert senders.booked_at.median() < receivers.booked_at.min()
        assert 0.5 < receivers.amount.sum() / senders.amount.sum() < 1.6


def test_what_passes_through_is_gone_within_two_days(made: Made) -> None:
    for incident in made.of("pass_through"):
        came, went = (incident[incident.direction == way].reset_index() for way in ("in", "out"))
        assert len(came) == len(went)
        hours = (went.booked_at - came.booked_at).dt.total_seconds() / 3600
        assert hours.between(0.5, PASS_HOURS).all()
        assert (went.amount / came.amount).between(0.94, 1).all()


def test_cycles_close_within_their_days(made: Made) -> None:
    lengths = set()
    for incident in made.of("cycle"):
        sent = incident[incident.direction == "out"]
        hops = list(zip(sent.account_id, sent.counterparty_id, strict=True))
        assert [to for _, to in hops] == [giver for giver, _ in hops[1:]] + [hops[0][0]]
        assert len({giver for giver, _ in hops}) == len(hops)
        assert (sent.booked_at.max() - sent.booked_at.min()).total_seconds() < CYCLE_DAYS * 86_400
        assert sorted(incident[incident.direction == "in"].amount) == sorted(sent.amount)
        lengths.add(len(hops))
    assert lengths <= {3, 4, 5}


def test_layering_comes_from_abroad_and_leaves_for_abroad_by_several_accounts(made: Made) -> None:
    for incident in made.of("layering"):
        assert incident.account_id.nunique() >= 2
        first, last = incident.iloc[0], incident.iloc[-1]
        assert (first.direction, last.direction) == ("in", "out")
        assert first.counterparty_id.startswith("x_") and last.counterparty_id.startswith("x_")
        assert first.counterparty_id != last.counterparty_id
        assert last.amount > 0.8 * first.amount


def test_dormant_accounts_hardly_did_anything_before_they_woke(made: Made) -> None:
    bookings = made.bookings()
    woken = set(made.truth[made.truth.behaviour == "dormant"].account_id)
    own = bookings[bookings.account_id.isin(woken) & bookings.behaviour.isna()].groupby("account_id").size()
    usual = bookings[~bookings.account_id.isin(woken)].groupby("account_id").size().median()
    assert own.reindex(sorted(woken), fill_value=0).median() < usual / 5


def test_over_invoicing_is_far_above_the_companys_own_invoices(made: Made) -> None:
    bookings = made.bookings()
    ratios = []
    for incident in made.of("over_invoicing"):
        sent = incident[incident.direction == "out"]
        own = bookings[(bookings.account_id == sent.account_id.iloc[0]) & bookings.behaviour.isna()]
        invoices = own[(own.purpose == "SUPP") & (own.direction == "D")].amount
        if len(invoices):
            ratios.append(sent.amount.median() / invoices.median())
        assert set(sent.channel) == {"swift"} and sent.counterparty_id.nunique() == 1
    assert pd.Series(ratios).median() > 1.5


def test_round_amounts_are_round_and_what_is_above_expectation_is_above(made: Made) -> None:
    for incident in made.of("round_amounts"):
        assert (incident.amount % 100 == 0).all()
    expected = made.rows("account_days").groupby("account_id").expected_turnover.max().astype(float)
    for incident in made.of("above_expected"):
        assert incident[incident.direction == "in"].amount.sum() > expected[incident.account_id.iloc[0]]


def test_honest_bookings_share_the_marks_so_that_no_single_rule_finds_more_than_half(made: Made) -> None:
    rows = made.bookings()
    guilty = rows.behaviour.notna()
    rules = {
        "cash just below": (rows.channel == "CDP") & rows.amount.between(8_500, THRESHOLD),
        "cash": rows.channel == "CDP",
        "large": rows.amount > 5_000,
        "abroad": (rows.counterparty_country != "DE") & (rows.counterparty_country != ""),
        "listed": rows.country_risk.isin(["1", "2"]),
        "round": (rows.amount >= 500) & (rows.amount % 500 == 0),
        "loan": rows.purpose == "LOAN",
        "no purpose": rows.purpose == "",
        "internal": rows.counterparty_id.str.startswith("a_"),
    }
    for name, rule in rules.items():
        assert (rule & guilty).sum() / guilty.sum() < 0.5, name
        assert (rule & ~guilty).sum() > 0, name
    for column in ("channel", "purpose", "counterparty_country", "direction"):
        assert set(rows[guilty][column]) <= set(rows[~guilty][column]), column


def test_bookings_are_sent_later_some_much_later_and_some_again(made: Made) -> None:
    rows = made.rows("transfers")
    booked = pd.to_datetime(rows.booked_at, format="%d.%m.%Y %H:%M:%S").dt.tz_localize(
        "Europe/Berlin", ambiguous=True, nonexistent="shift_forward"
    )
    first = ~rows.duplicated("transfer_id")
    hours = (pd.to_datetime(rows.sent_at, utc=True) - booked)[first].dt.total_seconds() / 3600
    assert hours.min() > 0 and hours.median() < 1
    assert 0.004 < (hours > 24).mean() < 0.02
    assert 0.002 < (rows.status == "reversed").mean() < 0.01
    assert not rows.duplicated(["transfer_id", "sent_at"]).any()


def test_reports_are_late_incomplete_and_sometimes_taken_back(spark: SparkSession, tmp_path: Path) -> None:
    bank = Bank.sized(2_000, 50_000, 7)
    finish(bank, laundering(spark, bank)).write.format("parquet").save(str(tmp_path / "booked"))
    booked = spark.read.format("parquet").load(str(tmp_path / "booked"))
    days = account_days(booked, bank)
    found = reports(booked, days, bank.draws).join(days.select("account_day_id", "closed_at"), "account_day_id")
    table = found.withColumn("after", (F.unix_seconds("updated_at") - F.unix_seconds("closed_at")) / 86_400).toPandas()
    filed = table[table.verdict == "filed"]
    assert 0.65 < filed.account_day_id.nunique() / days.count() < 0.9
    assert 5 < filed.after.median() < 16
    assert (filed.after < 28).mean() > 0.9
    assert (table.after > 0).all()
    assert 0 < (table.verdict == "retracted").sum() < len(filed) / 10
    assert set(table.verdict) == {"open", "filed", "dismissed", "retracted"}


def test_a_second_call_adds_nothing_and_a_later_one_only_the_next_day(spark: SparkSession, made: Made) -> None:
    before = made.stamps()
    assert max(before.values()) / 1e9 <= CLOCK.timestamp()
    assert generate_laundering(spark, made.landing, **SIZES)["new"] == 0
    assert made.stamps() == before
    more = generate_laundering(spark, made.landing, until=datetime(2025, 10, 16, tzinfo=UTC), **SIZES)
    after = made.stamps()
    assert {path: after[path] for path in before} == before
    new = sorted(set(after) - set(before))
    assert more["new"] == len(new) > 0
    assert all("2025-10-15" in path for path in new)
    assert more["rows"]["transfers"] > made.result["rows"]["transfers"]


def test_contracts_accept_every_row(spark: SparkSession, made: Made) -> None:
    config = load(CONF)
    assert set(DELIVERIES) == set(config.sources)
    meta = {name: F.lit(None).cast(kind) for name, kind in META.items()} | {"_batch": F.lit("one")}
    for name, delivery in DELIVERIES.items():
        contract, rows = config.source(name), made.rows(name)
        assert set(rows.columns) == set(contract.columns), name
        assert contract.read.delimiter == delivery.options.get("sep", ",")
        assert all(path.match(contract.read.pattern) for path in (made.landing / name).iterdir())
        texts = rows.astype("string").astype(object).where(rows.notna(), None)
        received = spark.createDataFrame(texts, ", ".join(f"`{column}` string" for column in rows.columns))
        judged = judge(received.withColumns(meta), contract, datetime(2025, 10, 16, 6, tzinfo=UTC))
        counts = judged.frame.agg(F.count(F.lit(1)).alias("rows"), F.count_if(~is_good()).alias("bad")).collect()[0]
        assert counts["bad"] == 0 and counts["rows"] == len(rows) > 0, (name, counts)


@pytest.mark.parametrize(("given", "message"), [({"accounts": 10}, "accounts"), ({"transfers": 900}, "transfers")])
def test_sizes_that_cannot_be_are_refused(
    spark: SparkSession, tmp_path: Path, given: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        generate_laundering(spark, tmp_path / "landing", **{"accounts": 100, "transfers": 2_500, **given})
    with pytest.raises(ConfigError, match="time zone"):
        generate_laundering(spark, tmp_path / "landing", until=datetime.fromisoformat("2025-10-16"))
