"""Which online store a target names, and what is said where there is none. A password is never shown."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from tests.online_stores import SEEN, STORES, everything, row, target
from tests.postgres import ON_A_SERVER, server

from finlake.config import Target, survey
from finlake.errors import ConfigError, SetupError
from finlake.serving import OnlineStore, open_store

pytest_plugins = ["tests.postgres", "tests.online_stores"]


def test_a_closed_store_says_so(store: OnlineStore) -> None:
    store.close()
    store.close()
    with pytest.raises(SetupError, match="closed"):
        store.tables()
    with pytest.raises(SetupError, match="closed"), store.transaction():
        pass


def test_a_tenant_has_a_store_of_its_own(store: OnlineStore, where: tuple[Target, Path]) -> None:
    store.put("seen", [row("k")])
    with open_store(where[0].model_copy(update={"tenant": "acme"}), where[1]) as other:
        assert other.tables() == []
        other.create([SEEN])
        assert everything(other, "e") == []
    assert len(everything(store, "e")) == 1


def test_a_file_is_where_the_target_says(tmp_path: Path) -> None:
    open_store(target(), tmp_path / "lake").close()
    open_store(target(path="deep/own.db"), tmp_path / "lake").close()
    open_store(target(path=str(tmp_path / "else.db")), None).close()
    open_store(target().model_copy(update={"tenant": "acme"}), tmp_path / "lake").close()
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.db")}
    assert made == {"lake/online.db", "lake/deep/own.db", "else.db", "lake/acme_online.db"}
    with pytest.raises(ConfigError, match=r"has no lake folder.*absolute path"):
        open_store(target(), None)


@pytest.mark.parametrize("where", STORES[:1], indirect=True)
def test_a_file_of_an_earlier_version_gets_what_it_lacks(store: OnlineStore, tmp_path: Path) -> None:
    store.put("seen", [row("k")])
    store.served("cards", "k", 0, 0, 0, "d1", {})
    store.close()
    with sqlite3.connect(tmp_path / "online.db") as connection:
        connection.execute("DROP TABLE _identity")
    with open_store(target(), tmp_path) as first, open_store(target(), tmp_path) as second:
        assert first.identity() == second.identity() != ""
        assert len(everything(first, "e")) == len(first.served_since("cards", 0)) == 1


def test_a_file_that_cannot_be_a_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "online.db").write_text("not a database at all, but text of some length")
    with pytest.raises(SetupError, match=r"online.db cannot be used: file is not a database"):
        open_store(target(), tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"file/x.db cannot be used"):
        open_store(target(path="file/x.db"), tmp_path)


@pytest.mark.parametrize(
    ("online", "says"),
    [
        ({"store": "postgres"}, "needs dsn"),
        ({"store": "postgres", "dsn": "secret:scope"}, "write env:NAME, secret:scope/key"),
        ({"store": "postgres", "dsn": "hidden"}, "write env:NAME, secret:scope/key"),
        ({"store": "sqlite", "dsn": "env:X"}, "store sqlite has no dsn"),
        ({"store": "postgres", "dsn": "env:X", "path": "x.db"}, "store postgres has no path"),
        ({"store": "postgres", "dsn": "postgresql://me:hidden@host/db"}, "password in the clear"),
        ({"store": "postgres", "dsn": "postgresql://host/db?password=hidden"}, "password in the clear"),
        ({"store": "postgres", "dsn": "host=h Password = hidden"}, "password in the clear"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_without_showing_a_password(
    tmp_path: Path, online: dict[str, str], says: str
) -> None:
    (tmp_path / "targets").mkdir()
    lines = "".join(f"\n  {key}: {value!r}" for key, value in online.items())
    (tmp_path / "targets" / "local.yml").write_text(f"target: local\nonline:{lines}\n")
    (problem,) = survey(tmp_path).problems
    assert says in problem.message
    assert "hidden" not in problem.message


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("postgresql://me:hidden@localhost:1/bank", "localhost, database bank cannot be reached: .*refused"),
        ("host=/nowhere dbname=bank password=hidden", "/nowhere, database bank cannot be reached"),
        ("postgresql://me:hid@den@localhost:1/bank", "no connection string.*%40"),
        ("postgresql://me:hid/den@localhost:1/bank", "no connection string.*%2F"),
        ("hidden", "no connection string"),
    ],
)
def test_a_server_that_cannot_be_reached_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, dsn: str, says: str
) -> None:
    monkeypatch.setenv("FINLAKE_TEST_DSN", dsn)
    with pytest.raises(SetupError, match=says) as raised:
        open_store(target(store="postgres", dsn="env:FINLAKE_TEST_DSN"), None)
    assert "hid" not in str(raised.value)


def test_a_reference_that_leads_nowhere_is_named() -> None:
    with pytest.raises(ConfigError, match=r"FINLAKE_NOT_SET of online\.dsn is not set"):
        open_store(target(store="postgres", dsn="env:FINLAKE_NOT_SET"), None)


@ON_A_SERVER
def test_a_server_of_the_tests_leaves_nothing_behind() -> None:
    with pytest.raises(KeyError), server() as dsn:
        folder = Path(dsn.split()[0].removeprefix("host="))
        raise KeyError
    assert os.environ.get("FINLAKE_POSTGRES") or not folder.exists()
