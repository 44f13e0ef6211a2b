"""Measures predictions of a model made elsewhere on the test rows of a use case, beside finlake's own."""

from __future__ import annotations

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.errors import TableError
from finlake.features.training import PARTS
from finlake.models.evaluation import MODEL, RULE, Evaluation, probability_figures
from finlake.models.frames import booster_margin
from finlake.models.leaderboard import Entry
from finlake.models.measured import measure
from finlake.models.outside import MARGIN, check_name, with_predictions
from finlake.models.registry import CHAMPION, Registry
from finlake.models.rule import rule_column
from finlake.pipelines.leaderboard import read_test, record_standings
from finlake.pipelines.step import Step, Values
from finlake.pipelines.train import newest_model


def evaluate(step: Step, use_case: str, predictions: DataFrame, name: str) -> Values:
    """Same rows, same resamples, same audit of reads and the same leaderboard as for a model of finlake's.

    Args:
        step: where tables are read and written.
        use_case: whose test rows.
        predictions: decision_key, probability or score, and decision_ts where one decision has several.
        name: what the model is called on the leaderboard.

    Raises:
        TableError: no model of the use case has been trained yet.
        TrainingError: a test row has no prediction, several, or one that is no number.
    """
    check_name(name)
    lake, chosen = step.lake, step.config.use_case(use_case)
    newest = newest_model(step, use_case)
    if newest is None:
        raise TableError(f"no model of {use_case} has been trained yet; run: finlake train --use-case {use_case}")
    frame = lake.read(f"features.training_{use_case}")
    digest = lake.digest(predictions)
    joined, kind = with_predictions(frame.where(F.col("part").isin(*PARTS)), predictions)
    work = f"ops.outside_{use_case}"  # read several times, and predictions may be a plan that is computed anew
    lake.overwrite(work, joined, about="Work of an evaluation in progress.")
    try:
        evaluation, version, card = _measured(step, chosen, lake.read(work), digest, name, kind, newest["definition"])
    finally:
        lake.drop(work)
    entries = {
        MODEL: Entry(f"finlake v{version}", "finlake", version, card),
        RULE: Entry(RULE, "baseline"),
        name: Entry(name, "outside", "", digest),
    }
    test_digest = record_standings(step, chosen, evaluation, entries, frame)
    for figure, found in evaluation.figures.items():
        if figure.endswith(f".{name}"):
            step.figure(
                figure, found.value, low=found.low, high=found.high, use_case=use_case, tables=["ops.leaderboard"]
            )
    for figure, found in evaluation.differences.items():
        if figure.endswith(f".{name}"):
            step.say(f"{figure.removesuffix(f'.{name}')}: finlake v{version} minus {name} {found.text()}")
    return {
        "model": name,
        "compared": f"finlake v{version}",
        "test_digest": test_digest,
        "evaluation": evaluation.to_dict(),
    }


def _measured(
    step: Step, use_case: UseCase, frame: DataFrame, digest: str, name: str, kind: str, definition: str
) -> tuple[Evaluation, str, str]:
    registry = Registry(step.config.target, step.lake.root, use_case.use_case)
    version = _standing(step, registry, use_case.use_case, definition)
    artefact = registry.load(version)
    card = artefact.card
    models = {MODEL: (card.features, booster_margin(artefact.booster, card.features, card.rounds))}
    read_test(step, use_case, frame, digest)
    found = measure(
        frame, models, use_case, rule_column(frame, use_case, step.config), step.seed,
        calibration=card.calibration, given={name: F.col(MARGIN)},
    )  # fmt: skip
    evaluation = found.evaluation
    if kind == "probability":
        extra = probability_figures(found.counts, name, step.seed)
        evaluation = replace(evaluation, figures=evaluation.figures | extra)
    return evaluation, version, card.digest


def _standing(step: Step, registry: Registry, use_case: str, definition: str) -> str:
    """The champion if it reads the present definitions, else the newest version."""
    champion = registry.version_at(CHAMPION)
    mine = step.lake.read("ops.models").where(F.col("use_case") == use_case)
    if champion and not mine.where((F.col("version") == champion) & (F.col("definition") == definition)).isEmpty():
        return champion
    newest = newest_model(step, use_case)
    assert newest is not None
    return str(newest["version"])
