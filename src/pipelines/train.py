"""Step: searches, fits and evaluates a model, tracked in MLflow and in ops.models."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import plots, records
from finlake.models.evaluation import CHAMPION as OLD
from finlake.models.evaluation import LOGISTIC, MODEL, RULE
from finlake.models.leaderboard import Entry
from finlake.models.registry import CHAMPION, Registry
from finlake.models.rule import rule_column
from finlake.models.search import Trial, bounds, key_of, study_of
from finlake.models.training import Progress, Trained, train_model, tuning_metric
from finlake.pipelines.leaderboard import read_test, record_standings
from finlake.pipelines.step import Step, Values
from finlake.pipelines.training_data import training_data


def train(step: Step, use_case: str) -> Values:
    """Trains on everything known by the step's moment, evaluates on the test period and registers a version.

    Raises:
        LeakageError: a feature knows what was not known at the moment of the decision.
        TrainingError: the data or the cluster do not allow a sound fit.
    """
    chosen = step.config.use_case(use_case)
    data = training_data(step, chosen)
    step.figure("labels_known", data.labels_known, use_case=use_case, tables=[data.table])
    text = f"{data.labels_known:.0%} of test labels mature"
    step.figure("note.labels_known", data.labels_known, text=text, use_case=use_case, tables=[data.table])
    return train_on(
        step, chosen, data.table, data.features, definition=data.definition, split=data.split, digest=data.digest
    )


def train_on(
    step: Step,
    use_case: UseCase,
    table: str,
    features: Sequence[str],
    *,
    definition: str = "",
    split: dict[str, list[str]] | None = None,
    digest: str = "",
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
            )  # fmt: skip
        version = _register(step, registry, run, trained, digest)
    except BaseException:
        registry.end(run, failed=True)
        raise
    registry.end(run)
    _standings(step, use_case, trained, version, frame)
    _record(step, registry, run, version, trained, digest, study)
    _figures(step, use_case, trained, table, split or {})
    return {"version": version, "digest": trained.artefact.card.digest, "mlflow_run": run}


class TrialLog:
    """Writes each trial to ops.trials and MLflow as it finishes, while the next one runs."""

    def __init__(self, step: Step, registry: Registry, run: str, use_case: UseCase, study: str) -> None:
        self._step, self._registry, self._run, self._use_case, self._study = step, registry, run, use_case, study
        self._writer = ThreadPoolExecutor(1, "trials")
        self._pending: list[Future[None]] = []
        self._best = -1.0
        self._started = time.monotonic()

    def __enter__(self) -> TrialLog:
        return self

    def __exit__(self, *failure: object) -> None:
        self._writer.shutdown(wait=True)
        if failure[0] is None:
            for write in self._pending:
                write.result()

    def known(self) -> dict[str, Trial]:
        """Trials of the same study that an earlier run has stored."""
        lake = self._step.lake
        if not lake.exists("ops.trials"):
            return {}
        rows = lake.read("ops.trials").where((F.col("study") == self._study) & (F.col("status") == "ok")).collect()
        return {
            key_of(dict(sorted(row["params"].items()))): Trial(
                row["trial"], row["params"], row["metric"], row["seconds"], row["status"], row["rounds"]
            )
            for row in rows
        }

    def finished(self, trial: Trial, known: bool) -> None:
        planned = self._use_case.model.search.trials
        better = trial.status == "ok" and trial.metric > self._best
        self._best = max(self._best, trial.metric) if trial.status == "ok" else self._best
        said = f"{trial.metric:.4f}{' (best so far)' if better else ''}" if trial.status == "ok" else trial.status
        taken = "from the earlier search" if known else f"{trial.seconds:.1f} s"
        self._step.say(f"trial {trial.number + 1} of {planned}: {said}, {taken}")
        if not known:
            self._pending.append(self._writer.submit(self._write, trial, datetime.now(UTC)))

    def _write(self, trial: Trial, moment: datetime) -> None:
        run = self._registry.start(f"trial {trial.number + 1}", {"use_case": self._use_case.use_case}, self._run)
        figures = {
            tuning_metric(self._use_case): trial.metric if trial.status == "ok" else None,
            "seconds": trial.seconds,
        }
        self._registry.log(
            run, trial.parameters, {**figures, "rounds_used": float(trial.rounds)}, {"status": trial.status}
        )
        self._registry.end(run, failed=trial.status != "ok")
        metric = trial.metric if trial.status == "ok" else None
        row = (
            self._step.run_id, self._use_case.use_case, self._study, trial.number, trial.parameters, metric,
            trial.rounds, trial.seconds, trial.status, run, moment,
        )  # fmt: skip
        lake = self._step.lake
        lake.append("ops.trials", lake.spark.createDataFrame([row], records.TRIALS), about=records.TRIALS_ABOUT)


def spoken(first: str, last: str) -> str:
    """`1 May 2025 to 29 Jul 2025`; `until 29 Jul 2025` where there is no first day."""
    days = [
        f"{day.day} {day:%b %Y}" for day in (date.fromisoformat(text) for text in (first, last) if text[:1].isdigit())
    ]
    return " to ".join(days) if len(days) == 2 else f"until {days[-1]}"


def _register(step: Step, registry: Registry, run: str, trained: Trained, digest: str) -> str:
    card, evaluation = trained.artefact.card, trained.evaluation
    metrics = {name: found.value for name, found in evaluation.figures.items()}
    metrics |= {f"{name}.low": found.low for name, found in evaluation.figures.items()}
    metrics |= {f"{name}.high": found.high for name, found in evaluation.figures.items()}
    registry.log(run, {**card.parameters, "rounds_used": card.rounds, "features": len(card.features)}, metrics)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        importance = plots.gain_importance(trained.artefact.booster, card.features)
        plots.draw(evaluation, importance, folder)
        if step.lake.root is not None:
            plots.draw(evaluation, importance, step.lake.root / "plots" / registry.model)
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
    gap = trained.best.metric - trained.chosen_metric
    step.figure("fit_below_search_by", gap, **about)
    if gap > 0.05:
        step.warn(
            f"{name}: {tuning_metric(use_case)} on choose is {trained.best.metric:.3f} in the search and "
            f"{trained.chosen_metric:.3f} after the distributed fit; raise model.search.rows"
        )
