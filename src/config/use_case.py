"""A use case: who decides what about which rows, the label, features, split, model, policy and gates."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from finlake.config.base import Duration, FixedLength, Length, Model, Name


class Score(Model):
    """Which rows are scored, and at which moment the decision is taken."""

    each: Name = Field(description="the source whose rows are scored")
    as_of: Literal["happened_at", "known_at"] = Field(
        "known_at",
        description="decision time: when the row happened, or when it was first known",
    )
    since: Length | None = Field(None, description="the first run scores rows of this last stretch; default: all")


class LabelFrom(Model):
    source: Name
    match: str | None = Field(
        None,
        description="column that joins label rows to scored rows; default: the scored key",
    )


class Label(Model):
    """What is learnt. A row without a positive report is unknown until the label matures."""

    name: Name
    positive: str = Field(description="an SQL condition over the label source's columns")
    from_: LabelFrom = Field(alias="from")
    matures_after: Length = Field(description="from then on, no positive report means negative")


class Period(Model):
    """Days [from, until], both included, by the scored rows' happened_at in the business zone."""

    from_: date | None = Field(None, alias="from")
    until: date


class Split(Model):
    """Lengths are laid back from the last day whose labels have matured; periods are taken as they are."""

    train: Length | Period
    choose: Length | Period
    test: Length | Period
    gap_before_each: Length = Field(Duration(text="0d"), description="usually the label's matures_after")

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, value: Any) -> Any:
        if isinstance(value, dict):
            value = {key: Duration.parse(item) if isinstance(item, str) else item for key, item in value.items()}
        return value

    @model_validator(mode="after")
    def _one_style(self) -> Split:
        kinds = {type(part) for part in (self.train, self.choose, self.test)}
        if len(kinds) > 1:
            raise ValueError("train, choose and test are either all lengths (90d) or all periods ({from: , until: })")
        return self


class Search(Model):
    trials: int = Field(20, ge=1, le=1000)
    seed: int = 7
    seconds: int | None = Field(None, ge=1, description="stop starting trials after this long")
    rows: int = Field(
        200_000,
        ge=1000,
        description="trials train on at most this many rows, chosen by hash",
    )
    space: dict[str, list[float]] = Field({}, description="parameter -> [low, high]; default: docs/models.md")


class ModelChoice(Model):
    algorithm: Literal["xgboost"] = "xgboost"
    search: Search = Search()
    only_increases_with: list[str] = []
    only_decreases_with: list[str] = []
    workers: int = Field(2, ge=1, description="part of what the model digest depends on")


class Policy(Model):
    """What a score leads to: a daily alert budget, or cut-offs."""

    alerts_per_day: int | None = Field(None, ge=1)
    one_alert_per: str | None = Field(None, description="an analyst calls a customer, not a payment")
    queue_opens: str | None = Field(
        None,
        description="for example 07:00 Europe/Berlin; earlier losses are only found",
    )
    approve_below: float | None = Field(None, gt=0, lt=1)
    decline_above: float | None = Field(None, gt=0, le=1)
    value: str | None = Field(None, description="this.<money column>: what is lost when a positive is missed")

    @model_validator(mode="after")
    def _one_kind(self) -> Policy:
        if (self.alerts_per_day is None) == (self.approve_below is None):
            raise ValueError("give either alerts_per_day (with one_alert_per) or approve_below and decline_above")
        if self.alerts_per_day and not self.one_alert_per:
            raise ValueError("alerts_per_day needs one_alert_per, the column of whom is called")
        if self.approve_below is not None:
            if self.decline_above is None or self.decline_above < self.approve_below:
                raise ValueError("decline_above must be given and not lie below approve_below")
        return self


class BetterThan(Model):
    models: list[Literal["baseline_rule", "logistic_regression", "champion"]]
    metric: Literal["average_precision", "roc_auc"] = "average_precision"
    by: float = 0


class Calibrated(Model):
    predicted_to_observed: tuple[float, float] = (0.8, 1.25)
    by: Literal["all", "month", "quarter", "year"] = "all"


class Stable(Model):
    psi_below: float = 0.25
    by: Literal["month", "quarter", "year"] = "month"


class Gates(Model):
    """Each is judged on its 95% interval, not on its point."""

    better_than: BetterThan | None = None
    calibrated: Calibrated | None = None
    stable: Stable | None = None
    leaks: Literal["none"] = "none"


class Online(Model):
    """What the online store answers for."""

    late: FixedLength = Field(
        Duration.parse("2d"), description="how long after a row happened it may still be decided on online"
    )
    expires_after: FixedLength | None = Field(
        Duration.parse("2d"), description="no answers from what was published longer ago; null: never"
    )


class UseCase(Model):
    use_case: Name
    purpose: str
    owner: str
    approver: str
    materiality: Literal["low", "medium", "high"]
    zone: str = Field("UTC", description="business time zone: hours, days, alerts a day")
    score: Score
    label: Label
    features: list[str] = Field(min_length=1, description="groups, group.feature, or this.<column>")
    never: list[str] = Field([], description="columns that may not reach a model, directly or derived")
    split: Split
    baseline_rule: str = Field(
        description="what people use today: a condition or a number over features and this.<column>"
    )
    model: ModelChoice = ModelChoice()
    policy: Policy
    gates: Gates = Gates()
    online: Online = Online()
