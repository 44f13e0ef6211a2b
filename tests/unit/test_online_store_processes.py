"""Several processes use one online store at once, wait for each other, and die."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE

import psycopg
import pytest
from tests.online_stores import SEEN, STORES, everything, row

from finlake.config import Target
from finlake.errors import BusyError, TableError
from finlake.serving import OnlineStore, Publication, Table, open_store
from finlake.serving.postgres import PostgresStore
from finlake.serving.sqlite import SqliteStore

pytest_plugins = ["tests.postgres", "tests.online_stores"]

OPENED = """
    import os, signal, sys
    from pathlib import Path
    from finlake.config import Target
    from finlake.serving import Column, Publication, Table, open_store

    store = open_store(Target.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
    columns = (Column("amount", "whole"), Column("ratio", "number"), Column("place", "text"))
    store.create([Table("seen", columns, ("place",))])
"""


def script(text: str, where: tuple[Target, Path], *arguments: str) -> list[str]:
    """A command of another process that has the store open."""
    target = where[0].model_dump_json(by_alias=True, exclude_unset=True)
    return [sys.executable, "-c", textwrap.dedent(OPENED + text), target, str(where[1]), *arguments]


def test_a_transaction_is_all_or_nothing(store: OnlineStore, where: tuple[Target, Path]) -> None:
    fresh = Table("fresh", ())
    with pytest.raises(KeyError), store.transaction():
        store.create([fresh])
        store.put("fresh", [("k", "e", 0, 0)])
        store.put("seen", [row("k"), row("l")])
        store.publish(Publication("cards", "d1", 1, 2))
        raise KeyError
    assert (store.tables(), everything(store, "e"), store.publication("cards")) == (["seen"], [], None)
    with open_store(*where) as other:
        with store.transaction():
            store.put("seen", [row("k")])
            store.served("cards", "k", 0, 0, 0, "d1", {})
            assert (len(everything(store, "e")), everything(other, "e")) == (1, [])
        assert len(everything(other, "e")) == len(other.served_since("cards", 0)) == 1


def test_a_part_of_a_transaction_can_fail_alone(store: OnlineStore) -> None:
    with store.transaction():
        store.put("seen", [row("a")])
        with pytest.raises(TableError), store.transaction():
            store.put("seen", [row("b")])
            store.put("seen", [("c", "e", 0, 0, "text", None, None)])
        store.put("seen", [row("d")])
    assert [found[0] for found in everything(store, "e")] == ["a", "d"]


WRITER = """
    name, count = sys.argv[3], int(sys.argv[4])
    print("open", flush=True)
    input()
    for n in range(count):
        shared = [(f"s{k}", "all", n, n, n, None, None) for k in range(40)]
        if name == "y":
            shared.reverse()
        with store.transaction():
            assert [found[1] for found in store.window("seen", name, None, count)] == list(range(n))
            store.served("cards", f"{name}{n}", n, n, 0, "d1", {})
            store.put("seen", [(f"{name}{n}", name, n, 0, None, None, None), *shared])
"""


def test_processes_that_open_write_and_read_at_once_lose_nothing(where: tuple[Target, Path]) -> None:
    """Each reads and then writes rows of its own, some that all write in their own order, and answers, while the log is read."""
    count = 200
    writers = [
        subprocess.Popen(script(WRITER, where, name, str(count)), stdin=PIPE, stdout=PIPE, text=True) for name in "xyz"
    ]
    assert [writer.stdout.readline() for writer in writers] == ["open\n"] * 3
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    with open_store(*where) as store:
        read, last, going = [], 0, True
        while going:
            going = any(writer.poll() is None for writer in writers)
            for line in store.served_since("cards", last, limit=20 if going else 1000):
                read.append(line.decision_key)
                last = line.number
        assert [writer.communicate()[0] for writer in writers] == [""] * 3
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        assert sorted(read) == sorted(f"{name}{n}" for name, n in itertools.product("xyz", range(count)))
        assert [len(everything(store, name)) for name in "xyz"] == [count] * 3
        newest = [(f"s{k}", *[count - 1] * 3, None, None) for k in range(40)]
        assert everything(store, "all") == sorted(newest)


@pytest.mark.parametrize("where", STORES[1:], indirect=True)
def test_a_reader_of_the_log_does_not_pass_a_line_that_is_still_being_written(where: tuple[Target, Path]) -> None:
    """A smaller number that is committed later would never be read. SQLite has one writer at a time."""

    def read() -> list[str]:
        with open_store(*where) as store:
            return [line.decision_key for line in store.served_since("cards", 0)]

    with open_store(*where) as slow, open_store(*where) as fast, ThreadPoolExecutor() as threads:
        with slow.transaction():
            slow.served("cards", "slow", 0, 0, 0, "d1", {})
            fast.served("cards", "fast", 0, 0, 0, "d1", {})
            reading = threads.submit(read)
            with psycopg.connect(os.environ["FINLAKE_TEST_DSN"], autocommit=True) as watch:
                while not reading.done() and not watch.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
                    pass
        assert reading.result() == ["slow", "fast"]


def test_who_waits_too_long_for_another_is_told(where: tuple[Target, Path]) -> None:
    online, folder = where[0].online, where[1]
    with open_store(*where) as holder:
        holder.create([SEEN])
        hasty = (
            SqliteStore(folder / "online.db", wait=0.05)
            if online.store == "sqlite"
            else PostgresStore(os.environ["FINLAKE_TEST_DSN"], online.schema_, wait=0.05)
        )
        with hasty, holder.transaction():
            holder.put("seen", [row("k", since=1)])
            with pytest.raises(BusyError, match="try again"):
                hasty.put("seen", [row("k", since=2)])
            assert everything(hasty, "e") == []


KILLED = """
    with store.transaction():
        store.put("seen", [(f"k{n}", "e", n, 1, 1, None, None) for n in range(20_000)])
        store.create([Table("half", ())])
        store.publish(Publication("cards", "d2", 3, 4))
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_in_a_transaction_leaves_what_was_there(where: tuple[Target, Path]) -> None:
    with open_store(*where) as store:
        store.create([SEEN])
        store.put("seen", [row("k1"), row("k2")])
        store.publish(Publication("cards", "d1", 1, 2))
        before = everything(store, "e")
    killed = subprocess.run(script(KILLED, where), check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_store(*where) as store:
        assert (everything(store, "e"), store.tables()) == (before, ["seen"])
        assert store.publication("cards") == Publication("cards", "d1", 1, 2)
        assert store.put("seen", [row("k1", since=1)]) == 1
