"""A network of accounts: which payments connect whom, and what is measured of it at regular moments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from finlake.config.base import MICROS, Clock, Duration, FixedLength, Model, Name
from finlake.config.source import Column, Read, Source

Measure = Literal["degrees", "flow_through", "cycles", "components", "communities", "risk"]
MEASURES: tuple[Measure, ...] = ("degrees", "flow_through", "cycles", "components", "communities", "risk")


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _whole_days(length: Duration) -> Duration:
    if not length.micros or length.micros % MICROS["d"]:
        raise ValueError(f"{length.text!r} is not a number of whole days; write for example 1d or 7d")
    return length


class Edges(Model):
    """Rows of a source as payments between two accounts."""

    source: Name = Field(description="the source whose rows are payments")
    payer: str = Field(description="a column of the source, or an SQL expression that gives a text")
    payee: str = Field(description="a column of the source, or an SQL expression that gives a text")
    amount: str = Field(description="a money column of the source")
    where: str | None = Field(None, description="only rows for which this condition holds")


class KnownBad(Model):
    """Accounts that something was found out about; risk spreads from them."""

    source: Name = Field(description="the source that tells it")
    account: str = Field(description="its column that names the account")
    when: str = Field(description="the condition under which the account counts as bad, while a row says so")


class CycleSearch(Model):
    """What counts as a cycle, and how much of a very busy account is looked at."""

    within: FixedLength = Field(Duration.parse("3d"), description="longest time from the first payment to the last")
    growth: float = Field(1.0, gt=0, description="no payment exceeds the one before it by more than this factor")
    longest: int = Field(5, ge=2, le=5, description="most payments of a cycle")
    per_account: int = Field(100, ge=1, description="most payments of an account on each side in `within`")


class RiskSpread(Model):
    """How risk spreads from accounts known as bad."""

    decay: float = Field(0.5, ge=0, le=1, description="chance to walk on to another account")
    steps: int = Field(3, ge=1, le=20, description="most steps of a walk")


class Network(Model):
    """Snapshots of a network: silver.<network> holds a row for each account and moment, a source like any other."""

    network: Name
    about: str
    owner: str = ""
    account: Annotated[list[Name], BeforeValidator(_names)] = Field(
        min_length=1,
        description="what scored rows call an account: a column, or several: [account_id, counterparty_id]",
    )
    edges: Edges
    known_bad: KnownBad | None = None
    every: Annotated[FixedLength, AfterValidator(_whole_days)] = Field(
        Duration.parse("7d"), description="time between snapshots, whole days: 1d, 7d"
    )
    delay: FixedLength = Field(
        description="how long after its moment a snapshot can be read: data is late, jobs take time"
    )
    zone: str = Field("UTC", description="snapshots are of midnight in this time zone")
    backfill: FixedLength | None = Field(
        None, description="the first run makes snapshots of no more than this; default: all"
    )
    measures: list[Measure] = Field([], description="what is measured; default: all, risk only with known_bad")
    windows: list[FixedLength] = Field(
        [Duration.parse("7d"), Duration.parse("30d")], min_length=1, description="of degrees, flow_through and cycles"
    )
    flow_within: FixedLength = Field(Duration.parse("48h"), description="money that leaves later did not pass through")
    cycles: CycleSearch = CycleSearch()
    reach: FixedLength = Field(
        Duration.parse("30d"), description="how far back payments connect accounts: components, communities, risk"
    )
    rounds: int = Field(8, ge=1, le=50, description="of the search for communities")
    risk: RiskSpread = RiskSpread()

    @model_validator(mode="after")
    def _can_be_measured(self) -> Network:
        if "risk" in self.measures and self.known_bad is None:
            raise ValueError("measures: risk needs `known_bad`, the accounts it spreads from")
        measured = {self.key, "as_of", *(name for name, _ in self._columns(None))}
        if taken := sorted({*self.account} & measured):
            raise ValueError(f"account: {', '.join(taken)} is already a column of the snapshots")
        labels = [window.text.replace(" ", "") for window in self.windows]
        if len(set(labels)) < len(labels) or len({window.micros for window in self.windows}) < len(labels):
            raise ValueError(f"windows: {', '.join(labels)} are not all different")
        if not all(window.micros for window in (*self.windows, self.reach, self.flow_within, self.cycles.within)):
            raise ValueError("a window of no length holds nothing; write for example 7d")
        return self

    @property
    def measured(self) -> list[Measure]:
        """What is measured, in a fixed order."""
        wanted = self.measures or [name for name in MEASURES if name != "risk" or self.known_bad]
        return [name for name in MEASURES if name in wanted]

    @property
    def lengths(self) -> dict[str, Duration]:
        """Windows by the name that ends their columns' names."""
        return {window.text.replace(" ", ""): window for window in self.windows}

    @property
    def key(self) -> str:
        return f"{self.network}_id"

    def as_source(self, amount: Column | None) -> Source:
        """What silver holds, as a contract that features can name. No file is read for it.

        Args:
            amount: the money column of the edges' source; None where that is not known.
        """
        account = Column(type="text", required=True, about="The account.")
        columns = {
            self.key: Column(type="text", required=True, about="Account and day of the snapshot."),
            **dict.fromkeys(self.account, account),
            "as_of": Column(type="timestamp", required=True, about="Moment of the snapshot."),
            **dict(self._columns(amount)),
        }
        return Source(
            source=self.network,
            about=self.about,
            owner=self.owner,
            read=Read(from_=f"silver.{self.edges.source}", format="parquet"),
            columns=columns,
            key=[self.key],
            happened_at="as_of",
            known_at=Clock(column="as_of", plus=self.delay),
        )

    def _columns(self, amount: Column | None) -> Iterator[tuple[str, Column]]:
        money = Column(type="money", currency=(amount and amount.currency) or "EUR")
        if amount:
            money = money.model_copy(update={"decimals": amount.decimals, "unit": amount.unit})
        for window in self.lengths:
            if "degrees" in self.measured:
                for side, did in (("in", "received"), ("out", "made")):
                    yield f"degree_{side}_{window}", _whole(f"Payments {did} in {window}.", "payments")
                    yield f"fan_{side}_{window}", _whole(f"Counterparties of payments {did} in {window}.", "accounts")
                    about = f"Sum of payments {did} in {window}."
                    yield f"sum_{side}_{window}", money.model_copy(update={"about": about})
                    about = f"Concentration (HHI) of counterparties of payments {did} in {window}."
                    yield f"concentration_{side}_{window}", _number(about, "index, 1: only one")
                yield (
                    f"reciprocity_{window}",
                    _number(f"Share of counterparties in both directions in {window}.", "share"),
                )
            if "flow_through" in self.measured:
                passed = f"within {self.flow_within.text}"
                yield (
                    f"flow_through_{window}",
                    _number(f"Share of money received in {window} that left {passed}.", "share"),
                )
                yield f"hours_to_pass_{window}", _number(f"Hours until money of {window} left, if {passed}.", "hours")
            if "cycles" in self.measured:
                for length in range(2, self.cycles.longest + 1):
                    about = f"Cycles of {length} payments over the account that closed in {window}."
                    yield f"cycles_{length}_{window}", _whole(about, "cycles")
                yield f"cycles_unseen_{window}", _whole(f"Payments of {window} left out of the search.", "payments")
        for measure, name in (("components", "component"), ("communities", "community")):
            if measure in self.measured:
                yield name, Column(type="text", about=f"An account that names the {name}.")
                yield f"{name}_size", _whole(f"Accounts of the {name}.", "accounts")
        if "risk" in self.measured:
            yield (
                "propagated_risk",
                _number("Chance that a walk over payments ends at an account known as bad.", "chance"),
            )


def _whole(about: str, unit: str) -> Column:
    return Column(type="integer", about=about, unit=unit)


def _number(about: str, unit: str) -> Column:
    return Column(type="number", about=about, unit=unit)
