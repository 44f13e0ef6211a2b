"""Networks of accounts beside brute force, without a look into the future, and on a public simulation of laundering."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import network_reference as reference
import pytest
from network_reference import EDGES, HOUR, LABELS, START, Edge
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from sklearn.metrics import roc_auc_score

from finlake.errors import ConfigError
from finlake.features.networks.communities import communities, modularity
from finlake.features.networks.components import components
from finlake.features.networks.cycles import CycleLimits, cycle_counts, cycles
from finlake.features.networks.degrees import degrees
from finlake.features.networks.edges import Stage, moment_micros, pairs
from finlake.features.networks.mart import NetworkSettings, account_network

Snapshots = dict[tuple[str, datetime], dict[str, object]]

DAY = timedelta(days=1)
LIMITS = CycleLimits(within=3 * DAY, growth=1.2, longest=5, per_account=1000)
SETTINGS = NetworkSettings(
    {"2d": 2 * DAY, "6d": 6 * DAY}, 30 * HOUR, LIMITS, network=4 * DAY, rounds=3, decay=0.6, steps=2
)
MOMENTS = [START + 7 * DAY, START + 9 * DAY + 5 * HOUR]
LATER = MOMENTS[0] + timedelta(microseconds=1)
RANDOM = [edge for seed in range(1, 5) for edge in reference.random_edges(seed)]
BAD = {f"{seed}-{name}": START + day * DAY for seed in range(1, 5) for name, day in (("b", 3), ("c", 8), ("d", 12))}
LOG = logging.getLogger(__name__)
FRAUD = Path(os.environ.get("FINLAKE_DATA", "")) / "fraud" / "amlsim_sample"
ABSENT = not FRAUD.is_dir()


@pytest.fixture(scope="module")
def stage(spark, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Parquet files, a new folder for each frame."""
    folder, number = tmp_path_factory.mktemp("staged"), count()

    def write(name: str, frame: DataFrame) -> DataFrame:
        place = str(folder / f"{name}-{next(number)}")
        frame.write.parquet(place)
        return spark.read.schema(frame.schema).parquet(place)

    return write


@pytest.fixture(scope="module")
def snapshots(spark, stage) -> Snapshots:
    labels = spark.createDataFrame([(account, since, None) for account, since in BAD.items()], LABELS)
    return table(account_network(frame(spark, RANDOM), labels, MOMENTS, SETTINGS, stage))


def frame(spark, edges: list[Edge]) -> DataFrame:
    return spark.createDataFrame([edge.row() for edge in edges], EDGES)


def table(made: DataFrame) -> Snapshots:
    rows = [row.asDict() for row in made.collect()]
    found = {(row.pop("account"), row.pop("as_of").replace(tzinfo=START.tzinfo)): row for row in rows}
    assert len(found) == len(rows)
    return found


def expected(edges: list[Edge], bad: dict[str, datetime], moment: datetime) -> dict[str, dict[str, object]]:
    seen = {name: reference.visible(edges, moment, length) for name, length in SETTINGS.windows.items()}
    near = reference.visible(edges, moment, SETTINGS.network)
    known = reference.visible(edges, moment, timedelta(days=1000))
    found = list(reference.cycles(known, LIMITS.within, LIMITS.growth, LIMITS.longest))
    groups, labels = reference.components(near), reference.communities(near, SETTINGS.rounds)
    risk = reference.risk(near, {a for a, since in bad.items() if since <= moment}, SETTINGS.decay, SETTINGS.steps)
    rows: dict[str, dict[str, object]] = {}
    for account in reference.accounts(seen["6d"]):
        row: dict[str, object] = {"propagated_risk": risk.get(account)}
        for name, length in SETTINGS.windows.items():
            measured = reference.degrees(seen[name], account) | reference.flow(seen[name], account, SETTINGS.bound)
            row |= {f"{measure}_{name}": value for measure, value in measured.items()}
            closing = [path for path in found if path[-1].at >= moment - length]
            mine = Counter(len(path) for path in closing if account in {edge.source for edge in path})
            row |= {f"cycles_{n}_{name}": mine[n] for n in range(2, 6)} | {f"cycles_unseen_{name}": 0}
        for name, of in (("component", groups), ("community", labels)):
            row[name] = of.get(account)
            row[f"{name}_size"] = Counter(of.values())[of[account]] if account in of else None
        rows[account] = row
    return rows


def differences(mine: Snapshots, other: Snapshots) -> dict[tuple[object, str], tuple[object, object]]:
    return {
        (key, name): (mine[key][name], value)
        for key, row in other.items()
        for name, value in row.items()
        if not same(mine[key][name], value)
    }


def same(mine: object, other: object) -> bool:
    return mine == other or (
        isinstance(mine, float) and isinstance(other, int | float) and mine == pytest.approx(other)
    )


@pytest.mark.long
def test_every_feature_is_what_brute_force_finds_in_the_edges_known_then(snapshots) -> None:
    found = {(a, moment): row for moment in MOMENTS for a, row in expected(RANDOM, BAD, moment).items()}
    assert snapshots.keys() == found.keys()
    assert all(row.keys() == snapshots[key].keys() for key, row in found.items())
    assert differences(snapshots, found) == {}
    assert sum(row[f"cycles_{n}_6d"] > 0 for row in found.values() for n in range(2, 6)) > 20
    assert len({row["propagated_risk"] for row in found.values()}) > 20


@pytest.mark.long
def test_what_becomes_known_later_changes_no_earlier_snapshot_in_any_partitioning(spark, stage, snapshots) -> None:
    labels = [(account, since, MOMENTS[1]) for account, since in BAD.items()] + [
        ("1-a", LATER, None),
        ("2-a", LATER, None),
    ]
    scattered = frame(spark, RANDOM + news(100)).repartition(5, "edge_id")
    spark.conf.set("spark.sql.shuffle.partitions", "3")
    try:
        told = spark.createDataFrame(labels, LABELS)
        after = table(account_network(scattered, told, MOMENTS[:1], SETTINGS, stage))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
    before = {key: row for key, row in snapshots.items() if key[1] == MOMENTS[0]}
    assert after.keys() == before.keys()
    assert differences(after, before) == {}


def test_later_payments_push_no_earlier_one_of_a_busy_account_out_of_sight(spark, stage) -> None:
    limits = CycleLimits(3 * DAY, 1.2, 3, per_account=4)

    def known(edges: list[Edge]) -> list[list[tuple[object, ...]]]:
        made = cycles(frame(spark, edges), limits, stage)
        then = f"since <= {moment_micros(MOMENTS[0])} AND until > {moment_micros(MOMENTS[0])}"
        return [sorted(rows.filter(then).drop("accounts").collect()) for rows in (made.found, made.left_out)]

    edges = reference.random_edges(1, accounts=6, count=60)
    found, unseen = known(edges)
    assert found
    assert unseen
    assert known(edges + news(50)) == [found, unseen]


def news(number: int) -> list[Edge]:
    """Payments of the first days that become known just after the first moment; their ids come first in any order."""
    there = [Edge(f"0-{n}", "1-a", f"1-{chr(98 + n % 5)}", 5, START + n * HOUR, LATER) for n in range(number)]
    return there + [Edge(f"1-{n}", "1-b", "1-a", 4, START + (n + 1) * HOUR, LATER) for n in range(number)]


def chain(*steps: tuple[str, int, int]) -> list[Edge]:
    """Payments one after the other: account and hour, and what it paid to the next account of the list."""
    following = [name for name, _, _ in steps[1:]] + [steps[0][0]]
    return [
        Edge(f"e{len(steps) - n}", name, to, amount, START + hour * HOUR, START + hour * HOUR)
        for n, ((name, hour, amount), to) in enumerate(zip(steps, following, strict=True))
    ]


CASES = {
    "in time": (chain(("a", 0, 100), ("b", 1, 100), ("c", 72, 99)), ["e1|e3|e2"]),
    "too slow": (chain(("a", 0, 100), ("b", 1, 100), ("c", 73, 99)), []),
    "grows": (chain(("a", 0, 100), ("b", 1, 121), ("c", 2, 99)), []),
    "at the same time": (chain(("a", 0, 100), ("b", 1, 100), ("c", 1, 99)), []),
    "two, not one of four": (chain(("a", 0, 9), ("b", 1, 9), ("a", 2, 9), ("c", 3, 9)), ["e3|e4", "e1|e2"]),
    "five": (chain(("a", 0, 9), ("b", 1, 9), ("c", 2, 9), ("d", 3, 9), ("e", 4, 9)), ["e1|e5|e4|e3|e2"]),
    "six": (chain(("a", 0, 9), ("b", 1, 9), ("c", 2, 9), ("d", 3, 9), ("e", 4, 9), ("f", 5, 9)), []),
}


def test_a_cycle_is_found_once_if_it_is_quick_simple_and_does_not_grow(spark, stage) -> None:
    edges = [
        replace(edge, edge_id=f"{case} {edge.edge_id}", source=f"{case} {edge.source}", target=f"{case} {edge.target}")
        for case, (path, _) in CASES.items() for edge in path
    ]  # fmt: skip
    due = {case: sorted(cycles) for case, (_, cycles) in CASES.items()}
    brute = {
        c: sorted(map(reference.turned, reference.cycles(path, 3 * DAY, 1.2, 5))) for c, (path, _) in CASES.items()
    }
    assert brute == due
    made = cycles(frame(spark, edges), LIMITS, stage)
    found: dict[str, list[str]] = {case: [] for case in CASES}
    for row in made.found.collect():
        case = row["cycle"].partition(" e")[0]
        found[case].append(row["cycle"].replace(f"{case} ", ""))
    assert {case: sorted(cycles) for case, cycles in found.items()} == due
    assert made.left_out.count() == 0


def test_payments_of_a_busy_account_that_are_not_looked_at_are_named(spark, stage) -> None:
    """An account's first payments to become known are looked at, the rest are listed, on the side where they are too many."""
    out = [Edge(f"o{n}", "hub", f"x{n}", 10, START + n * HOUR, START + n * HOUR) for n in range(6)]
    back = [Edge(f"r{n}", f"x{n}", "hub", 10, START + (n + 10) * HOUR, START + (n + 10) * HOUR) for n in range(6)]
    made = cycles(frame(spark, out + back), CycleLimits(3 * DAY, longest=2, per_account=4), stage)
    assert sorted(row["cycle"] for row in made.found.collect()) == [f"o{n}|r{n}" for n in range(4)]
    left = {(row["account"], row["incoming"], row["edge_id"]) for row in made.left_out.collect()}
    assert left == {("hub", False, "o4"), ("hub", False, "o5"), ("hub", True, "r4"), ("hub", True, "r5")}


def test_long_paths_and_stars_are_one_component_and_few_rounds_are_refused(spark, stage) -> None:
    line = [Edge(str(n), f"p{n:02}", f"p{n + 1:02}", 1, START, START) for n in range(16)]
    star = [Edge(f"s{n}", f"s{n}", "q", 1, START, START) for n in range(20)]
    links = stage("links", pairs(frame(spark, line + star), [MOMENTS[0]], 30 * DAY))
    made = {row["account"]: (row["component"], row["component_size"]) for row in components(links, stage).collect()}
    assert made == {f"p{n:02}": ("p00", 17) for n in range(17)} | dict.fromkeys(
        ["q", *(f"s{n}" for n in range(20))], ("q", 21)
    )
    with pytest.raises(Exception, match="after 1 rounds"):
        components(links, stage, rounds=1)


def test_modularity_is_newmans(spark, stage) -> None:
    edges = reference.random_edges(3, accounts=14, count=40)
    seen = reference.visible(edges, MOMENTS[0], 30 * DAY)
    links = stage("links", pairs(frame(spark, edges), [MOMENTS[0]], 30 * DAY))
    labels = reference.communities(seen, 8)
    (row,) = modularity(links, communities(links, stage)).collect()
    assert row["modularity"] == pytest.approx(reference.modularity(seen, labels))
    assert row["communities"] == len(set(labels.values())) > 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: CycleLimits(longest=6), "up to 6 payments"),
        (lambda: CycleLimits(within=timedelta()), "positive time"),
        (lambda: moment_micros(datetime(2025, 1, 1)), "no zone"),
    ],
)
def test_settings_that_make_no_sense_are_refused(ask: Callable[[], object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ask()


@pytest.mark.skipif(ABSENT, reason="FINLAKE_DATA names no folder with fraud/amlsim_sample")
def test_fan_in_and_cycles_of_the_public_simulation_stand_out(spark, stage) -> None:
    """IBM's AMLSim sample: 118,495 payments; of 20,000 accounts 1,803 take part in planted fan-ins and cycles."""
    read = spark.read.option("header", True)
    (payments,), (nodes,) = FRAUD.glob("*transactions.csv.gz"), FRAUD.glob("*nodes.csv.gz")
    at = F.timestamp_seconds(F.lit(int(START.timestamp())) + F.col("time").cast("long") * 86_400)
    edges = read.csv(str(payments)).select(
        F.monotonically_increasing_id().cast("string").alias("edge_id"),
        F.col("sourceNodeId").alias("source"), F.col("targetNodeId").alias("target"),
        F.round(F.col("value").cast("double") * 100).cast("bigint").alias("amount_minor"),
        at.alias("at"), at.alias("known_from"), F.lit(None).cast("timestamp").alias("known_to"),
    )  # fmt: skip
    edges = stage("edges", edges)
    fraud = {row["ACCOUNT_ID"]: int(row["isFraud"]) for row in read.csv(str(nodes)).collect()}
    moment = START + 150 * DAY
    asked = spark.createDataFrame([(moment_micros(moment), account) for account in fraud], "as_of long, account string")
    limits = CycleLimits(within=30 * DAY, longest=3)
    made = cycles(edges, limits, stage)
    counted = cycle_counts(made, asked, {"all": 150 * DAY}, limits.longest)
    rows = degrees(edges, asked, {"all": 150 * DAY}).join(counted, ["as_of", "account"]).collect()
    truth = [fraud[row["account"]] for row in rows]
    cycled = [sum(row[f"cycles_{n}_all"] for n in (2, 3)) for row in rows]
    areas = {
        "fan_in": roc_auc_score(truth, [row["fan_in_all"] for row in rows]),
        "cycles": roc_auc_score(truth, cycled),
    }
    of_cycles = [label for label, number in zip(truth, cycled, strict=True) if number]
    areas["fraud among accounts with a cycle"] = sum(of_cycles) / len(of_cycles)
    LOG.info("AMLSim: %s; %s cycles, %s payments left out", areas, made.found.count(), made.left_out.count())
    assert len(rows) == len(fraud)
    assert areas["fan_in"] > 0.7
    assert areas["cycles"] > 0.52
    assert areas["fraud among accounts with a cycle"] > 0.8
