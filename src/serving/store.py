"""The online store as its callers see it: tables of recent rows, publications, and the log of what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Kind = Literal["whole", "number", "text"]
Row = tuple[Any, ...]
Asked = tuple[str, str, int | None, int]  # table, entity, low, high of a window


@dataclass(frozen=True)
class Column:
    """whole: an int of 64 bits; number: a float; text: a str without the character NUL. Each may be None."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class Table:
    """The columns a table has besides key, entity, at and since; `indexed` are the text columns to look rows up by."""

    name: str
    columns: tuple[Column, ...]
    indexed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Publication:
    """What the rows of a use case are good for.

    Attributes:
        use_case: name of the use case.
        definition: digest of the definitions that the rows were made for.
        watermark: every row known before this moment is there; microseconds since 1970 UTC, as all moments here.
        published_at: when it was published.
        expires_after: for how many microseconds after that rows may be answered from; None: always.
        reason: why it was published or refused, in words.
        refused: set by `refuse`; never in charge.
    """

    use_case: str
    definition: str
    watermark: int
    published_at: int
    expires_after: int | None = None
    reason: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Served:
    """One line of the log of answers; `number` grows from line to line, with gaps."""

    number: int
    use_case: str
    decision_key: str
    at: int
    moment: int
    watermark: int
    definition: str
    values: dict[str, float | None]


class OnlineStore(Protocol):
    """Recent rows of each entity, in a file or on a server; both behave alike.

    Moments are whole microseconds since 1970 UTC: `at` when a row happened, `since` when this version was known.
    Each call commits itself, except inside `transaction`. Several processes may use one store at once; an object
    belongs to the thread that opened it.

    Raises:
        BusyError: another process held a lock for too long; the call can be repeated.
        ConfigError: a name that is no identifier, or a column that `matching` cannot look up.
        SetupError: the store cannot be reached or written any more, or was closed.
        TableError: there is no such table, or a row does not fit its columns.
    """

    def create(self, tables: Iterable[Table]) -> None:
        """Creates what is not there yet: all of the tables, or after an error none.

        Raises:
            TableError: a table of that name has other columns or indexes.
        """

    def drop(self, names: Iterable[str]) -> None:
        """Removes tables and their rows; a name that is not there is passed over."""

    def tables(self) -> list[str]:
        """Names of the tables, sorted."""

    def put(self, table: str, rows: Iterable[Row]) -> int:
        """Keeps the newest version of each key: all of the rows are stored, or after an error none.

        A row whose `since` is older than that of the stored row of its key is passed over; an equal or newer one
        replaces it, whatever else changed. (key, since) names one version, so that replaying rows in any order, any
        number of times, ends in the same state. NaN is stored as None.

        Args:
            table: name of the table.
            rows: (key, entity, at, since, *values in the table's order). They are held in memory. An entity of None
                belongs to nobody and is stored as "", so that an older version cannot come back.

        Returns:
            Of how many keys a row was stored.
        """

    def forget(self, table: str, keys: Sequence[str], until: int) -> int:
        """Deletes the rows of these keys with since <= until, and says how many.

        For a publication, which knows better: what it then puts stands, even with an older `since` than what it took
        away, and a version told after it is not touched.
        """

    def window(self, table: str, entity: str, low: int | None, high: int) -> list[Row]:
        """Rows of an entity with low <= at < high; low None has no beginning. The entity "" has none.

        Returns:
            (key, at, since, *values), ordered by at, since and key (by code points).
        """

    def windows(self, asked: Sequence[Asked]) -> list[list[Row]]:
        """Several windows at once; a server is asked in one go."""

    def look(self, use_case: str, asked: Sequence[Asked]) -> tuple[Publication | None, list[list[Row]]]:
        """The publication in charge and several windows; a server is asked in one go."""

    def matching(self, table: str, column: str, value: str | None) -> list[Row]:
        """Rows in which an indexed column has this value; None matches none.

        Returns:
            (key, entity, at, since, *values), ordered by at, since and key.
        """

    def prune(self, table: str, before: int) -> int:
        """Deletes rows with at < before, and says how many. `put` would store them again."""

    def publish(self, publication: Publication) -> None:
        """Puts a publication in charge. The history is only appended to."""

    def refuse(self, publication: Publication) -> None:
        """Records a publication that was refused, with its reason; the one in charge stays."""

    def publication(self, use_case: str) -> Publication | None:
        """The one in charge: the last that was published and not refused."""

    def publications(self, use_case: str) -> list[Publication]:
        """All of them, refused ones too, the last recorded first."""

    def served(
        self,
        use_case: str,
        decision_key: str,
        at: int,
        moment: int,
        watermark: int,
        definition: str,
        values: Mapping[str, float | None],
        rows: Sequence[tuple[str, Row]] = (),
    ) -> None:
        """Appends what was answered to the log, where nothing ever changes, and puts the rows that it leaves behind.

        Line and rows are stored together, or after an error none of them; a server is told in one go. The same
        (use_case, decision_key, moment, watermark) again adds no line, as long as the log holds the first.

        Args:
            use_case: name of the use case.
            decision_key: key of the decision's row.
            at: when the decision's row happened.
            moment: when the answer was computed.
            watermark: of the publication in charge.
            definition: of the publication in charge.
            values: each feature; NaN is stored as None.
            rows: each with its table, at most one of a table; as `put` takes and keeps them.
        """

    def served_since(self, use_case: str, number: int, limit: int = 100_000) -> list[Served]:
        """The first `limit` lines of the log after a number, in order.

        No line with a smaller number appears later, so that a job may go on from the last number it has.
        """

    def forget_served(self, use_case: str, until: int) -> int:
        """Deletes the lines of a use case with number <= until, and says how many; their numbers never come again."""

    def identity(self) -> str:
        """What tells this log from that of another store: numbers mean something together with it only."""

    def transaction(self) -> AbstractContextManager[None]:
        """What happens inside is committed together; after an error or a crash none of it.

        Inside of another it can fail alone. After an error of the store leave the block: on a server nothing more can
        be done in it. Keep it short, as other writers may have to wait for its end.
        """

    def turn(self) -> AbstractContextManager[None]:
        """To read inside and then to write: in a file a `transaction`, as one process writes at a time.

        On a server, where nobody has to wait, each call commits itself as it does outside.
        """

    def close(self) -> None:
        """Gives the connection back; an open transaction is undone. Again does nothing."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
