"""`python -m benchmarks.feature_drift`: false alarms on stable features, and how many planted drifts are found.

NumPy only; every draw is seeded. A feature-period is one feature judged in one period, against the twelve before it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tests.unit.drift_shapes import shape

from benchmarks.measure import line
from finlake.monitoring.drift import judge
from finlake.monitoring.edges import FEW, QUANTILES, edges

Draw = Callable[[np.random.Generator, int], np.ndarray]
SIZES = (50, 200, 1_000, 10_000, 100_000)
PERIODS, ROWS_OF_ONE = 12, 5  # periods of the reference; rows that one entity gives in a period


def _normal(draw: np.random.Generator, rows: int) -> np.ndarray:
    return draw.normal(40, 8, rows)


def _amounts(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Log-normal, as amounts are: the largest is thousands of times the median."""
    return np.round(draw.lognormal(3.5, 1.6, rows), 2)


def _pareto(draw: np.random.Generator, rows: int) -> np.ndarray:
    """A tail without a variance."""
    return 10 * (1 + draw.pareto(1.6, rows))


def _counts(draw: np.random.Generator, rows: int) -> np.ndarray:
    return draw.poisson(draw.gamma(0.6, 5.0, rows)).astype("float64")


def _rare_flag(draw: np.random.Generator, rows: int) -> np.ndarray:
    return (draw.random(rows) < 0.004).astype("float64")


def _share(draw: np.random.Generator, rows: int) -> np.ndarray:
    """Zero for two thirds, else anything up to 1."""
    return np.where(draw.random(rows) < 0.66, 0.0, draw.beta(1.2, 4, rows))


def _category(draw: np.random.Generator, rows: int) -> np.ndarray:
    return draw.choice(6, rows, p=[0.4, 0.25, 0.15, 0.1, 0.07, 0.03]).astype("float64")


KINDS: dict[str, Draw] = {
    "normal": _normal,
    "amounts": _amounts,
    "pareto": _pareto,
    "counts": _counts,
    "rare flag": _rare_flag,
    "share": _share,
    "category": _category,
}


def stable(draw: np.random.Generator, kind: str, rows: int, number: int = 0) -> np.ndarray:
    """Independent rows, 2% of them unknown."""
    values = KINDS[kind](draw, rows)
    return np.where(draw.random(rows) < 0.02, np.nan, values)


def of_entities(draw: np.random.Generator, kind: str, rows: int, number: int) -> np.ndarray:
    """Every entity gives about five rows that are nearly alike, unknown in all of them or in none."""
    values = stable(draw, kind, max(rows // ROWS_OF_ONE, 1))
    return _times(kind, values[draw.integers(0, len(values), rows)], draw.normal(1, 0.02, rows))


def mixed(draw: np.random.Generator, kind: str, rows: int, number: int) -> np.ndarray:
    """Weekend rows lie higher, and their share varies from week to week."""
    weekend = draw.random(rows) < draw.uniform(0.22, 0.30)
    return _times(kind, stable(draw, kind, rows), np.where(weekend, 1.3, 1.0))


def daily(draw: np.random.Generator, kind: str, rows: int, number: int) -> np.ndarray:
    """Periods are days, and weekends lie higher; the judged day is a Saturday."""
    return _times(kind, stable(draw, kind, rows), 1.3 if number % 7 >= 5 else 1.0)


def wandering(draw: np.random.Generator, kind: str, rows: int, number: int) -> np.ndarray:
    """The level is a little different in each period."""
    return _times(kind, stable(draw, kind, rows), draw.normal(1, 0.05))


def _times(kind: str, values: np.ndarray, factor: np.ndarray | float) -> np.ndarray:
    """Sizes times a factor, counts in whole numbers; names have no size."""
    if kind in ("rare flag", "category"):
        return values
    return np.round(values * factor) if kind == "counts" else values * factor


STABLE = {
    "independent": stable,
    "entities": of_entities,
    "weekend mix": mixed,
    "days of a week": daily,
    "wandering": wandering,
}


def _vanish(draw: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """The second most frequent value is no longer there; its rows are the most frequent value's."""
    found = Counter(values[~np.isnan(values)].tolist()).most_common(2)
    return np.where(values == found[1][0], found[0][0], values) if len(found) > 1 else values


@dataclass(frozen=True)
class Planted:
    """A drift, and the kinds it is planted in."""

    change: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    kinds: tuple[str, ...]
    gross: bool = True


_NUMBERS = ("normal", "amounts", "pareto", "counts", "share")
PLANTED = {
    "scale × 100": Planted(lambda draw, values: values * 100, _NUMBERS),
    "cents for euros": Planted(lambda draw, values: values / 100, ("normal", "amounts", "pareto")),
    "miles for km": Planted(lambda draw, values: values / 1.609, ("normal", "amounts", "pareto"), gross=False),
    "unknown 2% → 20%": Planted(
        lambda draw, values: np.where(draw.random(len(values)) < 0.184, np.nan, values), tuple(KINDS)
    ),
    "constant": Planted(lambda draw, values: np.full(len(values), np.nanmedian(values)), _NUMBERS[:4]),
    "category vanishes": Planted(_vanish, ("category",)),
    "shift by 0.3 sd": Planted(lambda draw, values: values + 0.3 * 8, ("normal",), gross=False),
}


def cut_points(values: np.ndarray) -> list[float]:
    """Edges as the step profile lays them."""
    known = values[~np.isnan(values)]
    different = np.unique(known)
    if len(different) <= FEW:
        return edges(different[0], different.tolist())
    inner = np.quantile(known, QUANTILES, method="inverted_cdf")
    return edges(different[0], [*inner.tolist(), different[-1]])


def alarms(before: list[np.ndarray], now: np.ndarray) -> list[str]:
    """Names of the effects that are findings."""
    ends = cut_points(np.concatenate(before))
    return [effect.name for effect in judge(shape(before, ends), shape([now], ends)) if effect.notable]


def main() -> None:
    """Prints one line for each process and size, then one for each planted drift."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.feature_drift", description=__doc__)
    options.add_argument("--values", type=int, default=4_000_000, help="values drawn for each line, at most")
    options.add_argument("--most", type=int, default=2_500, help="feature-periods of each line and kind, at most")
    given = options.parse_args()
    total: Counter[str] = Counter()
    by_effect: Counter[str] = Counter()
    line("stable features: false alarms")
    for process, make in STABLE.items():
        for rows in SIZES:
            wrong = judged = 0
            for kind in KINDS:
                draw = np.random.default_rng([7, rows, list(KINDS).index(kind), list(STABLE).index(process)])
                for _ in range(_repeats(rows, given.values, given.most)):
                    before = [make(draw, kind, rows, number) for number in range(PERIODS)]
                    found = alarms(before, make(draw, kind, rows, PERIODS))
                    judged, wrong = judged + 1, wrong + bool(found)
                    by_effect.update(found)
            total.update(judged=judged, wrong=wrong)
            line(f"  {process:14} {rows:7,} rows  {wrong:4} of {judged:6,} feature-periods")
    line(
        f"all: {total['wrong']} of {total['judged']:,} = {total['wrong'] / total['judged'] * 1000:.2f} in 1,000 {dict(by_effect)}"
    )
    gross: Counter[str] = Counter()
    line("planted drifts: found")
    for name, planted in PLANTED.items():
        told = []
        for rows in SIZES:
            found = tried = 0
            for kind in planted.kinds:
                draw = np.random.default_rng([11, rows, list(KINDS).index(kind), list(PLANTED).index(name)])
                for _ in range(_repeats(rows, given.values, given.most // 15)):
                    before, now = [stable(draw, kind, rows) for _ in range(PERIODS)], stable(draw, kind, rows)
                    tried, found = tried + 1, found + bool(alarms(before, planted.change(draw, now)))
            told.append(f"{found / tried:6.1%} at {rows:,}")
            if planted.gross and rows >= 200:
                gross.update(tried=tried, found=found)
        line(f"  {name:18} {' · '.join(told)}")
    line(
        f"gross drifts from 200 rows on: {gross['found']:,} of {gross['tried']:,} = {gross['found'] / gross['tried']:.2%}"
    )


def _repeats(rows: int, values: int, most: int) -> int:
    return max(min(values // (len(KINDS) * (PERIODS + 1) * rows), most), 4)


if __name__ == "__main__":
    main()
