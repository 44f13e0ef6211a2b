"""The trials of a search in ops.trials and MLflow, so that a search which was stopped goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

from pyspark.sql import functions as F

from finlake.config import UseCase
from finlake.models import records
from finlake.models.registry import Registry
from finlake.models.search import FAILED, OK, PRUNED, Trial
from finlake.models.training import tuning_metric
from finlake.pipelines.step import Step


class TrialLog:
    """Writes each trial to ops.trials and MLflow as it finishes, while the next one runs."""

    def __init__(self, step: Step, registry: Registry, run: str, use_case: UseCase, study: str) -> None:
        self._step, self._registry, self._run, self._use_case, self._study = step, registry, run, use_case, study
        self._writer = ThreadPoolExecutor(1, "trials")
        self._pending: list[Future[None]] = []
        self._best = -1.0

    def __enter__(self) -> TrialLog:
        return self

    def __exit__(self, *failure: object) -> None:
        self._writer.shutdown(wait=True)
        if failure[0] is None:
            for write in self._pending:
                write.result()

    def known(self) -> list[Trial]:
        """Trials of the same study that an earlier run has finished or stopped early; failed ones run again."""
        lake = self._step.lake
        if not lake.exists("ops.trials"):
            return []
        rows = lake.read("ops.trials").where(F.col("study") == self._study).orderBy("finished_at").collect()
        found = [row.asDict() for row in rows if not row["status"].startswith(FAILED)]
        return [
            Trial(
                row["trial"], dict(sorted(row["params"].items())), row["metric"], row["seconds"], row["status"],
                row["rounds"], tuple(row.get("curve") or ()), tuple(row.get("folds") or ()),
            )
            for row in found
        ]  # fmt: skip

    def finished(self, trial: Trial, known: bool) -> None:
        planned = self._use_case.model.search.trials
        better = trial.kind == OK and trial.metric > self._best
        self._best = trial.metric if better else self._best
        said = f"{trial.metric:.4f}{' (best so far)' if better else ''}" if trial.kind == OK else trial.status
        taken = "from the earlier search" if known else f"{trial.seconds:.1f} s"
        self._step.say(f"trial {trial.number + 1} of {planned}: {said}, {taken}")
        if not known:
            self._pending.append(self._writer.submit(self._write, trial, datetime.now(UTC)))

    def _write(self, trial: Trial, moment: datetime) -> None:
        run = self._registry.start(f"trial {trial.number + 1}", {"use_case": self._use_case.use_case}, self._run)
        metric = None if trial.kind == FAILED else trial.metric
        named = f"{tuning_metric(self._use_case)}{'.pruned' if trial.kind == PRUNED else ''}"
        folds = {f"fold_{place + 1}": value for place, value in enumerate(trial.folds)}
        self._registry.log(
            run, trial.parameters,
            {named: metric, "seconds": trial.seconds, "rounds_used": float(trial.rounds), **folds},
            {"status": trial.status, "engine": self._use_case.model.search.engine},
        )  # fmt: skip
        self._registry.end(run, failed=trial.kind == FAILED)
        row = (
            self._step.run_id, self._use_case.use_case, self._study, trial.number, trial.parameters, metric,
            trial.rounds, trial.seconds, trial.status, run, moment, self._use_case.model.search.engine,
            list(trial.curve), list(trial.folds),
        )  # fmt: skip
        lake = self._step.lake
        lake.append("ops.trials", lake.spark.createDataFrame([row], records.TRIALS), about=records.TRIALS_ABOUT)
