"""A plugin of tests: an empty online store of each kind. Imported by name, too, hence PYTEST_DONT_REWRITE."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from finlake.config import Target
from finlake.serving import Column, OnlineStore, Table, open_store
from tests.postgres import ON_A_SERVER

STORES = ["sqlite", pytest.param("postgres", marks=ON_A_SERVER)]
SEEN = Table("seen", (Column("amount", "whole"), Column("ratio", "number"), Column("place", "text")), ("place",))


def target(**online: str) -> Target:
    return Target.model_validate({"target": "local", "online": online})


@pytest.fixture(params=STORES)
def where(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Target, Path]]:
    """An empty store of each kind, as a target and a lake name it."""
    if request.param == "sqlite":
        yield target(), tmp_path
        return
    dsn = request.getfixturevalue("postgres_dsn")
    monkeypatch.setenv("FINLAKE_TEST_DSN", dsn)
    yield target(store="postgres", dsn="env:FINLAKE_TEST_DSN", schema=f"t{os.getpid()}"), tmp_path
    with psycopg.connect(dsn) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS t{os.getpid()}, acme_t{os.getpid()} CASCADE")


@pytest.fixture
def store(where: tuple[Target, Path]) -> Iterator[OnlineStore]:
    with open_store(*where) as opened:
        opened.create([SEEN])
        yield opened


def row(key: str, entity: str | None = "e", at: int = 0, since: int = 0, amount: int | None = None) -> tuple:
    return (key, entity, at, since, amount, None, None)


def everything(store: OnlineStore, *entities: str) -> list[tuple]:
    return [found for entity in entities for found in store.window("seen", entity, None, 2**62)]
