"""What only Unity Catalog understands: keys by which feature engineering and people find a feature table's rows."""

from __future__ import annotations

from collections.abc import Callable


def declare_feature_key(run: Callable[[str], object], table: str, key: str, moment: str) -> None:
    """Makes (key, moment) the primary key of a feature table, moment its time series; informational, as keys are there.

    Lookups by time then find the last row before a moment, and catalogs show how to join the table. Declaring it again
    changes nothing.

    Args:
        run: runs one SQL statement.
        table: full name, quoted.
        key: column of the row's key.
        moment: TIMESTAMP column from which on the row holds.
    """
    name = "finlake_key"
    for column in (key, moment):
        run(f"ALTER TABLE {table} ALTER COLUMN `{column}` SET NOT NULL")
    run(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
    run(f"ALTER TABLE {table} ADD CONSTRAINT {name} PRIMARY KEY (`{key}`, `{moment}` TIMESERIES)")
