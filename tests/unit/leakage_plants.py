"""Leaks to plant into generated decisions or into any table: name -> a function that adds one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from tests.unit.leakage_cases import Case, past

Plant = Callable[[Case, np.random.Generator], Case]
PLANTS: dict[str, Plant] = {}


def plant(kind: str) -> Callable[[Plant], Plant]:
    def named(make: Plant) -> Plant:
        def made(case: Case, draw: np.random.Generator) -> Case:
            return replace(make(case, draw), kind=kind)

        PLANTS[make.__name__] = made
        return made

    return named


def put(case: Case, column: Any, name: str = "planted", **read: Any) -> Case:
    frame = case.frame.assign(**{name: column})
    read = {**case.read, **read}
    if "features" in read:
        read["features"] = [*read["features"], name]
    return replace(case, frame=frame, read=read, leaks=frozenset([name]))


def by_category(case: Case) -> Any:
    return case.frame.groupby(case.category)[case.read["label"]]


def drifting(case: Case) -> Any:
    """The logarithm of the amount, which rises a little along the table."""
    return np.log1p(case.frame[case.amount].abs()) + np.linspace(0, 0.3, len(case.frame))


def label_of(case: Case) -> Any:
    return case.frame[case.read["label"]].to_numpy()


@plant("changed as of the decision")
def corrected_later(case: Case, draw: np.random.Generator) -> Case:
    honest = draw.normal(size=len(case.frame))
    told = np.where(draw.random(len(honest)) < 0.5, honest + 1.5 * label_of(case), honest)
    return put(case, told, recomputed=case.frame.assign(planted=honest))


@plant("own label")
def share_with_own_label(case: Case, draw: np.random.Generator) -> Case:
    micros = case.frame["at"].astype("datetime64[us]").astype(np.int64)
    count, hits = past(case.frame["customer"], micros, label_of(case), 7, own=True)
    return put(case, hits / np.maximum(count, 1))


@plant("own label")
def labels_of_ties(case: Case, draw: np.random.Generator) -> Case:
    frame = case.frame.copy()
    again = frame.sample(frac=0.3, random_state=int(draw.integers(1 << 30)))
    amount = np.round(np.exp(draw.normal(3, 1, len(again))), 2)
    quiet = {"key": "t" + again["key"], "label": 0, "amount": amount, "strong": draw.normal(size=len(again))}
    frame = pd.concat([frame, again.assign(**quiet)]).sort_values(["at", "key"], ignore_index=True)
    micros = frame["at"].astype("datetime64[us]").astype(np.int64)
    hits = past(frame["customer"], micros, frame["label"], 7, own=True)[1] - frame["label"]
    return put(replace(case, frame=frame), hits)


@plant("own row")
def mean_with_own_row(case: Case, draw: np.random.Generator) -> Case:
    micros = case.frame["at"].astype("datetime64[us]").astype(np.int64)
    count, total = past(case.frame["customer"], micros, case.frame["amount"], 400, own=True)
    mean = np.where(count == 1, case.frame["amount"], total / count)
    return put(case, mean)


@plant("immature label")
def too_young_to_tell(case: Case, draw: np.random.Generator) -> Case:
    frame = case.frame.copy()
    frame.loc[frame["at"] > frame["at"].max() - timedelta(days=20), "label"] = 0
    last = frame["at"].max().to_pydatetime()
    return Case(frame, {**case.read, "as_of": last, "matures_after": timedelta(days=20)}, frozenset(["label"]))


@plant("immature label")
def newest_rows_die_out(case: Case, draw: np.random.Generator) -> Case:
    frame = case.frame.copy()
    frame.loc[frame["at"] > frame["at"].max() - timedelta(days=20), "label"] = 0
    return replace(case, frame=frame, leaks=frozenset(["label"]))


@plant("target encoding")
def category_mean(case: Case, draw: np.random.Generator) -> Case:
    return put(case, by_category(case).transform("mean"))


@plant("target encoding")
def category_mean_of_a_column_that_is_gone(case: Case, draw: np.random.Generator) -> Case:
    made = put(case, by_category(case).transform("mean"))
    return replace(made, frame=made.frame.drop(columns=case.category))


@plant("target encoding")
def smoothed_mean(case: Case, draw: np.random.Generator) -> Case:
    grouped = by_category(case)
    return put(case, (grouped.transform("sum") + 20 * 0.06) / (grouped.transform("count") + 20))


@plant("target encoding")
def leave_one_out(case: Case, draw: np.random.Generator) -> Case:
    grouped = by_category(case)
    return put(case, (grouped.transform("sum") - label_of(case)) / (grouped.transform("count") - 1))


@plant("target encoding")
def rows_of_the_customer_for_ever(case: Case, draw: np.random.Generator) -> Case:
    return put(case, case.frame.groupby("customer")["key"].transform("count"))


@plant("filled after")
def recovered_amount(case: Case, draw: np.random.Generator) -> Case:
    told = (label_of(case) == 1) & (draw.random(len(case.frame)) < 0.6)
    return put(case, np.where(told, np.exp(draw.normal(5, 1, len(told))), 0.0))


@plant("filled after")
def closing_reason(case: Case, draw: np.random.Generator) -> Case:
    told = (label_of(case) == 0) & (draw.random(len(case.frame)) < 0.7)
    return put(case, pd.Series(np.where(told, "closed", None), index=case.frame.index))


@plant("filled after")
def notes_that_gather(case: Case, draw: np.random.Generator) -> Case:
    age = np.linspace(1, 0, len(case.frame))
    told = draw.random(len(age)) < np.where(label_of(case) == 1, 0.9 * age, 0.08)
    return put(case, np.where(told, draw.normal(size=len(age)), np.nan))


@plant("after the decision")
def date_of_last_payment(case: Case, draw: np.random.Generator) -> Case:
    days = np.where(
        label_of(case) == 1, draw.integers(5, 120, len(case.frame)), draw.integers(30, 400, len(case.frame))
    )
    return put(case, case.frame["at"] + pd.to_timedelta(days, unit="D"))


@plant("identifier")
def numbers_by_outcome(case: Case, draw: np.random.Generator) -> Case:
    number = 3 * np.arange(len(case.frame)) + draw.integers(0, 2, len(case.frame))
    return put(
        case, 6 * number + np.where(draw.random(len(number)) < 0.8, label_of(case), draw.integers(0, 2, len(number)))
    )


@plant("identifier")
def numbers_of_two_files(case: Case, draw: np.random.Generator) -> Case:
    second = (label_of(case) == 1) | (draw.random(len(case.frame)) < 0.3)
    return put(case, np.argsort(np.argsort(second + draw.random(len(second)))))


@plant("identifier")
def rows_sorted_by_outcome(case: Case, draw: np.random.Generator) -> Case:
    frame = case.frame.sort_values("label", kind="stable", ignore_index=True)
    return Case(frame.drop(columns="at"), {"label": "label", "key": "key"}, frozenset(["row order"]))


@plant("duplicates")
def copies_across_the_split(case: Case, draw: np.random.Generator) -> Case:
    frame = case.frame
    train = frame[: len(frame) // 2].sample(len(frame) // 40, random_state=int(draw.integers(1 << 30)))
    if "time" in case.read:
        time, key = case.read["time"], case.read["key"]
        train = frame.sort_values(time)[: len(frame) // 2].sample(len(train), random_state=7)
        train = train.assign(**{time: frame[time].max(), key: "copy" + train[key]})
    return replace(case, frame=pd.concat([frame, train], ignore_index=True), leaks=frozenset(["all features"]))


@plant("duplicates")
def positives_made_up_before_the_split(case: Case, draw: np.random.Generator) -> Case:
    frame, numbers = case.frame, ["amount", "limit", "used", "strong", *(f"part{n}" for n in range(6))]
    copies = frame[frame["label"] == 1].sample(frac=0.5, random_state=int(draw.integers(1 << 30)))
    copies = copies.assign(at=draw.permutation(frame["at"])[: len(copies)], key="more" + copies["key"])
    copies[numbers] *= 1 + draw.normal(0, 1e-3, (len(copies), len(numbers)))
    frame = pd.concat([frame, copies]).sort_values("at", ignore_index=True)
    return replace(case, frame=frame, leaks=frozenset(["all features"]))


@plant("fitted on test rows")
def standardised(case: Case, draw: np.random.Generator) -> Case:
    amount = drifting(case)
    return put(case, (amount - amount.mean()) / amount.std(ddof=0))


@plant("fitted on test rows")
def between_zero_and_one(case: Case, draw: np.random.Generator) -> Case:
    amount = drifting(case) + draw.normal(0, 0.1, len(case.frame))
    latest = case.frame[case.read["time"]].to_numpy().argmax() if "time" in case.read else len(amount) - 1
    amount.iloc[latest] = 1.5 * amount.max()
    return put(case, (amount - amount.min()) / (amount.max() - amount.min()))


@plant("fitted on test rows")
def ranked(case: Case, draw: np.random.Generator) -> Case:
    return put(case, drifting(case).rank(pct=True))


@plant("fitted on test rows")
def filled_with_the_mean(case: Case, draw: np.random.Generator) -> Case:
    amount = drifting(case).mask(draw.random(len(case.frame)) < 0.1)
    return put(case, amount.fillna(amount.mean()))


@plant("too good")
def nearly_the_label(case: Case, draw: np.random.Generator) -> Case:
    return put(case, label_of(case) + draw.normal(0, 0.3, len(case.frame)))


@plant("too good")
def a_noisy_echo(case: Case, draw: np.random.Generator) -> Case:
    return put(case, label_of(case) + draw.normal(0, 0.45, len(case.frame)))


@plant("too good")
def how_long_it_took(case: Case, draw: np.random.Generator) -> Case:
    seconds = draw.gamma(1.2, 180, len(case.frame))
    return put(case, np.where(label_of(case) == 1, 120 + draw.gamma(2, 160, len(seconds)), seconds))


@plant("too good")
def paid_of_owed(case: Case, draw: np.random.Generator) -> Case:
    share = np.where(label_of(case) == 1, draw.beta(2, 2, len(case.frame)), 1 - draw.beta(1, 30, len(case.frame)))
    return put(case, case.frame[case.owed] * share)


@plant("later rows")
def next_amount(case: Case, draw: np.random.Generator) -> Case:
    return put(case, case.frame.groupby("customer")["amount"].shift(-1))


@plant("later rows")
def days_to_the_next(case: Case, draw: np.random.Generator) -> Case:
    following = case.frame.groupby("customer")["at"].shift(-1)
    return put(case, ((following - case.frame["at"]).dt.total_seconds() / 86_400).fillna(0))
