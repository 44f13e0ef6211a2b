"""A plugin of tests: a PostgreSQL server, the one that FINLAKE_POSTGRES names or an own one in a temporary folder.

Imported by name, too, hence PYTEST_DONT_REWRITE.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

INSTALL = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
ON_A_SERVER = pytest.mark.skipif(
    reason="PostgreSQL cannot be installed here; name a server in FINLAKE_POSTGRES", condition="no_postgres()"
)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    with server() as dsn:
        yield dsn


def pytest_markeval_namespace() -> dict[str, Any]:
    """`ON_A_SERVER` looks for a server when a test that needs one is about to run, not before."""
    return {"no_postgres": no_postgres}


@contextmanager
def server() -> Iterator[str]:
    """The connection string of a server that is there as long as the block; without TCP and without durability."""
    if given := os.environ.get("FINLAKE_POSTGRES"):
        yield given
        return
    programs = folder_of_programs()
    assert programs is not None, "no PostgreSQL; name a server in FINLAKE_POSTGRES"
    # The path of a socket may have some hundred bytes at most, which a test's own folder can exceed.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    user = _server_user()
    run = functools.partial(subprocess.run, cwd=folder, check=True, stdout=subprocess.DEVNULL, **user)
    try:
        if user:
            os.chown(folder, user["user"], user["group"])
        data = folder / "data"
        # Where it can be, text is in a language's order, so that tests see what relies on the order of code points.
        options = subprocess.run([programs / "initdb", "--help"], capture_output=True, text=True, check=True).stdout
        words = ["--locale-provider=icu", "--icu-locale=en"] if "--icu-locale" in options else []
        made = ["-U", "finlake", "-A", "trust", "-E", "UTF8", "--locale=C", *words, "--no-sync"]
        run([programs / "initdb", "-D", data, *made])
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        control = [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        try:
            run([*control, "-o", options, "start"])
            yield f"host={folder} user=finlake dbname=postgres"
        finally:
            run([*control, "-m", "immediate", "stop"], check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def no_postgres() -> bool:
    """Whether there is no server to test with, after what can be done about it."""
    return not os.environ.get("FINLAKE_POSTGRES") and folder_of_programs() is None


@functools.cache
def folder_of_programs() -> Path | None:
    """Where initdb and pg_ctl are; the system's package is installed where that is possible."""
    if (found := _installed()) is not None or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    with FileLock(Path(tempfile.gettempdir()) / "finlake-install-postgres.lock"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (INSTALL, ["apt-get", "update"], INSTALL):
            if _installed() is None:
                subprocess.run(command, env=quiet, capture_output=True, check=False)
    return _installed()


def _installed() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3].zfill(4))
    if found:
        return found[-1].parent
    # A link to it may lie where the user that the server runs as cannot look.
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb and shutil.which("pg_ctl") else None


def _server_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: whom it runs as instead."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
