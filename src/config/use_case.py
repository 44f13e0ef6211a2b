"""A use case: who decides what about which rows, the label, features, split, model, policy and gates."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import Field, model_validator

from finlake.config.base import Duration, FixedLength, Length, Model, Name
from finlake.config.gates import Gates
from finlake.config.policy import Policy


class Score(Model):
    """Which rows are scored, and at which moment the decision is taken."""

    each: Name = Field(description="the source whose rows are scored")
    as_of: Literal["happened_at", "known_at"] = Field(
        "known_at",
        description="decision time: when the row happened, or when it was first known",
    )
    since: Length | None = Field(None, description="the first run scores rows of this last stretch; default: all")
    max_age: Length | None = Field(
        None, description="no scores from features whose newest decision is older than this; default: any age"
    )


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


class HoldOut(Model):
    """Some entities are kept out of train and choose, to see what a model knows about those it never learnt from."""

    of: Name = Field(description="column of the scored row that says whom rows belong to, such as a customer's number")
    share: float = Field(0.1, gt=0, le=0.5, description="of the entities, drawn by hash")


class Split(Model):
    """Lengths are laid back from the last day whose labels have matured; periods are taken as they are."""

    train: Length | Period
    choose: Length | Period
    test: Length | Period
    gap_before_each: Length = Field(Duration(text="0d"), description="usually the label's matures_after")
    hold_out: HoldOut | None = Field(None, description="also split by entity: four parts of entities and time")

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


class Folds(Model):
    """Cross-validation in time, inside train: each fold is judged on days after those it learns from."""

    count: int = Field(3, ge=2, le=20, description="pieces of the later half of train, each judged once")
    kind: Literal["expanding", "rolling"] = Field(
        "expanding",
        description="learn from all days before, or from as many as the first fold has",
    )
    gap: Length | None = Field(None, description="between learning and judging; default: the label's matures_after")


class Search(Model):
    engine: Literal["hyperopt", "optuna"] = Field("hyperopt", description="who proposes the next trial")
    trials: int = Field(20, ge=1, le=1000)
    seed: int = 7
    seconds: int | None = Field(
        None,
        ge=1,
        description="stop starting trials after so many seconds of trials",
    )
    stop_poor: bool = Field(
        False,
        description="stop a trial that is below the median of the earlier ones (median stopping rule)",
    )
    folds: Folds | None = Field(None, description="judge trials on folds inside train instead of on choose")
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
    fit: Literal["distributed", "single_node"] = Field(
        "distributed",
        description="single_node: on the driver, for serverless and Spark Connect, up to search.rows rows a part",
    )
    weights: str | None = Field(
        None,
        description="how much a row counts in the loss: value (positives by policy.value), a feature or this.<column>",
    )


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
    segments: list[str] = Field([], description="features or this.<columns> by whose values models are also judged")
    model: ModelChoice = ModelChoice()
    policy: Policy
    gates: Gates = Gates()
    limits: list[str] = Field([], description="what the model is not for or does not know, in words, for its card")
    online: Online = Online()

    @model_validator(mode="after")
    def _weights_by_value(self) -> UseCase:
        if self.model.weights == "value" and self.policy.value is None:
            raise ValueError("model.weights: value needs policy.value, what is lost when a positive is missed")
        return self
