"""Step: searches, fits and evaluates a model, tracked in MLflow and in ops.models."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import plots, records
from finlake.models.boosting import constraints_of
from finlake.models.evaluation import CHAMPION as OLD
from finlake.models.evaluation import LOGISTIC, MODEL, RULE
from finlake.models.final import final_fit, verified
from finlake.models.leaderboard import Entry
from finlake.models.registry import CHAMPION, Registry
from finlake.models.rule import rule_column
from finlake.models.sample import bounded_rows
from finlake.models.search import study_of
from finlake.models.search_plots import draw_search
from finlake.models.search_space import bounds
from finlake.models.training import Progress, Trained, checked, train_model, tuning_metric
from finlake.pipelines.leaderboard import read_test, record_standings
from finlake.pipelines.step import Step, Values
from finlake.pipelines.train_trials import TrialLog
from finlake.pipelines.training_data import training_data

AGREEMENT = 0.05  # how much worse on choose the final fit may be than the search's


def train(step: Step, use_case: str, verify: bool = False) -> Values:
    """Trains on everything known by the step's moment, evaluates on the test period and registers a version.

    With `verify`, the final fit is made twice and compared; where a version stands, its digest with a new fit's.

    Raises:
        LeakageError: a feature knows what was not known at the moment of the decision.
        TrainingError: the data or the cluster do not allow a sound fit, or it does not repeat.
    """
    chosen = step.config.use_case(use_case)
    data = training_data(step, chosen)
    step.figure("labels_known", data.labels_known, use_case=use_case, tables=[data.table])
    text = f"{data.labels_known:.0%} of test labels mature"
    step.figure("note.labels_known", data.labels_known, text=text, use_case=use_case, tables=[data.table])
    return train_on(
        step, chosen, data.table, data.features,
        definition=data.definition, split=data.split, digest=data.digest, verify=verify,
    )  # fmt: skip


def train_on(
    step: Step,
    use_case: UseCase,
    table: str,
    features: Sequence[str],
    *,
    definition: str = "",
    split: dict[str, list[str]] | None = None,
    digest: str = "",
    verify: bool = False,
) -> Values:
    """Trains on a training set that is stored in `table`, with its `digest` where it is known."""
    lake, name = step.lake, use_case.use_case
    frame = lake.read(table)
    digest = digest or lake.digest(frame)
    step.digests[table] = digest
    import_module("pyspark.ml")  # before trials are written from a thread: two first imports at once fail
    step.say("opening MLflow (the first time it creates its database)")
    registry = Registry(step.config.target, lake.root, name)
    incumbent = registry.version_at(CHAMPION)
    study = study_of(
        name, digest, sorted(features), bounds(use_case.model.search.space), use_case.model.model_dump(mode="json"),
        tuning_metric(use_case),
    )  # fmt: skip
    newest = newest_model(step, name)
    if newest is not None and newest.asDict().get("study") == study and newest["definition"] == definition:
        if newest["champion_compared"] == (incumbent or "") or newest["version"] == incumbent:
            step.say(f"nothing new since {name} v{newest['version']} was trained, which stands")
            if verify:
                _verify_standing(step, use_case, frame, registry, newest["version"])
            return {"version": newest["version"], "digest": newest["digest"], "mlflow_run": newest["mlflow_run"]}
    champion = (incumbent, registry.load(incumbent)) if incumbent else None
    if champion and champion[1].card.definition != definition:
        step.say(f"champion v{incumbent} learnt from other definitions, so it cannot be measured on these")
        champion = None
    tables = dict(lake.reads)
    run = registry.start(
        f"{name} {step.now:%Y-%m-%d}",
        {"use_case": name, "finlake.run_id": step.run_id, "training_digest": digest, "as_of": step.now.isoformat(),
         "tables": json.dumps(tables, sort_keys=True), "definition": definition, "conf_digest": step.config.digest},
    )  # fmt: skip
    trials = TrialLog(step, registry, run, use_case, study)
    try:
        with trials:
            trained = train_model(
                frame, features, use_case, rule_column(frame, use_case, step.config),
                seed=step.seed,
                known=trials.known(),
                champion=champion,
                progress=Progress(step.say, trials.finished, lambda model: read_test(step, use_case, frame, model)),
                trace={"definition": definition, "as_of": step.now.isoformat(), "tables": tables, "split": split or {}},
                verify=verify,
            )  # fmt: skip
        version = _register(step, registry, run, trained, digest, tuning_metric(use_case))
    except BaseException:
        registry.end(run, failed=True)
        raise
    registry.end(run)
    _standings(step, use_case, trained, version, frame)
    _record(step, registry, run, version, trained, digest, study)
    _figures(step, use_case, trained, table, split or {})
    if verify:
        step.figure("train.verified", 1.0, use_case=name, tables=[table], text=trained.artefact.card.digest)
    return {"version": version, "digest": trained.artefact.card.digest, "mlflow_run": run}


def spoken(first: str, last: str) -> str:
    """`1 May 2025 to 29 Jul 2025`; `until 29 Jul 2025` where there is no first day."""
    days = [
        f"{day.day} {day:%b %Y}" for day in (date.fromisoformat(text) for text in (first, last) if text[:1].isdigit())
    ]
    return " to ".join(days) if len(days) == 2 else f"until {days[-1]}"


def _register(step: Step, registry: Registry, run: str, trained: Trained, digest: str, metric: str) -> str:
    card, evaluation = trained.artefact.card, trained.evaluation
    metrics = {name: found.value for name, found in evaluation.figures.items()}
    metrics |= {f"{name}.low": found.low for name, found in evaluation.figures.items()}
    metrics |= {f"{name}.high": found.high for name, found in evaluation.figures.items()}
    registry.log(run, {**card.parameters, "rounds_used": card.rounds, "features": len(card.features)}, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        importance = plots.gain_importance(trained.artefact.booster, card.features)
        plots.draw(evaluation, importance, folder)
        draw_search(trained.trials, metric, folder)
        if step.lake.root is not None:
            kept = step.lake.root / "plots" / registry.model
            plots.draw(evaluation, importance, kept)
            draw_search(trained.trials, metric, kept)
        (folder / "evaluation.json").write_text(json.dumps(evaluation.to_dict()), "utf-8")
        (folder / "importance.json").write_text(json.dumps(importance), "utf-8")
        registry.log_files(run, folder, "evaluation")
    step.say("registering the model")
    tags = {"digest": card.digest, "training_digest": digest, "use_case": card.use_case, "as_of": card.as_of}
    return registry.register(run, trained.artefact, {**tags, "tables": json.dumps(card.tables, sort_keys=True)})


def _standings(step: Step, use_case: UseCase, trained: Trained, version: str, frame: DataFrame) -> None:
    compared = trained.champion_compared
    entries = {
        MODEL: Entry(f"finlake v{version}", "finlake", version, trained.artefact.card.digest),
        LOGISTIC: Entry(LOGISTIC, "baseline"),
        RULE: Entry(RULE, "baseline"),
    }
    if compared:
        entries[OLD] = Entry(f"finlake v{compared}", "finlake", compared)
    record_standings(step, use_case, trained.evaluation, entries, frame)


def newest_model(step: Step, use_case: str) -> Row | None:
    """The row of ops.models with the highest version."""
    if not step.lake.exists("ops.models"):
        return None
    mine = step.lake.read("ops.models").where(F.col("use_case") == use_case)
    return mine.orderBy(F.col("version").cast("bigint").desc()).first()


def _record(step: Step, registry: Registry, run: str, version: str, trained: Trained, digest: str, study: str) -> None:
    card, lake = trained.artefact.card, step.lake
    metrics = {name: found.value for name, found in trained.evaluation.figures.items() if found.value is not None}
    row: tuple[object, ...] = (
        card.use_case, registry.model, version, card.digest, step.run_id, run, metrics, card.tables, card.definition,
        digest, card.features, trained.champion_compared, json.dumps(trained.evaluation.to_dict()), step.now, "trained",
        "", [], datetime.now(UTC), None, study,
    )  # fmt: skip
    lake.append("ops.models", lake.spark.createDataFrame([row], records.MODELS), about=records.MODELS_ABOUT)


def _figures(step: Step, use_case: UseCase, trained: Trained, table: str, split: dict[str, list[str]]) -> None:
    name, evaluation = use_case.use_case, trained.evaluation
    about: dict[str, Any] = {"use_case": name, "tables": [table]}
    for figure, found in evaluation.figures.items():
        step.figure(figure, found.value, low=found.low, high=found.high, **about)
    for figure, found in evaluation.differences.items():
        step.figure(f"difference.{figure}", found.value, low=found.low, high=found.high, **about)
    for by, gate in (("calibration", use_case.gates.calibrated), ("psi", use_case.gates.stable)):
        if gate is None or gate.by == "all":
            continue
        periods = evaluation.calibration_by if by == "calibration" else evaluation.stability_by
        for period in periods[gate.by]:
            found, text = period.estimate, ""
            if by == "calibration":
                text = f"predicted {period.predicted:.2%}, observed {period.observed:.2%} of {period.rows:,.0f}"
            step.figure(f"{by}.{period.period}", found.value, low=found.low, high=found.high, text=text, **about)
    for way in evaluation.apart:
        for figure, found in way.figures.items():
            step.figure(f"apart.{figure}.{way.segment}", found.value, low=found.low, high=found.high, **about)
    for part, ends in split.items():
        step.figure(f"split.{part}", None, text=" to ".join(ends), **about)
    if split:
        words = {"train": "trained", "choose": "chosen", "test": "tested"}
        said = " · ".join(f"{words[part]} {spoken(*ends)}" for part, ends in split.items())
        step.figure("split", None, text=said, **about)
    total = evaluation.figures["value_total"].value
    if total:
        step.figure(
            "note.value_total", total, text=f"of {total:,.0f} lost to {use_case.label.name} in the test period", **about
        )
    step.figure(f"chosen.{tuning_metric(use_case)}", trained.chosen_metric, **about)
    step.figure("model_digest", None, text=trained.artefact.card.digest, **about)
    gap = trained.searched_metric - trained.chosen_metric
    step.figure("fit_below_search_by", gap, **about)
    if warning := disagreement(trained.searched_metric, trained.chosen_metric, tuning_metric(use_case)):
        step.warn(f"{name}: {warning}")


def disagreement(searched: float, fitted: float, metric: str) -> str:
    """What is to be said when the final fit is worse on choose than a booster of this process; else nothing."""
    if searched - fitted <= AGREEMENT:
        return ""
    return (
        f"{metric} on choose is {searched:.3f} in the search and {fitted:.3f} after the final fit, more than {AGREEMENT} "
        "less; raise model.search.rows"
    )


def _verify_standing(step: Step, use_case: UseCase, frame: DataFrame, registry: Registry, version: str) -> None:
    """Fits a registered version again from its stored rows and compares the digests."""
    card, choice = registry.load(version).card, use_case.model
    data = checked(frame, use_case)
    parts = bounded_rows(data, card.features, choice.search.rows, use_case.zone) if choice.fit == "single_node" else {}
    constraints = constraints_of(card.features, choice.only_increases_with, choice.only_decreases_with)
    step.say(f"fitting v{version} again, to compare")
    verified(card.digest, lambda: final_fit(data, parts, card.features, card.parameters, choice, constraints))
    step.figure("train.verified", 1.0, use_case=use_case.use_case, text=card.digest)
