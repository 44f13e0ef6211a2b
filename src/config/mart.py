"""A gold mart: one SELECT in a .sql file, with a header that describes it."""

from __future__ import annotations

from pydantic import Field

from finlake.config.base import Model, Name


class Mart(Model):
    """Header of conf/marts/<mart>.sql, YAML inside the file's first comment."""

    mart: Name
    about: str
    columns: dict[str, str] = Field(min_length=1, description="column -> what it means, all of them")
    cluster_by: list[str] = []
    sql: str = Field(description="the SELECT, with two-part names such as silver.loans_current")
