"""`python -m benchmarks.search`: what stopping poor trials saves in time and costs in quality, for both engines."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from benchmarks.measure import line
from finlake.config import load
from finlake.config.use_case import Search
from finlake.models.boosting import fit_here
from finlake.models.final import THREADS
from finlake.models.sample import Rows, bounded_rows
from finlake.models.search import Cut, Found, measured, search
from finlake.models.search_engines import ENGINES

METRIC = "average_precision"


def main() -> None:
    """Prints a line for each engine, rule and seed, and the means."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    options.add_argument("--rows", type=int, default=40_000, help="generated rows, or most rows a part of --lake's")
    options.add_argument("--trials", type=int, default=20)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--lake", type=Path, help="a lake with a training set; default: generated rows")
    options.add_argument("--conf", type=Path, default=Path("conf"))
    options.add_argument("--use-case", default="card_fraud", help="whose training set is taken from --lake")
    given = options.parse_args()
    cut, later = stored(given.lake, given.conf, given.use_case, given.rows) if given.lake else generated(given.rows)
    features = [f"f{place}" for place in range(cut.learn.matrix.shape[1])]
    line(f"search: {given.trials} trials on {len(cut.learn.labels):,} rows × {len(features)}, {METRIC}")
    means: dict[tuple[str, bool], np.ndarray] = {}
    for engine in sorted(ENGINES):
        for stop in (False, True):
            found = [
                measure(cut, later, features, Search(engine=engine, trials=given.trials, seed=seed, stop_poor=stop))
                for seed in range(1, given.seeds + 1)
            ]
            means[engine, stop] = np.array(found).mean(axis=0)
            for seed, one in enumerate(found, 1):
                line(spoken(engine, stop, f"seed {seed}", one))
    for (engine, stop), mean in means.items():
        line(spoken(engine, stop, "mean", mean))


def measure(cut: Cut, later: Rows, features: list[str], choice: Search) -> tuple[float, float, float, float]:
    """Seconds of all trials, trials stopped, the best trial's metric on choose, and on later rows."""
    made: Found = search([cut], features, choice, metric=METRIC, constraints={}, threads=THREADS)
    fit = fit_here(
        cut.learn.learnt, cut.held.learnt, features, made.best.parameters, seed=choice.seed, threads=THREADS
    )  # fmt: skip
    stopped = sum(trial.kind == "pruned" for trial in made.trials)
    return sum(trial.seconds for trial in made.trials), stopped, made.best.metric, measured(fit, later, METRIC)


def spoken(engine: str, stop: bool, which: str, found: np.ndarray | tuple[float, ...]) -> str:
    rule = "median rule" if stop else "all to the end"
    seconds, stopped, chosen, later = found
    return f"{engine:9} {rule:15} {which:7} {seconds:7.1f} s {stopped:5.1f} stopped   choose {chosen:.4f}   later {later:.4f}"


def generated(rows: int) -> tuple[Cut, Rows]:
    """One positive in a hundred, which some of twenty features explain together, others alone, and half not at all."""
    draw = np.random.default_rng(11)

    def part() -> Rows:
        matrix = draw.normal(size=(rows, 20)).astype("float32")
        odds = -7 + 1.5 * matrix[:, 0] + matrix[:, 1] * matrix[:, 2] + 2 * (matrix[:, 3] > 1) * (matrix[:, 4] > 0)
        odds += 1.2 * np.sin(3 * matrix[:, 5]) + np.abs(matrix[:, 6])
        labels = (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype("float64")
        ones, days = np.ones(rows), np.zeros(rows, dtype="int64")
        return Rows(matrix, labels, ones, ones, days, (date(1970, 1, 1), date(1970, 1, 1)))

    return Cut(part(), part()), part()


def stored(lake: Path, conf: Path, use_case: str, rows: int) -> tuple[Cut, Rows]:
    """Train and choose of a lake's training set; choose is cut in two, so that its later half was never chosen on."""
    from finlake.config import Target
    from finlake.features.definitions import select
    from finlake.lakehouse import open_lake

    config = load(conf)
    config.target = Target(target="local", lake=str(lake))
    frame = open_lake(config).read(f"features.training_{use_case}")
    names = list(select(config.use_case(use_case), config).outputs)
    parts = bounded_rows(frame, names, rows, config.use_case(use_case).zone)
    choose = parts["choose"]
    first, last = choose.span
    middle = first + (last - first) / 2
    return Cut(parts["train"], choose.between(first, middle)), choose.between(middle, last + timedelta(days=1))


if __name__ == "__main__":
    main()
