"""The simulated world is the same on any cluster, hard to see through, and as late and wrong as reports are."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score
from tests.spark.layouts import partitions

from finlake.errors import ConfigError
from finlake.lakehouse import table_digest
from finlake.simulation import card_files, loan_files
from finlake.simulation.draws import Draws, choose
from finlake.simulation.fraud import BEHAVIOURS
from finlake.simulation.loans import LoanWorld
from finlake.simulation.payments import payments
from finlake.simulation.reports import reports
from finlake.simulation.world import CLOCK, Cast, World, cards, customers

pytestmark = pytest.mark.long


def paid(spark: SparkSession, size: int = 5_000, seed: int = 7) -> tuple[World, Cast, DataFrame]:
    world = World.sized(size, seed)
    cast = Cast.of(spark, world)
    return world, cast, payments(spark, world, cast)


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Ten thousand payments with the truth."""
    folder = str(tmp_path_factory.mktemp("paid") / "paid")
    paid(spark, 10_000)[2].write.format("parquet").save(folder)
    return spark.read.format("parquet").load(folder).where(F.col("paid_at") < F.lit(CLOCK)).toPandas()


def test_rows_are_the_same_at_any_number_of_partitions(spark: SparkSession, tmp_path: Path) -> None:
    digests: dict[str, set[str]] = {"payments": set(), "reports": set(), "loans": set()}
    for count in (1, 3, 7):
        with partitions(spark, count):
            world, cast, frame = paid(spark, 2_000)
            frame.write.format("parquet").save(str(tmp_path / str(count)))
            frame = spark.read.format("parquet").load(str(tmp_path / str(count)))
            lent = LoanWorld.sized(500, 7)
            delivered = card_files.payment_rows(frame.repartition(count), cast.cards, world.draws, 1.0)
            digests["payments"].add(table_digest(delivered))
            digests["reports"].add(table_digest(card_files.report_rows(frame, world.draws, 1.0)))
            digests["loans"].add(table_digest(loan_files.loan_rows(lent.underwrite(spark), lent, 1.0)))
    assert {name: len(found) for name, found in digests.items()} == {"payments": 1, "reports": 1, "loans": 1}


def test_another_seed_gives_other_rows(spark: SparkSession) -> None:
    one, other = (customers(spark, World.sized(2_000, seed)) for seed in (7, 8))
    assert table_digest(one) != table_digest(other)


def test_about_as_many_payments_as_asked_for_and_each_has_its_own_number(table: pd.DataFrame) -> None:
    assert 7_500 < len(table) < 13_000
    assert table.payment_id.is_unique


def test_every_behaviour_happens_and_fraud_is_rare(spark: SparkSession) -> None:
    frame = paid(spark, 40_000)[2].groupBy("fraud").count().collect()
    counts = {row["fraud"]: row["count"] for row in frame}
    assert set(BEHAVIOURS) <= set(counts)
    share = 1 - counts[None] / sum(counts.values())
    assert 0.003 < share < 0.02, share


def test_no_single_column_gives_fraud_away(table: pd.DataFrame) -> None:
    fraud = table.fraud.notna()
    table = table.assign(
        hour=table.paid_at.dt.hour,
        weekday=table.paid_at.dt.dayofweek,
        number=table.payment_id,
        delay=(table.sent_at - table.paid_at).dt.total_seconds(),
    )
    ranks = {name: table[name].fillna(-1) for name in ("amount", "distance_km", "hour", "weekday", "delay", "number")}
    ranks["number"] = table.payment_id.rank()
    for name in ("category", "country", "entry_mode"):
        ranks[name] = table[name].map(fraud.groupby(table[name]).mean())
    for name, values in ranks.items():
        area = roc_auc_score(fraud, values)
        assert 0.1 < area < 0.9, (name, area)


def test_payments_are_sent_after_they_are_made_a_few_of_them_much_later(table: pd.DataFrame) -> None:
    delay = (table.sent_at - table.paid_at).dt.total_seconds()
    assert delay.min() > 0
    assert delay.median() < 300
    assert 0.004 < (delay > 3600).mean() < 0.03
    assert (delay > 86_400).any()


def test_reports_come_late_and_some_are_withdrawn(spark: SparkSession) -> None:
    made = spark.range(200_000).select(
        F.concat(F.lit("p_"), F.col("id").cast("string")).alias("payment_id"),
        F.timestamp_seconds(F.lit(1_750_000_000) + F.col("id")).alias("paid_at"),
        F.when(F.col("id") < 20_000, "stolen_card").alias("fraud"),
    )
    found = reports(made, Draws(7)).join(made, "payment_id").toPandas()
    days = (found.updated_at - found.paid_at).dt.total_seconds() / 86_400
    confirmed = days[(found.verdict == "confirmed") & found.fraud.notna()]
    assert 2.0 < confirmed.median() < 3.0
    assert 0.01 < (confirmed > 14).mean() < 0.03
    assert 0.03 < 1 - found.payment_id[found.fraud.notna()].nunique() / 20_000 < 0.09
    mistaken = found[found.fraud.isna()]
    assert 60 < mistaken.payment_id.nunique() < 150
    withdrawn = mistaken[mistaken.verdict == "dismissed"].payment_id.nunique() / mistaken.payment_id.nunique()
    assert 0.7 < withdrawn < 0.97
    assert not found.duplicated(["report_id", "updated_at"]).any()


def test_card_numbers_pass_the_luhn_check_and_are_different(spark: SparkSession) -> None:
    world = World.sized(20_000, 7)
    numbers = [row["card_number"] for row in cards(customers(spark, world), world).select("card_number").collect()]
    assert len(set(numbers)) == len(numbers) > 50
    for number in numbers:
        doubled = [int(n) * (2 if place % 2 == 0 else 1) for place, n in enumerate(number)]
        assert len(number) == 16
        assert sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0


def test_draws_follow_their_distributions(spark: SparkSession) -> None:
    d, i = Draws(1), F.col("id")
    row = (
        spark.range(50_000)
        .select(
            d.uniform("a", i).alias("u"),
            d.normal("b", i).alias("n"),
            d.poisson("c", F.lit(2.5), i).alias("p"),
            d.poisson("e", 3.0, i).alias("fixed"),
            choose(d.uniform("f", i), ["x", "y"], [1, 3]).alias("pick"),
        )
        .agg(
            F.mean("u"),
            F.stddev("u"),
            F.mean("n"),
            F.stddev("n"),
            F.mean("p"),
            F.variance("p"),
            F.mean("fixed"),
            F.mean((F.col("pick") == "y").cast("int")),
            F.corr("u", "n"),
        )
        .first()
    )
    assert row is not None
    expected = (0.5, 0.2887, 0.0, 1.0, 2.5, 2.5, 3.0, 0.75, 0.0)
    assert list(row) == pytest.approx(expected, abs=0.06)


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="payments must be between"):
        World.sized(10, 7)
    with pytest.raises(ConfigError, match="loans must be between"):
        LoanWorld.sized(3, 7)


def test_loans_default_more_in_bad_times_and_the_rejected_have_no_loan(spark: SparkSession) -> None:
    lent = LoanWorld.sized(6_000, 7).underwrite(spark)
    row = lent.agg(
        F.mean("approved"),
        F.count_if((F.col("approved") == 0) & F.col("originated_on").isNotNull()),
        F.mean(F.when(F.col("month").between(58, 65), (F.col("status") == "charged_off").cast("int"))),
        F.mean(F.when(F.col("month").between(10, 26), (F.col("status") == "charged_off").cast("int"))),
    ).first()
    assert row is not None
    approved, without, worse, better = row
    assert 0.5 < approved < 0.75
    assert without == 0
    assert 0.04 < better < worse < 0.25
