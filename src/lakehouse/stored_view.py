"""A view as the lake remembers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from finlake.lakehouse.names import literal


class StoredView(NamedTuple):
    """Its SQL, what it is about, and what its columns are; `comments` may name columns that it does not have."""

    sql: str
    about: str
    comments: dict[str, str]

    def statement(self, name: str, sql: str, columns: Sequence[str]) -> str:
        """CREATE VIEW under a full name, of SQL with full names that has these columns."""
        said = [f"`{column}`{comment(self.comments.get(column, ''))}" for column in columns]
        listed = f" ({', '.join(said)})" if said else ""
        return f"CREATE OR REPLACE VIEW {name}{listed}{comment(self.about)} AS {sql}"


def comment(text: str) -> str:
    """A COMMENT clause; nothing for no text."""
    return f" COMMENT {literal(text)}" if text else ""
