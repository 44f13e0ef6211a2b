"""From files to scores: payments are ingested, refined, given features and scored, step by step, in a lake of their own."""

from __future__ import annotations

import argparse
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import xgboost

from benchmarks.measure import line, seconds
from benchmarks.payments import configuration, generated
from finlake.config import Config
from finlake.features.definitions import definition_digest, select
from finlake.lakehouse import open_lake
from finlake.lakehouse.session import open_session
from finlake.models.artefact import Artefact, Card
from finlake.models.registry import CHAMPION, Registry
from finlake.pipelines.registry import load_step
from finlake.pipelines.step import Step, run_step

STEPS = ("ingest", "refine", "features", "score")
DAY, DAILY = 86_400, 10_000_000
NOW = datetime.fromtimestamp(1_700_000_000 + 182 * DAY, UTC)
RECEIVED = ("payment", "merchant", "paid_at", "sent_at", "amount")


def learnt(config: Config) -> Artefact:
    """A hundred trees over the use case's features, fitted on draws: what it says does not matter here."""
    use_case = config.use_case("measured")
    features = list(select(use_case, config).outputs)
    draw = np.random.default_rng(7)
    matrix = draw.uniform(0, 100, size=(50_000, len(features))).astype("float32")
    label = (matrix[:, 0] + draw.normal(scale=20, size=len(matrix)) > 90).astype(int)
    settings = {"objective": "binary:logistic", "max_depth": 4, "nthread": 2, "seed": 7}
    booster = xgboost.train(settings, xgboost.DMatrix(matrix, label, feature_names=features), 100)
    card = Card(
        "measured", features, 100, "", {"kind": "none"}, use_case.policy.model_dump(), {}, dict.fromkeys(features, 1.0),
        definition_digest(use_case, config),
    )  # fmt: skip
    return Artefact(bytes(booster.save_raw("ubj")), card)


def ran(step: Step) -> None:
    arguments = {} if step.name in ("ingest", "refine") else {"use_case": "measured"}
    run_step(step, load_step(step.name), arguments)


def main() -> None:
    """Prints seconds and rows a second of each step and of all, and how often a day of ten million fits into a day."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.ingest_to_score", description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--files", type=int, default=20)
    given = options.parse_args()
    config, spark = configuration(), open_session()
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder) / "landing"
        config.target = config.target.model_copy(update={"lake": f"{folder}/lake", "landing": str(landing)})
        received = generated(spark, given.rows).select(*RECEIVED).repartition(given.files)
        received.write.parquet(str(landing / "payments"))
        lake = open_lake(config, spark)
        registry = Registry(config.target, lake.root, "measured")
        registry.point(CHAMPION, registry.register(registry.start("measured", {}), learnt(config), {}))
        total = 0.0
        for name in STEPS:
            took = seconds(partial(ran, Step(lake, config, NOW, name, say=line)))
            total += took
            line(f"{name}: {took:.1f} s, {given.rows / took:,.0f} rows a second")
        scored = lake.read("scores.measured").count()
        line(
            f"{given.rows:,} rows from files to {scored:,} scores: {total:.1f} s, {given.rows / total:,.0f} rows a second"
        )
        line(f"a day of {DAILY:,} fits {DAY / (total / given.rows * DAILY):.0f} times into a day")


if __name__ == "__main__":
    main()
