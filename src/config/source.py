"""The contract of one source: where it comes from, its columns, key, clocks and expectations."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from finlake.config.base import ClockField, Duration, Length, Model, Name

ColumnType = Literal["text", "integer", "number", "boolean", "date", "timestamp", "money"]
Pii = Literal["pan", "name", "email", "phone", "address", "national_id", "other"]


class Column(Model):
    """One column as it arrives, and what silver makes of it."""

    type: ColumnType = Field(description="what the values are")
    about: str = Field(
        "",
        description="a sentence for people; becomes the column's comment in every table",
    )
    required: bool = Field(False, description="a row without it is quarantined")
    names: list[str] = Field([], description="other headers this column has arrived under")
    as_: Name | None = Field(None, alias="as", description="its name from silver on")
    format: str | None = Field(
        None,
        description="date, timestamp: iso, epoch_s, epoch_ms or a pattern like dd.MM.yyyy",
    )
    zone: str | None = Field(
        None,
        description="time zone of timestamps that carry none, for example Europe/Berlin",
    )
    true_words: list[str] = Field(["true", "t", "yes", "y", "1"], description="boolean: what counts as true")
    false_words: list[str] = Field(["false", "f", "no", "n", "0"], description="boolean: what counts as false")
    currency: str | None = Field(None, description="money: an ISO code, or the column that holds it")
    decimals: int = Field(2, ge=0, le=6, description="money: digits after the point")
    codes: dict[str, str] = Field({}, description="conformed codes: what arrives -> what silver holds")
    pii: Pii | None = Field(
        None,
        description="pan is tokenised before bronze; others are masked outside silver",
    )
    unit: str = Field("", description="unit for people, for example EUR or months")

    @model_validator(mode="after")
    def _money_has_currency(self) -> Column:
        if self.type == "money" and not self.currency:
            raise ValueError("a money column needs `currency`: an ISO code such as EUR, or the column that holds it")
        if self.pii == "pan" and self.type != "text":
            raise ValueError(f"a `pii: pan` column is a token, so its type is text, not {self.type}")
        return self


class Arrives(Model):
    """When data must be there, and how many rows are normal."""

    every: Length = Field(description="for example 1 day")
    by: str = Field("23:59 UTC", description="time of day and zone, for example 06:00 Europe/Berlin")
    rows: tuple[int, int] | None = Field(None, description="the fewest and the most rows that are normal in one batch")

    @model_validator(mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("every") in (
            "day",
            "week",
            "month",
            "hour",
        ):
            value = {**value, "every": Duration.parse(f"1 {value['every']}")}
        return value


class Read(Model):
    """Where the files are and how they are written."""

    from_: str = Field(
        alias="from",
        description="a file or a folder, relative to the target's landing folder",
    )
    format: Literal["csv", "jsonl", "parquet", "xml"]
    delimiter: str = Field(",", description="csv: one character, or \\t")
    quote: str = Field('"', max_length=1, description="csv: one character; empty where quotes are part of the values")
    escape: str = Field('"', max_length=1, description="csv: the character before a quote that is part of a value")
    decimal: Literal[".", ","] = Field(".", description="decimal mark of numbers; the other one may group thousands")
    encoding: str = "utf-8"
    header: bool = True
    multiline: bool = Field(
        False,
        description="csv: quoted values may hold line breaks; one task reads a whole file",
    )
    null_words: list[str] = Field([""], description="texts that mean: no value")
    row_tag: str | None = Field(None, description="xml: the element that is one row")
    pattern: str = Field("*", description="which files of a folder, for example payments_*.csv.gz")
    arrives: Arrives | None = None
    required: bool = Field(
        True,
        description="false: that no file has ever arrived is no error, as of analysts' answers before there is a queue",
    )

    @model_validator(mode="after")
    def _row_tag(self) -> Read:
        if self.format == "xml" and not self.row_tag:
            raise ValueError("xml needs `row_tag`, the name of the element that is one row")
        if self.format == "csv" and len(self.sep) != 1:
            raise ValueError(f"delimiter must be one character, got {self.delimiter!r}")
        return self

    @property
    def sep(self) -> str:
        """The delimiter as the character it is."""
        return self.delimiter.replace("\\t", "\t")


class KnownLater(Model):
    """Columns that are known later than the row itself, for example the outcome of a loan."""

    columns: list[str] = Field(min_length=1)
    known_at: ClockField


_NAMED_COLUMNS = ("column", "column_A", "column_B")


def _arguments(expectation: str, given: Any) -> dict[str, Any]:
    """A copy of an expectation's arguments.

    Raises:
        ValueError: they are no mapping, or columns and sources in them are not named by texts.
    """
    if given is not None and not isinstance(given, dict):
        raise ValueError(f"{expectation} takes a mapping of arguments, for example {{column: amount}}; got {given!r}")
    arguments = dict(given or {})
    for key in (*_NAMED_COLUMNS, "in", "key"):
        if key in arguments and not isinstance(arguments[key], str):
            raise ValueError(f"{expectation}: {key} must be one name, got {arguments[key]!r}")
    listed = arguments.get("column_list", [])
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise ValueError(f"{expectation}: column_list must be a list of names, got {listed!r}")
    return arguments


class Expectation(Model):
    """One rule in Great Expectations' vocabulary, with a sentence for people."""

    rule: str = Field(description="the sentence people read as the reason in quarantine")
    name: str
    arguments: dict[str, Any]
    otherwise: Literal["quarantine", "warn", "stop"] = "quarantine"
    mostly: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of non-null rows that must pass, else the batch stops",
    )
    where: str | None = Field(None, description="only rows for which this SQL condition holds")

    @model_validator(mode="before")
    @classmethod
    def _one_expectation(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "arguments" in value:
            return value
        names = [key for key in value if str(key).startswith("expect_")]
        if len(names) != 1:
            raise ValueError(f"needs exactly one key that begins with `expect_`, got {names or 'none'}")
        rest = {key: item for key, item in value.items() if key != names[0]}
        arguments = _arguments(names[0], value[names[0]])
        for moved in ("mostly", "where"):
            if moved in arguments:
                rest[moved] = arguments.pop(moved)
        return {**rest, "name": names[0], "arguments": arguments}

    @property
    def columns(self) -> tuple[str, ...]:
        """Silver columns that its arguments name; not those in a condition."""
        named = (self.arguments[key] for key in _NAMED_COLUMNS if key in self.arguments)
        return (*named, *self.arguments.get("column_list", ()))


class Source(Model):
    """A data contract. Column names elsewhere in conf/ are the names silver gives (`as`)."""

    source: Name
    about: str
    owner: str
    read: Read
    columns: dict[str, Column] = Field(min_length=1)
    key: list[str] = Field(min_length=1, description="what identifies one row")
    latest_by: str | None = Field(
        None,
        description="same key, later value = a correction; default: the known_at column",
    )
    happened_at: str = Field(description="the column that says when it happened")
    known_at: ClockField = Field(description="when the row was known: a column, or {happened_at plus: 1 day}")
    known_later: list[KnownLater] = Field([], description="groups of columns with a later clock of their own")
    expect: list[Expectation] = []
    stop_above: float | None = Field(None, gt=0, le=1, description="share of a batch that may be quarantined")
    zone: str = Field("UTC", description="time zone of naive times, unless a column says otherwise")

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if isinstance(value, dict):
            value = dict(value)
            if isinstance(value.get("key"), str):
                value["key"] = [value["key"]]
            limit = value.get("stop_above")
            if isinstance(limit, str) and limit.strip().endswith("%"):
                value["stop_above"] = float(limit.strip()[:-1]) / 100
        return value

    @model_validator(mode="after")
    def _told_apart(self) -> Source:
        seen: dict[str, str] = {}
        for name in self.columns:
            if (other := seen.setdefault(name.casefold(), name)) != name:
                raise ValueError(f"columns {other!r} and {name!r} differ only in case, which tables do not tell apart")
        return self

    @property
    def silver_names(self) -> dict[str, str]:
        """Column as it arrives -> its name in silver."""
        return {name: column.as_ or name for name, column in self.columns.items()}

    @property
    def silver_columns(self) -> dict[str, Column]:
        """Columns by their silver name, in contract order."""
        return {column.as_ or name: column for name, column in self.columns.items()}

    def closed_set(self, name: str) -> set[str] | None:
        """All texts silver can hold in a column: those its codes give and no rule quarantines; None: any text.

        Args:
            name: the column's name in silver.
        """
        column = self.silver_columns.get(name)
        if column is None or column.type != "text":
            return None
        sets = [set(column.codes.values())] if column.codes else []
        for rule in self.expect:
            if rule.name == "expect_column_values_to_be_in_set" and rule.columns == (name,) and not rule.where:
                listed = rule.arguments.get("value_set")
                if rule.otherwise == "quarantine" and isinstance(listed, list):
                    sets.append({str(value) for value in listed})
        return set.intersection(*sets) if sets else None

    @property
    def later_columns(self) -> set[str]:
        """Silver names of the columns that have a later clock than the row."""
        return {name for group in self.known_later for name in group.columns}
