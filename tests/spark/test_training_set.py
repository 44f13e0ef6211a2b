"""Training sets as of a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from feature_cases import PAYMENTS, REPORTS, Version, config, rows, versioned

from finlake.config.use_case import HoldOut
from finlake.features.decisions import decisions
from finlake.features.labels import known_until, labels, positive_periods
from finlake.features.splits import Bounds, Span, split_bounds
from finlake.features.training import training_set

START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def payment(number: int) -> Version:
    at = START + number * DAY + timedelta(hours=12)
    values = {"payment_id": f"p{number:02}", "card": "c", "shop": "s", "paid_at": at, "amount": None, "items": 1, "km": None,
              "outcome": None, "sent_at": at}  # fmt: skip
    return Version(f"p{number:02}", values, at, at, None)


def report(number: int, *verdicts: tuple[str, int]) -> list[Version]:
    made = []
    for verdict, day in verdicts:
        at = START + day * DAY
        values = {"report_id": f"r{number}", "payment_id": f"p{number:02}", "verdict": verdict, "told_at": at}
        made.append(Version(f"r{number}", values, at, at, None))
    return versioned(made)


def test_labels_are_what_was_known_then_and_parts_have_gaps_between_them(spark):
    conf = config({"card": {"entity": "card", "features": {"n": {"count": "rows", "windows": ["1d"]}}}}, "happened_at")
    use_case, scored = conf.use_cases["fraud"], conf.source("payments")
    use_case = use_case.model_copy(
        update={
            "split": use_case.split.model_validate(
                {"train": "4d", "choose": "2d", "test": "3d", "gap_before_each": "2d"}
            )
        }
    )
    payments = [payment(number) for number in range(20)]
    reports = [
        *report(3, ("confirmed", 5)),                        # positive from day 5 on
        *report(4, ("confirmed", 5), ("dismissed", 9)),      # taken back on day 9
        *report(5, ("dismissed", 6), ("confirmed", 30)),     # confirmed after the moment
        *report(18, ("confirmed", 18)),                      # positive, but not yet mature
    ]  # fmt: skip
    as_of = START + 19 * DAY
    versions = spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS)
    told = spark.createDataFrame(rows(reports, REPORTS), REPORTS)
    known = decisions(versions, use_case, scored)
    periods = positive_periods(told, use_case, conf.source("reports"), scored)

    def at(moment):
        found = labels(known.withColumn("payment_id", known["decision_key"]), periods, use_case, scored, moment)
        return {row["decision_key"]: (row["label"], row["matured"]) for row in found.collect()}

    now, earlier, later = at(as_of), at(START + 7 * DAY), at(START + 31 * DAY)
    assert len(now) == 20
    assert (now["p03"], now["p04"], now["p05"], now["p06"]) == ((1, True), (0, True), (0, True), (0, True))
    assert (now["p16"], now["p17"], now["p18"], now["p19"]) == ((0, True), (None, False), (1, False), (None, False))
    assert (earlier["p03"], earlier["p04"], earlier["p05"]) == ((1, True), (1, True), (None, False))
    assert later["p05"] == (1, True)

    bounds = split_bounds(use_case, as_of)
    found = labels(known.withColumn("payment_id", known["decision_key"]), periods, use_case, scored, as_of)
    made = {
        row["decision_key"]: (row["part"], row["label"]) for row in training_set(known, found, bounds, as_of).collect()
    }
    assert made == {
        "p04": ("train", 0), "p05": ("train", 0), "p06": ("train", 0), "p07": ("train", 0),
        "p10": ("choose", 0), "p11": ("choose", 0),
        "p14": ("test", 0), "p15": ("test", 0), "p16": ("test", 0),
    }  # fmt: skip


def test_entities_held_out_are_in_neither_train_nor_choose(spark):
    days, cards = 30, 40
    seen = [
        (f"{card}.{day}", f"card{card}", START + day * DAY, START + day * DAY)
        for day in range(days)
        for card in range(cards)
    ]
    decided = spark.createDataFrame(seen, "decision_key string, card string, event_ts timestamp, decision_ts timestamp")
    known = decided.selectExpr("decision_key", "0 AS label", "true AS matured")
    ends = [START + day * DAY for day in (10, 12, 20, 22, days)]
    bounds = Bounds(Span(None, ends[0]), Span(ends[1], ends[2]), Span(ends[3], ends[4]))

    def cards_of(hold_out: HoldOut | None) -> dict[str, set[str]]:
        made = training_set(decided, known, bounds, START + 99 * DAY, hold_out)
        assert made.count() == cards * (10 + 8 + 8)
        found: dict[str, set[str]] = {}
        for row in made.select("part", "card").distinct().collect():
            found.setdefault(row["part"], set()).add(row["card"])
        return found

    everyone = cards_of(None)
    assert everyone.keys() == {"train", "choose", "test"} and all(len(found) == cards for found in everyone.values())
    apart = cards_of(HoldOut(of="card", share=0.25))
    assert apart["train"] == apart["choose"] and not apart["train"] & apart["held_out"]
    assert apart["train"] | apart["held_out"] == apart["test"] == everyone["test"]
    assert 4 <= len(apart["held_out"]) <= 16


def test_labels_are_known_until_their_source_has_been_silent_for_a_week(spark):
    reports = [*report(3, ("confirmed", 5)), *report(4, ("confirmed", 9)), *report(5, ("confirmed", 40))]
    told = spark.createDataFrame(rows(reports, REPORTS), REPORTS)
    last, week = START + 9 * DAY, timedelta(days=7)
    assert known_until(told, last + week) == last + week
    assert known_until(told, last + week + timedelta(microseconds=1)) == last
    assert known_until(told, START + 41 * DAY) == START + 41 * DAY
    assert known_until(told.limit(0), last + 3 * week) == last + 3 * week
