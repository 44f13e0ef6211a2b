"""The brute-force reference against another one, written by hand, and on worlds small enough to count in the head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.spark.feature_cases import MICRO, START, Version, config, world
from tests.spark.feature_cases import Reference as ByHand
from tests.spark.feature_meanings import GROUPS, expected, same

from finlake.errors import UnknownNameError
from finlake.features.reference import Reference

H, D = timedelta(hours=1), timedelta(days=1)


def silver(versions: list[Version]) -> list[dict[str, Any]]:
    return [{**v.values, "event_ts": v.event, "known_from": v.known_from, "known_to": v.known_to} for v in versions]


@pytest.mark.parametrize("as_of", ["known_at", "happened_at"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_references_agree(seed: int, as_of: str) -> None:
    payments, reports = world(seed)
    by_hand, conf = ByHand(payments, reports, as_of), config(GROUPS, as_of)
    versions = {"payments": silver(payments), "reports": silver(reports)}
    reference = Reference(versions, conf.use_cases["fraud"], conf)
    for key, wanted in expected(by_hand).items():
        this, moment = by_hand.decisions[key]
        decision = {"decision_key": key, "event_ts": this.event, "decision_ts": moment, "this": this.values}
        got = reference.values(decision)
        assert {name: (value, got[name]) for name, value in wanted.items() if not same(value, got[name])} == {}, key
        if this.values["card"] is not None:
            assert len(reference.rows(decision, "n_3d")) == got["n_3d"]


def paid(
    key: str, event: datetime, known_from: datetime | None = None, known_to: datetime | None = None, **values: Any
) -> dict[str, Any]:
    """A version of a payment with card c1 in shop s1."""
    plain = dict.fromkeys(("amount", "items", "km", "outcome", "sent_at"))
    plain |= {"payment_id": key, "card": "c1", "shop": "s1", "paid_at": event, **values}
    return {**plain, "event_ts": event, "known_from": known_from or event, "known_to": known_to}


def report(key: str, payment: str, known_from: datetime, known_to: datetime | None, verdict: str) -> dict[str, Any]:
    values = {"report_id": key, "payment_id": payment, "verdict": verdict, "told_at": known_from}
    return {**values, "event_ts": known_from, "known_from": known_from, "known_to": known_to}


def answer(
    feature: dict[str, Any],
    payments: list[dict[str, Any]],
    reports: Sequence[dict[str, Any]] = (),
    *,
    group: dict[str, Any] | None = None,
    **this: Any,
) -> float | None:
    """The feature `f` of a decision at START that is taken an hour later."""
    conf = config({"g": {"entity": "card", "features": {"f": feature}, **(group or {})}}, "known_at")
    versions = {"payments": payments, "reports": reports}
    return Reference(versions, conf.use_cases["fraud"], conf).values(decided(**this))["f"]


def decided(**this: Any) -> dict[str, Any]:
    return {"decision_key": "own", "event_ts": START, "decision_ts": START + H, "this": paid("own", START, **this)}


COUNT = {"count": "rows", "windows": ["1h"]}


@pytest.mark.parametrize(
    ("before", "delayed", "counted"),
    [
        (MICRO, 0, 1), (timedelta(0), 0, 0), (-MICRO, 0, 0), (H, 0, 1), (H + MICRO, 0, 0),
        (D, 1, 0), (D + MICRO, 1, 1), (D + H, 1, 1), (D + H + MICRO, 1, 0),
    ],
)  # fmt: skip
def test_edges_of_a_window(before: timedelta, delayed: int, counted: int) -> None:
    feature = {**COUNT, **({"ends_before": f"{delayed}d"} if delayed else {})}
    assert answer(feature, [paid("p", START - before)]) == counted


@pytest.mark.parametrize(
    ("known_from", "known_to", "counted"),
    [
        (START + H, None, 1), (START + H + MICRO, None, 0), (START, START + H, 0), (START, START + H + MICRO, 1),
        (START, START, 0),
    ],
)  # fmt: skip
def test_only_what_was_visible_at_the_decision(known_from: datetime, known_to: datetime | None, counted: int) -> None:
    row = paid("p", START - MICRO, known_from, known_to)
    assert answer(COUNT, [row]) == counted
    known = {**COUNT, "clock": "known", "windows": ["3h"]}
    early = paid("p", START - D, START - H, START + H + MICRO if counted else START + H)
    assert answer(known, [early]) == counted


def test_the_own_row_and_other_entities_are_not_seen() -> None:
    rows = [paid("own", START - MICRO), paid("p", START - MICRO, card="c2"), paid("q", START - MICRO, card=None)]
    assert answer(COUNT, rows) == 0
    assert answer(COUNT, rows, card=None) is None
    assert answer({**COUNT, "including_this": True}, rows) == 1
    assert answer({"time_since": "last row"}, rows, card=None) is None


AMOUNTS = [Decimal("-3.50"), None, Decimal("0.10"), Decimal("0.20"), Decimal("0.20")]
HALF_DAYS = [paid(f"p{n}", START - D + n * H, amount=amount, km=n / 2, items=n) for n, amount in enumerate(AMOUNTS)]


@pytest.mark.parametrize(
    ("feature", "wanted", "empty"),
    [
        ({"sum": "amount"}, -3.0, 0.0), ({"mean": "amount"}, -0.75, None), ({"min": "amount"}, -3.5, None), ({"max": "amount"}, 0.2, None),
        ({"first": "amount"}, -3.5, None), ({"last": "amount"}, 0.2, None), ({"distinct": "amount"}, 3.0, 0.0),
        ({"share": "amount > 0"}, 0.75, None), ({"share": "amount > 0", "where": "items < 2"}, 0.0, None),
        ({"quantile": ["amount", 0.5]}, 0.15, None), ({"quantile": ["amount", 1.0]}, 0.2, None),
        ({"concentration": "amount"}, 0.375, None), ({"entropy": "amount"}, 1.5 * math.log(2), None), ({"entropy": "shop"}, 0.0, None),
        ({"std": "items"}, math.sqrt(2.5), None), ({"slope": "km"}, 12.0, None), ({"correlation": ["km", "items"]}, 1.0, None),
        ({"correlation": ["amount", "items"], "where": "items > 2"}, None, None), ({"z_score": "items"}, 3 / math.sqrt(2.5), None),
        ({"sum": "amount", "when_empty": "unknown"}, -3.0, None), ({"mean": "km", "when_empty": 0}, 1.0, 0.0),
        ({"sum": "amount * items"}, 1.6, 0.0), ({"mean": "case when amount < 0 then 0 else amount end"}, 0.125, None),
        ({"max": "amount > 0.15"}, 1.0, None), ({"distinct": "upper(shop)"}, 1.0, 0.0), ({"distinct": "items % 2"}, 2.0, 0.0),
        ({"count": "rows", "half_life": "20h"}, sum(2 ** (-(24 - n) / 20) for n in range(5)), 0.0),
        ({"sum": "items", "half_life": "20h"}, sum(n * 2 ** (-(24 - n) / 20) for n in range(5)), 0.0),
        ({"mean": "items", "half_life": "1s"}, 4.0, None),
        ({"mean": "items", "including_this": True}, 2.5, None), ({"mean": "items", "half_life": "1h"}, 98 / 31, None),
    ],
)  # fmt: skip
def test_kinds(feature: dict[str, Any], wanted: float | None, empty: float | None) -> None:
    feature = {**feature, "windows": ["2d"]}
    got = answer(feature, HALF_DAYS, items=5)
    assert got is wanted or got == pytest.approx(wanted, rel=1e-12)
    if not feature.get("including_this"):
        assert answer(feature, [paid("p", START - 3 * D, amount=Decimal(1), km=1.0, items=1)], items=5) == empty


def test_money_is_summed_exactly() -> None:
    rows = [
        paid(f"p{n}", START - MICRO, amount=Decimal("-0.07") if n % 3 else Decimal("90071992547409.91"))
        for n in range(30)
    ]
    assert answer({"sum": "amount", "windows": ["1h"]}, rows) == float(
        Decimal("90071992547409.91") * 10 - Decimal("1.40")
    )


def test_numbers_that_are_none() -> None:
    rows = [paid(f"p{n}", START - H + n * MICRO, km=km) for n, km in enumerate([math.nan, math.inf, 2.0, None])]
    wanted = {
        "sum": None,
        "mean": None,
        "max": None,
        "std": None,
        "min": 2.0,
        "first": None,
        "last": 2.0,
        "slope": None,
    }
    assert {kind: answer({kind: "km", "windows": ["1h"]}, rows) for kind in wanted} == wanted
    assert answer({**COUNT, "where": "km > 1"}, rows) == 3  # NaN is above every number


def test_hours_are_local_where_clocks_change() -> None:
    night = [
        paid("p", datetime(2025, 3, 30, 0, 59, tzinfo=START.tzinfo)),
        paid("q", datetime(2025, 3, 30, 1, tzinfo=START.tzinfo)),
    ]
    conf = config(
        {"g": {"entity": "card", "features": {"f": {"share": "hour(paid_at) = 3", "windows": ["2d"], "zone": "Europe/Berlin"}}}},
        "happened_at",
    )  # fmt: skip
    decision = {**decided(), "event_ts": START + D, "decision_ts": START + D}
    assert Reference({"payments": night, "reports": []}, conf.use_cases["fraud"], conf).values(decision)["f"] == 0.5


def test_rows_of_one_time_are_ordered_by_knowledge_then_key() -> None:
    at = START - H

    def last(*rows: dict[str, Any]) -> float | None:
        return answer({"last": "items"}, list(rows))

    assert last(paid("b", at, at, items=1), paid("a", at, at + MICRO, items=2)) == 2
    assert last(paid("b", at, at, items=1), paid("a", at, at, items=2)) == 1
    told = [paid("b", at, at, at + 2 * MICRO, items=1), paid("b", at, at + 2 * MICRO, items=1, outcome="bad")]
    assert last(*told, paid("a", at, at + MICRO, items=2)) == 2  # the outcome is no news to a feature about items
    changed = [told[0], {**told[1], "items": 3}]
    assert last(*changed, paid("a", at, at + MICRO, items=2)) == 3


def test_labels_go_by_the_clock_of_the_report() -> None:
    rows = [paid("p", START - 5 * H), paid("q", START - 4 * H)]
    share = {"share": "label(fraud) = 1", "windows": ["1d"]}
    told = {"count": "rows", "where": "label(fraud) = 1", "clock": "known", "windows": ["2h"]}

    def both(*reports: dict[str, Any]) -> tuple[float | None, float | None]:
        return answer(share, rows, list(reports)), answer(told, rows, list(reports))

    assert both() == (0.0, 0)
    assert both(report("r", "p", START - H, None, "confirmed")) == (0.5, 1)
    assert both(report("r", "p", START, None, "confirmed")) == (0.5, 0)
    assert both(report("r", "p", START + H + MICRO, None, "confirmed")) == (0.0, 0)
    taken_back = [
        report("r", "p", START - H, START - MICRO, "confirmed"),
        report("r", "p", START - MICRO, None, "dismissed"),
    ]
    assert both(*taken_back) == (0.0, 0)
    again = [report("r", "p", START - 3 * H, None, "confirmed"), report("s", "p", START - H, None, "confirmed")]
    assert both(*again) == (0.5, 0)  # the second report says nothing new


def test_places() -> None:
    """`km` is the latitude and `items` the longitude."""
    rows = [
        paid("a", START - 4 * H, km=0.0, items=0),
        paid("b", START - 2 * H, km=0.0, items=1),
        paid("c", START - H, km=5.0),
    ]
    degree = 6371.0088 * math.radians(1)
    assert answer({"distance": ["km", "items"]}, rows, km=0.0, items=3) == pytest.approx(2 * degree)
    assert answer({"speed": ["km", "items"]}, rows, km=0.0, items=3) == pytest.approx(degree)
    assert answer({"distance": ["km", "items"], "where": "items = 0"}, rows, km=0.0, items=3) == pytest.approx(
        3 * degree
    )
    assert answer({"distance": ["km", "items"], "windows": ["1h"]}, rows, km=0.0, items=3) is None
    assert answer({"distance": ["km", "items"]}, rows, km=0.0) is None
    assert answer({"speed": ["km", "items"]}, rows, km=90.5, items=0) is None


def test_lookups() -> None:
    rows = [
        paid("a", START - 4 * H, items=1),
        paid("b", START - 2 * H, START + H, items=None),
        paid("c", START - 3 * H, START - H, items=3),
    ]
    assert answer({"lookup": "items + 1", "ends_before": "3h"}, rows) == 2
    assert answer({"lookup": "items + 1", "ends_before": "150min"}, rows) == 4
    assert answer({"lookup": "items + 1"}, rows) is None  # what the latest row says is unknown
    assert answer({"lookup": "items > 2", "where": "items > 0"}, rows) == 1
    assert answer({"lookup": "items", "clock": "known"}, rows) == 3
    assert answer({"lookup": "items", "when_empty": 0}, []) == 0
    of_reports = {"entity": "payment_id", "source": "reports"}
    told = [report("r", "own", START - H, None, "confirmed")]
    assert answer({"lookup": "verdict = 'confirmed'"}, [], told, group=of_reports) == 1
    assert answer({"lookup": "verdict = 'confirmed'"}, [], [], group=of_reports) is None


def test_derived_features_and_the_rows_behind_a_feature() -> None:
    features = {
        "sum_1h": {"sum": "amount", "windows": ["1h"], "where": "items > 0"}, "times": {"ratio": ["this.amount", "sum_1h"]},
        "high": {"row": "times > 2 and hour(this.paid_at) = 13", "zone": "Europe/Berlin"}, "lost": {"row": "ln(this.amount - 9)"},
    }  # fmt: skip
    conf = config({"g": {"entity": "card", "features": features}}, "known_at")
    use_case = conf.use_cases["fraud"]
    versions = {
        "payments": [
            paid("p", START - MICRO, amount=Decimal(2), items=1),
            paid("q", START - MICRO, items=1),
            HALF_DAYS[0],
        ]
    }
    decision = decided(amount=Decimal(9))
    wanted = {"sum_1h": 2.0, "times": 4.5, "high": 1.0, "lost": None, "this_amount": 9.0}
    assert Reference(versions, use_case, conf).values(decision) == wanted
    empty = {"sum_1h": 0.0, "times": None, "high": None, "lost": None, "this_amount": 9.0}
    assert Reference({"payments": []}, use_case, conf).values(decision) == empty
    assert Reference(versions, use_case, conf).rows(decision, "sum_1h") == versions["payments"][:1]
    with pytest.raises(UnknownNameError, match="sum_1h"):
        Reference(versions, use_case, conf).rows(decision, "sum_2h")
