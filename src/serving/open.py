"""The online store that a target names."""

from __future__ import annotations

import os
from pathlib import Path

from finlake.config import Target
from finlake.errors import ConfigError, SetupError
from finlake.serving.sqlite import SqliteStore
from finlake.serving.store import OnlineStore
from finlake.workspace.secrets import secret


def open_store(target: Target, root: Path | None) -> OnlineStore:
    """The store of the target's `online`, made where there is none. A tenant has its own file or schema.

    Args:
        target: where finlake runs, and for which tenant.
        root: folder of the lake; None where Unity Catalog manages it.

    Raises:
        ConfigError: the setting does not say where the store is.
        SetupError: it cannot be reached, or the driver is missing; the password is never shown.
    """
    online, prefix = target.online, f"{target.tenant}_" if target.tenant else ""
    if online.store == "sqlite":
        path = Path(online.path)
        if root is None and not path.is_absolute():
            raise ConfigError(
                f"target {target.target} has no lake folder that the online store {online.path!r} could be in; "
                "set online to {store: postgres, dsn: secret:scope/key}, or online.path to an absolute path"
            )
        path = path if root is None else root / path
        return SqliteStore(path.with_name(prefix + path.name))
    try:
        from finlake.serving.postgres import PostgresStore
    except ImportError as error:
        raise SetupError(
            f"an online store in PostgreSQL needs psycopg ({error}); install it with pip install 'finlake[postgres]'"
        ) from error
    return PostgresStore(_dsn(online.dsn or ""), prefix + online.schema_)


def _dsn(reference: str) -> str:
    """The connection string, wherever it is kept."""
    kind, _, name = reference.partition(":")
    if kind == "secret":
        return secret(*name.split("/", 1))
    if kind == "env":
        if not os.environ.get(name):
            raise ConfigError(
                f"the environment variable {name} of online.dsn is not set; it must hold the connection string, "
                "for example postgresql://user:password@host:5432/database"
            )
        return os.environ[name]
    return reference
