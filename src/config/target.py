"""Where finlake runs: catalog, folders, MLflow and sizes. A tenant's file overrides a target's keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from finlake.config.base import Model, Name
from finlake.errors import suggestion

_PASSWORD = re.compile(r"^[^:]*://[^/@]*:[^/@]+@|password\s*=", re.IGNORECASE)  # of a URI, or of key=value pairs
_REFERENCE = re.compile(r"^(env:.+|secret:[^/]+/.+)$", re.DOTALL)


def _reference(value: str) -> str:
    if not _REFERENCE.match(value):
        raise ValueError(f"{value!r} refers to nothing; write env:NAME or secret:scope/key")
    return value


def _uri(*known: str) -> Callable[[str], str]:
    """MLflow takes a word that it does not know for a folder, and would begin an empty store in it."""

    def checked(value: str) -> str:
        if value not in known and ":" not in value and "/" not in value:
            raise ValueError(f"{value!r} is neither a URI nor a known place{suggestion(value, known)}")
        return value

    return checked


class MLflow(Model):
    tracking: Annotated[str, AfterValidator(_uri("sqlite", "databricks"))] = Field(
        "sqlite", description="`sqlite` under the lake, `databricks`, or a tracking URI"
    )
    registry: Annotated[str, AfterValidator(_uri("sqlite", "databricks-uc", "databricks"))] = Field(
        "sqlite",
        description="`sqlite` under the lake, `databricks-uc`, or a registry URI",
    )
    experiment: str = Field("finlake", description="name or workspace path prefix; the use case is appended")


class Online(Model):
    store: Literal["sqlite", "postgres"] = Field(
        "sqlite", description="a file, or a PostgreSQL server (Lakebase is one)"
    )
    path: str = Field("online.db", description="sqlite: the file; relative to the lake if not absolute")
    dsn: str | None = Field(
        None,
        description="postgres: env:NAME, secret:scope/key, or a connection string without a password",
    )
    schema_: Name = Field("finlake_online", alias="schema", description="postgres: schema of the tables")

    @model_validator(mode="after")
    def _settings_of_the_store(self) -> Online:
        other = {"sqlite": {"dsn", "schema_"}, "postgres": {"path"}}[self.store]
        if unused := sorted(name.rstrip("_") for name in other & self.model_fields_set):
            raise ValueError(f"store {self.store} has no {' and no '.join(unused)}")
        if self.store == "postgres" and not self.dsn:
            raise ValueError("store postgres needs dsn: env:NAME, secret:scope/key, or a connection string")
        if self.dsn and _PASSWORD.search(self.dsn):
            raise ValueError(
                "dsn has a password in the clear; put the connection string into an environment variable or a secret "
                "and write env:NAME or secret:scope/key, and change the password if this file was shared"
            )
        if self.dsn and not _REFERENCE.match(self.dsn) and "=" not in self.dsn and "://" not in self.dsn:
            raise ValueError(
                "dsn is no connection string; write env:NAME, secret:scope/key, or for example "
                "postgresql://user@host:5432/database"
            )
        return self


class Target(Model):
    target: Name
    catalog: str = Field(
        "spark_catalog", pattern=r"^[^\s./`{}]+$", description="Unity Catalog's name; spark_catalog on a laptop"
    )
    lake: str | None = Field(None, description="folder of the tables; none where Unity Catalog manages them")
    landing: str = Field(
        "landing",
        description="folder where files arrive; relative to the lake if not absolute",
    )
    tenant: Name | None = Field(None, description="prefix of every schema")
    pan_key: Annotated[str, AfterValidator(_reference)] = Field(
        "env:FINLAKE_PAN_KEY",
        description="key for card numbers: env:NAME or secret:scope/key",
    )
    require_approval: bool = Field(False, description="champion needs the approver's tag on the model version")
    as_of: datetime | None = Field(None, description="pretend it is this moment, for historical data; default: now")
    mlflow: MLflow = MLflow()
    online: Online = Online()
    spark: dict[str, str] = Field({}, description="extra Spark settings of the local session")
