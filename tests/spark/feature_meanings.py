"""Every kind of feature over the payments world, and what each means in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from statistics import correlation, linear_regression, stdev

from tests.spark.feature_cases import BERLIN, Meaning, Reference

H, D = timedelta(hours=1), timedelta(days=1)
GROUPS = {
    "card": {
        "entity": "card",
        "features": {
            "n_{window}": {"count": "rows", "windows": ["1h", "1d", "3d"]},
            "sum_1d": {"sum": "amount", "windows": ["1d"]},
            "sum_unknown_1h": {"sum": "amount", "windows": ["1h"], "when_empty": "unknown"},
            "mean_3d": {"mean": "amount", "windows": ["3d"], "including_this": True},
            "mean_km_1d": {"mean": "km", "windows": ["1d"], "when_empty": 0},
            "min_1d": {"min": "amount", "windows": ["1d"]},
            "max_items_3d": {"max": "items", "windows": ["3d"], "ends_before": "1h", "including_this": True},
            "night_3d": {"share": "hour(paid_at) < 6", "windows": ["3d"], "zone": "Europe/Berlin"},
            "few_1d": {"count": "rows", "where": "amount < 5 or items is null", "windows": ["1d"], "ends_before": "1d"},
            "since": {"time_since": "last row", "unit": "minutes"},
            "since_large": {"time_since": "last row", "unit": "hours", "where": "amount > 1000", "ends_before": "1h"},
            "times": {"ratio": ["this.amount", "mean_3d"]},
            "log_items": {"row": "case when this.items > 0 then ln(this.items + n_1d) end"},
            "damped": {
                "python": {
                    "call": "scores.curves:damped",
                    "of": ["this.amount", "mean_{window}", "this.shop", "this.km"],
                },
                "windows": ["3d"],
            },
            "damped_a_day": {"ratio": ["damped", "n_1d"]},
            "known_1d": {"count": "rows", "clock": "known", "windows": ["1d"], "ends_before": "1h"},
            "std_3d": {"std": "amount", "windows": ["3d"]},
            "above_3d": {"z_score": "amount", "windows": ["3d"]},
            "slope_km_3d": {"slope": "km", "windows": ["3d"]},
            "p90_3d": {"quantile": ["amount", 0.9], "windows": ["3d"]},
            "km_items_3d": {"correlation": ["km", "items"], "windows": ["3d"]},
            "first_3d": {"first": "amount", "windows": ["3d"]},
            "last_items": {"last": "items"},
            "shops_{window}": {"distinct": "shop", "windows": ["1h", "3d"]},
            "kms_3d": {"distinct": "km", "windows": ["3d"]},
            "km_entropy_3d": {"entropy": "km * 2", "windows": ["3d"]},
            "shop_entropy_3d": {"entropy": "shop", "windows": ["3d"], "where": "amount > 0"},
            "shop_hhi_3d": {"concentration": "shop", "windows": ["3d"]},
            "recent_3d": {"count": "rows", "windows": ["3d"], "half_life": "6h"},
            "recent_mean_3d": {"mean": "amount", "windows": ["3d"], "half_life": "6h"},
        },
    },
    "shop": {
        "entity": "shop",
        "features": {
            "fraud_{window}": {"share": "label(fraud) = 1", "windows": ["1d", "3d"], "ends_before": "1d"},
            "told_1d": {"count": "rows", "where": "label(fraud) = 1", "clock": "known", "windows": ["1d"]},
            "bad_3d": {"share": "outcome = 'bad'", "windows": ["3d"]},
        },
    },
}


def total(values):
    return float(sum(values))


def mean(values):
    return float(sum(values)) / len(values) if values else None


def age_of_last(rows):
    return rows[-1][0] if rows else None


def weight(age):
    return 2 ** (-age / (6 * 3600))


def recent_mean(rows):
    return sum(weight(a) * float(v) for a, v in rows) / sum(weight(a) for a, _ in rows) if rows else None


def slope(rows):
    ages = [-age / 86_400 for age, _ in rows]
    return linear_regression(ages, [float(v) for _, v in rows]).slope if len(set(ages)) > 1 else None


def pearson(pairs):
    x, y = ([float(v) for v in side] for side in zip(*pairs, strict=True)) if pairs else ([], [])
    return correlation(x, y) if len(set(x)) > 1 and len(set(y)) > 1 else None


def upper(values):
    ordered, place = sorted(map(float, values)), 0.9 * (len(values) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(values) - 1)] - ordered[low]) * (place - low)


def entropy(values):
    shares = [count / len(values) for count in Counter(values).values()]
    return -sum(share * math.log(share) for share in shares) + 0.0 if values else None


def number(column):
    return lambda v, at: None if v.values[column] is None or v.values[column] != v.values[column] else v.values[column]


def meanings(reference: Reference) -> dict[str, Meaning]:
    amount, items = number("amount"), number("items")

    def shop(version, at):
        return version.values["shop"]

    def both(version, at):
        pair = number("km")(version, at), items(version, at)
        return None if None in pair else pair

    def label(version, at):
        return reference.positive(version.key, at)

    def few(version, at):
        return version.values["items"] is None or (amount(version, at) is not None and amount(version, at) < 5)

    def bad(version, at):
        return None if version.values["outcome"] is None else version.values["outcome"] == "bad"

    return {
        **{f"n_{name}": Meaning(len, window=w) for name, w in (("1h", H), ("1d", D), ("3d", 3 * D))},
        "sum_1d": Meaning(total, window=D, row=amount),
        "sum_unknown_1h": Meaning(lambda v: total(v) if v else None, window=H, row=amount),
        "mean_3d": Meaning(mean, window=3 * D, row=amount, own=True),
        "mean_km_1d": Meaning(lambda v: mean(v) or 0.0, window=D, row=number("km")),
        "min_1d": Meaning(lambda v: float(min(v)) if v else None, window=D, row=amount),
        "max_items_3d": Meaning(lambda v: float(max(v)) if v else None, window=3 * D, delay=H, row=items, own=True),
        "night_3d": Meaning(mean, window=3 * D, row=lambda v, at: v.values["paid_at"].astimezone(BERLIN).hour < 6),
        "few_1d": Meaning(len, window=D, delay=D, where=few),
        "known_1d": Meaning(len, window=D, delay=H, clock="known"),
        "fraud_1d": Meaning(mean, "shop", D, D, row=label),
        "fraud_3d": Meaning(mean, "shop", 3 * D, D, row=label),
        "told_1d": Meaning(len, "shop", D, where=label, clock="known", labelled=True),
        "bad_3d": Meaning(mean, "shop", 3 * D, row=bad),
        "since": Meaning(age_of_last, aged=True),
        "since_large": Meaning(age_of_last, aged=True, delay=H, where=lambda v, at: (amount(v, at) or 0) > 1000),
        "std_3d": Meaning(lambda v: stdev(map(float, v)) if len(v) > 1 else None, window=3 * D, row=amount),
        "slope_km_3d": Meaning(slope, window=3 * D, row=number("km"), aged=True),
        "p90_3d": Meaning(lambda v: upper(v) if v else None, window=3 * D, row=amount),
        "km_items_3d": Meaning(pearson, window=3 * D, row=both),
        "first_3d": Meaning(lambda v: float(v[0]) if v else None, window=3 * D, row=amount),
        "last_items": Meaning(lambda v: float(v[-1]) if v else None, row=items),
        **{
            f"shops_{n}": Meaning(lambda v: float(len(set(v))), window=w, row=shop)
            for n, w in (("1h", H), ("3d", 3 * D))
        },
        "kms_3d": Meaning(lambda v: float(len(set(v))), window=3 * D, row=number("km")),
        "km_entropy_3d": Meaning(entropy, window=3 * D, row=number("km")),
        "shop_entropy_3d": Meaning(
            entropy, window=3 * D, row=shop, where=lambda v, at: amount(v, at) is not None and amount(v, at) > 0
        ),
        "shop_hhi_3d": Meaning(
            lambda v: sum(n * n for n in Counter(v).values()) / len(v) ** 2 if v else None, window=3 * D, row=shop
        ),
        "recent_3d": Meaning(lambda v: sum(weight(age) for age, _ in v), window=3 * D, aged=True),
        "recent_mean_3d": Meaning(recent_mean, window=3 * D, row=amount, aged=True),
    }


def expected(reference: Reference) -> dict[str, dict[str, float | None]]:
    made = {}
    for key, (this, _) in reference.decisions.items():
        found = {name: reference.value(key, meaning) for name, meaning in meanings(reference).items()}
        for name, unit in (("since", 60), ("since_large", 3600)):
            found[name] = None if found[name] is None else found[name] / unit
        amount, items = this.values["amount"], this.values["items"]
        found["this_amount"] = None if amount is None else float(amount)
        found["above_3d"] = above(reference, key, amount, found["std_3d"])
        usual = found["mean_3d"]
        found["times"] = None if amount is None or not usual else float(amount) / usual
        count = found["n_1d"]
        found["log_items"] = math.log(items + count) if items and count is not None else None
        found["damped"] = damped(amount, usual, this.values["shop"], this.values["km"])
        found["damped_a_day"] = None if found["damped"] is None or not count else found["damped"] / count
        made[key] = found
    return made


def damped(amount, usual, shop, km):
    more = 1.0 if shop == "s1" else km
    if amount is None or more is None or math.isnan(more):
        return None
    return 0.5 * math.tanh((float(amount) - (usual or 0.0)) / 1000) + more


def above(reference, key, amount, spread):
    """z-score: the mean of the same window, without the decision's own row."""
    usual = reference.value(key, Meaning(mean, window=3 * D, row=number("amount")))
    return None if amount is None or not spread else (float(amount) - usual) / spread


def same(wanted, got):
    if wanted is None or got is None:
        return wanted is got
    return math.isclose(wanted, got, rel_tol=1e-9, abs_tol=1e-12)
