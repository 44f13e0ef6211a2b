"""What a score leads to: a day's alerts, cut-offs or costs; whom analysts answer about; how thresholds follow labels."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finlake.config.base import MICROS, Duration, FixedLength, Length, Model, Name

State = Literal["new", "in_work", "confirmed", "dismissed"]


class Verdicts(Model):
    """Which source holds what analysts found, and in which of its columns."""

    source: Name
    entity: str | None = Field(None, description="column of whom the verdict is about, as in one_alert_per")
    match: str | None = Field(None, description="column with the scored row's key, where a verdict is about one row")
    state: str = Field(description="column that says what was found")
    states: dict[str, State] = Field(
        {"in_work": "in_work", "confirmed": "confirmed", "dismissed": "dismissed"},
        description="word of that column -> new, in_work, confirmed or dismissed",
    )
    at: str | None = Field(None, description="column of when it was found; default: the source's happened_at")
    by: str | None = Field(None, description="column of who found it")
    note: str | None = Field(None, description="column of what the analyst wrote")

    @model_validator(mode="after")
    def _one_key(self) -> Verdicts:
        if (self.entity is None) == (self.match is None):
            raise ValueError("give either entity (the column of whom it is about) or match (of the scored row's key)")
        return self


class Costs(Model):
    """What decisions cost when they turn out wrong, in the unit of `value`; right ones cost nothing."""

    false_positive: float = Field(gt=0, description="of declining a negative")
    false_negative: float | Literal["value"] = Field(description="of approving a positive: a number, or policy.value")
    review: float | None = Field(
        None, gt=0, description="of a person's look, who then decides rightly; default: nobody looks"
    )

    @model_validator(mode="after")
    def _positive(self) -> Costs:
        if self.false_negative != "value" and self.false_negative <= 0:
            raise ValueError("false_negative must be above 0, or the word value")
        return self

    @property
    def cut_offs(self) -> tuple[float, float] | None:
        """Chances below which approving, and above which declining costs least; None where each row has its own.

        With the chance p, approving costs p·false_negative, declining (1 - p)·false_positive (Elkan, The Foundations of
        Cost-Sensitive Learning, 2001), and a look its own price. Where a look is dearer than both at every p, approve and
        decline meet at false_positive / (false_positive + false_negative).
        """
        if self.false_negative == "value":
            return None
        right, missed = self.false_positive, float(self.false_negative)
        if self.review is None or self.review >= right * missed / (right + missed):
            return right / (right + missed), right / (right + missed)
        return self.review / missed, 1 - self.review / right


class HourGroups(Model):
    """Hours of the day, in the business zone, as groups that begin at the hours given."""

    hours: list[int] = Field(min_length=1, description="for example [0, 7, 19]: night, day, evening")


class Policy(Model):
    """What a score leads to: a daily alert budget, cut-offs, or costs from which cut-offs follow."""

    alerts_per_day: int | None = Field(None, ge=1)
    watch_per_day: int | None = Field(None, ge=1, description="the next highest after the alerts: watched, not called")
    one_alert_per: str | None = Field(None, description="an analyst calls a customer, not a payment")
    queue_opens: str | None = Field(
        None,
        description="for example 07:00 Europe/Berlin; earlier losses are only found",
    )
    approve_below: float | None = Field(None, gt=0, lt=1)
    decline_above: float | None = Field(None, gt=0, le=1)
    costs: Costs | None = Field(None, description="instead of cut-offs: the decision with the least expected cost")
    value: str | None = Field(None, description="this.<money column>: what is lost when a positive is missed")
    alert_expires_after: FixedLength = Field(Duration.parse("7d"), description="days an alert waits for a verdict")
    sample_per_day: int | None = Field(
        None, ge=1, description="entities a day that are queued by chance, to see what the queue misses"
    )
    sample_seed: int = 7
    verdicts: Verdicts | None = Field(None, description="the source of analysts' answers")
    contexts: list[str | HourGroups] | None = Field(
        None,
        description="this.<column> or {hours: […]}: thresholds follow matured labels by these; []: as a whole; default: fixed",
    )
    labels_of: Length = Field(
        Duration.parse("180d"), description="thresholds learn from decisions of this last stretch"
    )
    pooling: float = Field(
        20, gt=0, description="expected positives with which a context's own experience counts as half"
    )

    @field_validator("contexts", mode="before")
    @classmethod
    def _hours_rise(cls, value: Any) -> Any:
        for context in value if isinstance(value, list) else ():
            hours = context.get("hours") if isinstance(context, dict) else None
            if isinstance(hours, list) and not (
                all(isinstance(hour, int) and 0 <= hour < 24 for hour in hours) and hours == sorted(set(hours))
            ):
                raise ValueError(f"hours must rise and lie between 0 and 23, got {[*hours]}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _from_costs(cls, value: Any) -> Any:
        """Cut-offs that follow from costs; those that were written beside costs must be the same."""
        if isinstance(value, dict) and value.get("costs") and not {"approve_below", "decline_above"} & value.keys():
            made = Costs.model_validate(value["costs"]).cut_offs
            if made is not None:
                value = {**value, "approve_below": made[0], "decline_above": made[1]}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Policy:
        given = self.costs.cut_offs if self.costs is not None else None
        written = self.approve_below is not None and (self.approve_below, self.decline_above) != given
        if sum((self.alerts_per_day is not None, written, self.costs is not None)) != 1:
            raise ValueError("give one of: alerts_per_day (with one_alert_per), approve_below and decline_above, costs")
        if self.alerts_per_day and not self.one_alert_per:
            raise ValueError("alerts_per_day needs one_alert_per, the column of whom is called")
        if self.watch_per_day and not self.alerts_per_day:
            raise ValueError("watch_per_day needs alerts_per_day: watched is what comes after the day's alerts")
        if self.approve_below is not None:
            if self.decline_above is None or self.decline_above < self.approve_below:
                raise ValueError("decline_above must be given and not lie below approve_below")
        if self.costs is not None and self.costs.false_negative == "value":
            if self.value is None:
                raise ValueError("costs.false_negative is value, so policy.value must name the column")
            if self.contexts is not None:
                raise ValueError("costs by value have a cut-off for each row: contexts need a number as false_negative")
        if self.alert_expires_after.micros % MICROS["d"] or not self.alert_expires_after.micros:
            raise ValueError("alert_expires_after is counted in whole days, at least 1d")
        if self.contexts is not None and sum(isinstance(context, HourGroups) for context in self.contexts) > 1:
            raise ValueError("contexts can hold hours only once")
        return self

    @property
    def cut_offs(self) -> tuple[float | None, float | None]:
        """approve_below and decline_above; None for alert budgets and where each row's value decides."""
        return self.approve_below, self.decline_above

    @property
    def expires_days(self) -> int:
        return self.alert_expires_after.micros // MICROS["d"]

    @property
    def context_columns(self) -> list[str]:
        """Columns of the scored row that contexts look at."""
        return [context.removeprefix("this.") for context in self.contexts or () if isinstance(context, str)]

    @property
    def in_words(self) -> str:
        """The policy in a sentence."""
        if self.alerts_per_day:
            watched = f", the next {self.watch_per_day} watched" if self.watch_per_day else ""
            return f"{self.alerts_per_day} alerts a day, one for each {self.one_alert_per}{watched}"
        if self.costs is not None:
            missed = "its value" if self.costs.false_negative == "value" else f"{self.costs.false_negative:g}"
            review = f", a review {self.costs.review:g}" if self.costs.review is not None else ""
            return f"least expected cost: a wrong decline {self.costs.false_positive:g}, a missed positive {missed}{review}"
        return f"approve below {self.approve_below:g}, decline above {self.decline_above:g}, refer between"
