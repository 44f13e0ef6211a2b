"""Reasons in the words of the features' definitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from finlake.config import Config, UseCase
from finlake.features.words import Wording, render, wordings
from finlake.models.explain import Render


def renderer(config: Config, use_case: UseCase, usual: Mapping[str, float | None]) -> Render:
    """Says one feature's value; what is usual is the training median, what is known ends at the decision."""
    return partial(_say, wordings(use_case, config), dict(usual), use_case.zone)


def _say(
    words: Mapping[str, Wording],
    usual: Mapping[str, float | None],
    zone: str,
    feature: str,
    value: float | None,
    row: Mapping[str, float | None],
    decided: datetime,
) -> str:
    moment = decided.replace(tzinfo=ZoneInfo("UTC")) if decided.tzinfo is None else decided
    day = moment.astimezone(ZoneInfo(zone))
    return render(words, feature, value, row, usual, f"{day.day} {day:%b}")
