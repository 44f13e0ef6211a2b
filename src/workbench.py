"""What `finlake.open()` gives in a notebook: the functions that the steps call, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlake.config import Config, load
from finlake.lakehouse import Lake, open_lake
from finlake.pipelines.registry import load_step
from finlake.pipelines.step import Step, Values, run_step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class Workbench:
    """A lake with its configuration, at one moment."""

    def __init__(self, lake: Lake, config: Config, now: datetime) -> None:
        self.lake, self.config, self.now = lake, config, now

    def tables(self) -> list[str]:
        """Names of all tables and views."""
        return sorted([*self.lake.tables(), *self.lake.views()])

    def table(self, name: str, version: int | None = None) -> DataFrame:
        """A table, or an earlier version of it."""
        return self.lake.read(name, version)

    def sql(self, query: str) -> DataFrame:
        """A query over two-part names."""
        return self.lake.sql(query)

    def preview(self, name: str, rows: int = 10) -> Any:
        """The first rows of a table or view, as pandas."""
        return self.lake.sql(f"SELECT * FROM {name} LIMIT {int(rows)}").toPandas()

    def run(self, step: str, **arguments: Any) -> Values:
        """Runs a step as a job would: `run("train", use_case="…")`."""
        return run_step(
            Step(self.lake, self.config, self.now, step, say=_say),
            load_step(step),
            arguments,
        )

    def train(self, use_case: str) -> Values:
        """Searches, fits and evaluates; tracked in MLflow."""
        return self.run("train", use_case=use_case)

    def training_set(self, use_case: str, as_of: datetime | None = None, definition: str = "") -> DataFrame:
        """The training set as it would have been made at `as_of`, also by older definitions (their digest)."""
        from finlake.pipelines.training_data import remade

        moment = as_of or self.now
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return remade(Step(self.lake, self.config, moment, "training_set", say=_say), use_case, definition)

    def reasons(self, use_case: str, keys: Sequence[str]) -> DataFrame:
        """Reasons of any scored decisions, by their keys; the scores keep only those of what somebody acts on."""
        from finlake.pipelines.reasons import reasons_of

        return reasons_of(Step(self.lake, self.config, self.now, "reasons", say=_say), use_case, keys)

    def evaluate(self, use_case: str, predictions: Any, name: str = "outside") -> Any:
        """Measures a model made elsewhere on the test rows of finlake's own; counted as a read of the test.

        Args:
            use_case: whose test rows.
            predictions: a Spark or pandas frame with decision_key, probability (0 to 1) or score (higher is riskier),
                and decision_ts where one decision has several. Every test row must be there once.
            name: what the model is called on the leaderboard.

        Returns:
            its rows of ops.leaderboard, as pandas: figures with intervals, and the champion's (else the newest
            model's) figure minus its own.
        """
        from finlake.pipelines.evaluate import evaluate

        frame = predictions if hasattr(predictions, "sparkSession") else self.lake.spark.createDataFrame(predictions)
        step = Step(self.lake, self.config, self.now, "evaluate", say=_say)
        made = run_step(step, partial(evaluate, predictions=frame), {"use_case": use_case, "name": name})
        mine = self.lake.read("ops.leaderboard").where(f"use_case = '{use_case}' AND model = '{name}'")
        return mine.where(f"test_digest = '{made['test_digest']}'").orderBy("figure").toPandas()

    def figures(self, use_case: str = "") -> Any:
        """The latest figures, as pandas."""
        where = f" WHERE use_case = '{use_case}'" if use_case else ""
        return self.lake.sql(f"SELECT * FROM bi.figures{where} ORDER BY use_case, figure").toPandas()


def open_workbench(
    conf: str | Path = "conf",
    lake: str | None = None,
    target: str = "local",
    tenant: str | None = None,
    as_of: datetime | None = None,
) -> Workbench:
    """Opens the lake of a target; a notebook in a workspace passes `target="dev"`."""
    config = load(conf, target, tenant)
    changes = {key: value for key, value in (("lake", lake), ("as_of", as_of)) if value is not None}
    config.target = config.target.model_copy(update=changes)
    now = config.target.as_of or datetime.now(UTC)
    return Workbench(open_lake(config), config, now if now.tzinfo else now.replace(tzinfo=UTC))


def _say(text: str) -> None:
    """Progress, where a notebook shows it."""
    import logging

    logging.getLogger("finlake").info(text)
