"""Statements that only a workspace runs: their text, read by a parser of its dialect."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from finlake.workspace.unity_catalog import declare_feature_key


def test_a_feature_table_gets_its_key_and_time_series_after_its_columns_may_not_be_null() -> None:
    said: list[str] = []
    declare_feature_key(said.append, "`main`.`features`.`fraud`", "decision_key", "decision_ts")
    *before, last = said
    assert last.endswith("PRIMARY KEY (`decision_key`, `decision_ts` TIMESERIES)")
    for statement in before:
        altered = sqlglot.parse_one(statement, read="databricks")
        assert isinstance(altered, exp.Alter)
        assert altered.this.sql(dialect="databricks") == "`main`.`features`.`fraud`"
    assert [column for column in ("decision_key", "decision_ts") if f"`{column}` SET NOT NULL" in "".join(before)] == [
        "decision_key",
        "decision_ts",
    ]
