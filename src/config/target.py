"""Where finlake runs: catalog, folders, MLflow and sizes. A tenant's file overrides a target's keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from finlake.config.base import Model, Name


class MLflow(Model):
    tracking: str = Field("sqlite", description="`sqlite` under the lake, `databricks`, or a tracking URI")
    registry: str = Field(
        "sqlite",
        description="`sqlite` under the lake, `databricks-uc`, or a registry URI",
    )
    experiment: str = Field("finlake", description="name or workspace path prefix; the use case is appended")


class Target(Model):
    target: Name
    catalog: str = Field("spark_catalog", description="Unity Catalog's name; spark_catalog on a laptop")
    lake: str | None = Field(None, description="folder of the tables; none where Unity Catalog manages them")
    landing: str = Field(
        "landing",
        description="folder where files arrive; relative to the lake if not absolute",
    )
    tenant: Name | None = Field(None, description="prefix of every schema")
    pan_key: str = Field(
        "env:FINLAKE_PAN_KEY",
        description="key for card numbers: env:NAME or secret:scope/key",
    )
    require_approval: bool = Field(False, description="champion needs the approver's tag on the model version")
    as_of: datetime | None = Field(None, description="pretend it is this moment, for historical data; default: now")
    mlflow: MLflow = MLflow()
    spark: dict[str, str] = Field({}, description="extra Spark settings of the local session")
