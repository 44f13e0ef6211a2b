"""The online store behaves alike in a file and on a server: rows, tables, publications, answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.online_stores import SEEN, everything, row

from finlake.config import Target
from finlake.errors import ConfigError, TableError, UnknownNameError
from finlake.serving import Column, OnlineStore, Publication, Table, open_store

pytest_plugins = ["tests.postgres", "tests.online_stores"]


def test_a_window_has_its_beginning_and_not_its_end_and_is_in_order(store: OnlineStore) -> None:
    rows = [row("b", at=20, since=1), row("a", at=20, since=1), row("c", at=20), row("d", at=10), row("e", at=30)]
    assert store.put("seen", [*rows, row("other", "f", at=20)]) == 6
    assert [found[0] for found in store.window("seen", "e", 10, 30)] == ["d", "c", "a", "b"]
    assert [found[0] for found in store.window("seen", "e", 11, 31)] == ["c", "a", "b", "e"]
    assert [found[0] for found in store.window("seen", "e", None, 20)] == ["d"]
    assert store.window("seen", "nobody", None, 100) == []


def test_several_windows_at_once_are_the_windows_one_by_one(store: OnlineStore) -> None:
    store.put("seen", [row(f"k{n}", entity, at=n) for n, entity in enumerate("aabbc")])
    asked = [("seen", "a", None, 2), ("seen", "b", 3, 9), ("seen", "", None, 9), ("seen", "nobody", 0, 9)]
    assert store.windows(asked) == [store.window(*one) for one in asked]
    assert store.windows([]) == []
    with store.transaction():
        assert store.windows(asked[:1]) == [store.window(*asked[0])]


def test_what_is_put_is_what_is_found(store: OnlineStore) -> None:
    values = [
        (2**63 - 1, 0.1 + 0.2, "'; DROP TABLE seen; --"),
        (-(2**63), float("inf"), 'a "quoted" \\ {x,NULL}\n\t'),
        (0, -1e308, ""),
        (None, None, None),
        (1, 5e-324, "NULL"),
        (2, 3.0, "Zürich 東京 🏦"),
    ]
    assert store.put("seen", [(f"k{n}", "ent'ity\\", n, 0, *value) for n, value in enumerate(values)]) == 6
    assert [found[3:] for found in store.window("seen", "ent'ity\\", None, 99)] == values
    assert store.put("seen", [("nan", "n", 0, 0, None, float("nan"), None)]) == 1
    assert store.window("seen", "n", None, 1) == [("nan", 0, 0, None, None, None)]
    kinds = [type(value) for value in store.window("seen", "ent'ity\\", 5, 6)[0]]
    assert kinds == [str, int, int, int, float, str]


def test_text_is_ordered_by_code_points_whatever_the_language(store: OnlineStore) -> None:
    keys = ["a", "B", "_", "é", "z", "Z", "a b", "ab", "\U0001f3e6", "\ufffd"]
    store.put("seen", [row(key) for key in keys])
    assert [found[0] for found in everything(store, "e")] == sorted(keys)


def test_the_newest_version_of_a_key_wins(store: OnlineStore) -> None:
    assert store.put("seen", [row("k", "e", at=10, since=5, amount=1)]) == 1
    assert store.put("seen", [row("k", "e", at=10, since=4, amount=2)]) == 0
    assert everything(store, "e") == [("k", 10, 5, 1, None, None)]
    assert store.put("seen", [row("k", "e", at=10, since=5, amount=3)]) == 1
    assert store.put("seen", [row("k", "f", at=99, since=6, amount=4)]) == 1
    assert everything(store, "e", "f") == [("k", 99, 6, 4, None, None)]


def test_a_key_counts_once_in_a_batch_and_its_newest_row_is_kept(store: OnlineStore) -> None:
    batch = [row("k", since=2, amount=2), row("k", since=9, amount=9), row("k", since=3), row("l")]
    assert store.put("seen", batch) == 2
    assert [found[3] for found in everything(store, "e")] == [None, 9]
    assert store.put("seen", []) == 0


def test_who_belongs_to_nobody_is_in_no_window_and_does_not_come_back(store: OnlineStore) -> None:
    store.put("seen", [row("k", "e", since=1)])
    assert store.put("seen", [row("k", None, since=2), ("m", None, 0, 0, 0, 0.0, "here")]) == 2
    assert store.put("seen", [row("k", "e", since=1)]) == 0
    assert everything(store, "e", "") == []
    assert store.matching("seen", "place", "here") == [("m", "", 0, 0, 0, 0.0, "here")]


VERSIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["e", "f", None]), st.integers(0, 3)), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions=VERSIONS, data=st.data())
def test_replaying_rows_in_any_order_ends_in_the_same_state(
    store: OnlineStore, versions: list[tuple[str, str | None, int]], data: st.DataObject
) -> None:
    """(key, since) names one version, so that what a drawn version says depends on these alone."""
    said = {(key, since): (entity, n) for n, (key, entity, since) in enumerate(versions)}
    rows = [row(key, entity, at=n, since=since, amount=n) for (key, since), (entity, n) in said.items()]
    store.prune("seen", 2**62)
    store.put("seen", rows)
    expected = everything(store, "e", "f")
    newest = {r[0]: r for r in sorted(rows, key=lambda r: r[3])}.values()
    assert sorted(found[0] for found in expected) == sorted(r[0] for r in newest if r[1] is not None)
    store.prune("seen", 2**62)
    for replayed in data.draw(st.permutations(rows + rows[: data.draw(st.integers(0, len(rows)))])):
        store.put("seen", [replayed])
    store.put("seen", data.draw(st.permutations(rows)))
    assert everything(store, "e", "f") == expected


def test_what_is_forgotten_up_to_a_moment_leaves_what_was_told_later(store: OnlineStore) -> None:
    store.put("seen", [row("a", since=5), row("b", since=9), row("c", since=5)])
    assert store.forget("seen", ["a", "b", "nobody"], 5) == 1
    assert store.forget("seen", [], 99) == 0
    store.put("seen", [row("a", since=2), row("b", since=2)])
    assert [(found[0], found[2]) for found in everything(store, "e")] == [("a", 2), ("c", 5), ("b", 9)]


def test_many_rows_are_put_at_once(store: OnlineStore) -> None:
    rows = [(f"{n:05}", f"e{n % 7}", n, 0, n, n / 3, f"p{n % 11}") for n in range(12_000)]
    assert store.put("seen", iter(rows)) == 12_000
    assert store.put("seen", reversed(rows)) == 12_000
    assert sum(len(store.window("seen", f"e{n}", None, 12_000)) for n in range(7)) == 12_000
    assert store.matching("seen", "place", "p3") == [r for r in rows if r[6] == "p3"]
    assert store.prune("seen", 11_990) == 11_990
    assert [found[0] for found in store.window("seen", "e0", None, 12_000)] == ["11991", "11998"]


def test_rows_are_looked_up_by_indexed_columns_only(store: OnlineStore) -> None:
    store.put("seen", [("b", "f", 2, 1, 7, 0.5, "here"), ("a", "e", 1, 1, None, None, "here"), row("c")])
    assert store.matching("seen", "place", "here") == [
        ("a", "e", 1, 1, None, None, "here"),
        ("b", "f", 2, 1, 7, 0.5, "here"),
    ]
    assert store.matching("seen", "place", "there") == store.matching("seen", "place", None) == []
    with pytest.raises(UnknownNameError, match="did you mean 'place'"):
        store.matching("seen", "plaec", "here")


@pytest.mark.parametrize(
    "bad",
    [
        [("k", "e", 0, 0, "many", None, None)],
        [row("good"), ("k", "e", 0, 0, 2**63, None, None)],
        [row("good"), ("k", "e", None, 0, 1, None, None)],
        [row("good"), (None, "e", 0, 0, 1, None, None)],
        [row("good"), ("k", "e", 0, 0, 1)],
    ],
)
def test_rows_that_do_not_fit_are_refused_together(store: OnlineStore, bad: list[tuple]) -> None:
    with pytest.raises(TableError):
        store.put("seen", bad)
    assert everything(store, "e") == []


# tables


def test_tables_are_made_once_and_remembered(store: OnlineStore, where: tuple[Target, Path]) -> None:
    long = Table("t" * 120, (Column("c" * 120, "whole"), Column("Ärger"[1:], "text"), Column("c" * 119 + "d", "whole")))
    store.put("seen", [row("k")])
    store.create([SEEN, long])
    store.create([long])
    store.put(long.name, [("k", "e", 0, 0, 1, "two", 3)])
    with open_store(*where) as other:
        assert other.tables() == sorted(["seen", long.name])
        assert other.window(long.name, "e", None, 1) == [("k", 0, 0, 1, "two", 3)]
        other.drop(["seen", "never_there"])
    assert store.tables() == [long.name]
    store.create([SEEN])
    assert everything(store, "e") == []


def test_a_table_with_other_columns_is_an_error_and_nothing_is_made(store: OnlineStore) -> None:
    fewer = Table("seen", SEEN.columns[:2])
    with pytest.raises(
        TableError, match=r"amount whole, ratio number, place text \(indexed: place\); wanted: amount whole"
    ):
        store.create([Table("fresh", ()), fewer])
    assert store.tables() == ["seen"]
    with pytest.raises(TableError, match="there is no online table 'sene'; did you mean 'seen'"):
        store.put("sene", [])


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (Table('x"; DROP TABLE seen; --', ()), "cannot be a name"),
        (Table("_tables", ()), "cannot be a name"),
        (Table("sqlite_x", ()), "cannot be a name"),
        (Table("x" * 201, ()), "at most 200"),
        (Table("x", (Column("a b", "whole"),)), "cannot be a name"),
        (Table("x", (Column("since", "whole"),)), "two columns 'since'"),
        (Table("x", (Column("a", "whole"), Column("A", "whole"))), "two columns 'A'"),
        (Table("x", (Column("a", "int"),)), "unknown kind 'int'"),
        (Table("x", (Column("a", "whole"),), ("a",)), "no text column 'a'"),
    ],
)
def test_a_table_that_cannot_be_is_refused(store: OnlineStore, table: Table, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        store.create([table])
    assert store.tables() == ["seen"]


# publications and answers


def test_the_last_publication_that_was_not_refused_is_in_charge(store: OnlineStore) -> None:
    first = Publication("cards", "d1", 100, 110, None, "daily")
    second = Publication("cards", "d2", 200, 210, 86_400_000_000, "new definition")
    bad = Publication("cards", "d3", 300, 310, None, "too few rows")
    assert store.publication("cards") is None
    for one in (first, second):
        store.publish(one)
    store.refuse(bad)
    store.publish(Publication("loans", "d1", 1, 2))
    assert store.publication("cards") == second
    listed = store.publications("cards")
    assert [(one.definition, one.refused, one.reason) for one in listed] == [
        ("d3", True, "too few rows"), ("d2", False, "new definition"), ("d1", False, "daily")
    ]  # fmt: skip
    store.publish(first)
    assert store.publication("cards") == first


def test_answers_are_logged_once_each_and_numbered_in_order(store: OnlineStore) -> None:
    store.served("cards", "p1", 5, 6, 4, "d1", {"a": 0.1 + 0.2, "b": None, "c": float("nan")})
    store.served("cards", "p1", 5, 6, 4, "d1", {"a": 9.0})
    store.served("loans", "p1", 5, 6, 4, "d1", {})
    store.served("cards", "p1", 5, 7, 4, "d1", {"a": 2.0})
    first, second = store.served_since("cards", 0)
    assert first.values == {"a": 0.1 + 0.2, "b": None, "c": None}
    assert (first.decision_key, first.at, first.moment, first.watermark, first.definition) == ("p1", 5, 6, 4, "d1")
    assert (second.moment, second.values) == (7, {"a": 2.0})
    assert store.served_since("cards", first.number) == [second]
    assert store.served_since("cards", 0, limit=1) == [first]
    assert store.served_since("cards", second.number) == []


def test_lines_that_were_moved_are_forgotten_and_their_numbers_do_not_come_again(store: OnlineStore) -> None:
    for n in range(3):
        store.served("cards", f"p{n}", n, n, 0, "d1", {})
    store.served("loans", "p1", 5, 6, 4, "d1", {})
    lines = store.served_since("cards", 0)
    assert store.forget_served("cards", lines[1].number) == 2
    assert store.forget_served("cards", lines[1].number) == 0
    assert store.served_since("cards", 0) == lines[2:]
    assert store.forget_served("cards", lines[2].number) == 1
    assert len(store.served_since("loans", 0)) == 1
    store.served("cards", "p2", 2, 2, 0, "d1", {})
    (again,) = store.served_since("cards", 0)
    assert again.number > lines[2].number


def test_a_store_keeps_its_identity_and_another_has_another(store: OnlineStore, where: tuple[Target, Path]) -> None:
    with open_store(*where) as same, open_store(where[0].model_copy(update={"tenant": "acme"}), where[1]) as other:
        assert store.identity() == same.identity() != other.identity()
