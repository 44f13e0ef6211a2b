"""MLflow: runs, models and aliases, on a laptop or in a workspace. Nothing global is set or left open."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finlake.config import Target
from finlake.errors import SetupError, TrainingError
from finlake.models import served
from finlake.models.artefact import Artefact

if TYPE_CHECKING:
    from mlflow import MlflowClient

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
os.environ.update(_QUIET)  # before MLflow is imported
CHAMPION, CHALLENGER = "champion", "challenger"
_PACKAGES = ("xgboost-cpu", "xgboost", "numpy", "pandas", "mlflow")


class Registry:
    """Runs and versions of one use case's model."""

    def __init__(self, target: Target, root: Path | None, use_case: str) -> None:
        from mlflow import MlflowClient

        for name in ("alembic", "mlflow"):
            logging.getLogger(name).setLevel(logging.WARNING)
        os.environ.update(_QUIET)  # the job runner restores the environment around each task
        self._folder = None if root is None else root / "mlflow"
        self.tracking, self.registry = self._uri(target.mlflow.tracking), self._uri(target.mlflow.registry)
        self.client: MlflowClient = MlflowClient(self.tracking, self.registry)
        prefix = f"{target.tenant}_" if target.tenant else ""
        in_catalog = self.registry.startswith("databricks-uc")
        self.model = f"{target.catalog}.{prefix}ops.{use_case}" if in_catalog else f"{prefix}{use_case}"
        self.experiment_id = self._experiment(f"{target.mlflow.experiment}/{prefix}{use_case}")

    # runs

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Opens a run, nested under `parent` if given, and returns its id."""
        every = {**tags, **({"mlflow.parentRunId": parent} if parent else {})}
        run = self.client.create_run(self.experiment_id, tags=every, run_name=name)
        return str(run.info.run_id)

    def log(
        self,
        run: str,
        parameters: Mapping[str, Any] | None = None,
        figures: Mapping[str, float | None] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Parameters, figures (those that are known) and tags in one call."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self.client.log_batch(
            run,
            [Metric(name, float(value), now, 0) for name, value in (figures or {}).items() if value is not None],
            [Param(name, str(value)[:500]) for name, value in (parameters or {}).items()],
            [RunTag(name, str(value)[:5000]) for name, value in (tags or {}).items()],
        )

    def end(self, run: str, *, failed: bool = False) -> None:
        self.client.set_terminated(run, "FAILED" if failed else "FINISHED")

    def log_files(self, run: str, folder: Path, into: str) -> None:
        self.client.log_artifacts(run, str(folder), into)

    # models

    def register(self, run: str, artefact: Artefact, tags: Mapping[str, str]) -> str:
        """Logs the model with signature and pinned packages, registers a version and returns its number."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc import save_model

        try:
            self.client.create_registered_model(self.model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        with tempfile.TemporaryDirectory() as scratch:
            files = artefact.save(Path(scratch) / "files")
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*input example.*")  # the signature is given
                save_model(
                    path=f"{scratch}/model",
                    python_model=served.__file__,
                    artifacts={"model": str(files)},
                    signature=_signature(artefact.card.features),
                    pip_requirements=pinned(_PACKAGES),
                )
            self.client.log_artifacts(run, f"{scratch}/model", "model")
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        made = self.client.create_model_version(
            self.model, source, run_id=run, tags={k: str(v) for k, v in tags.items()}
        )
        return str(made.version)

    def load(self, number: str) -> Artefact:
        """The artefact of a version."""
        from mlflow.artifacts import download_artifacts

        source = self.client.get_model_version_download_uri(self.model, number)
        with tempfile.TemporaryDirectory() as scratch:
            found = download_artifacts(artifact_uri=source, dst_path=scratch, tracking_uri=self.tracking)
            cards = sorted(Path(found).rglob(served.CARD))
            if not cards:
                raise TrainingError(
                    f"model {self.model} version {number} was not made by finlake: no {served.CARD} in {source}"
                )
            return Artefact.load(cards[0].parent)

    def version_at(self, alias: str) -> str | None:
        """Version an alias points to; None if there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_model_version_by_alias(self.model, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def latest(self) -> str | None:
        found = self.client.search_model_versions(f"name='{self.model}'")
        return str(max(int(item.version) for item in found)) if found else None

    def tags(self, number: str) -> dict[str, str]:
        return dict(self.client.get_model_version(self.model, number).tags)

    def tag(self, number: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_model_version_tag(self.model, number, name, str(value))

    def untag(self, number: str, name: str) -> None:
        if name in self.tags(number):
            self.client.delete_model_version_tag(self.model, number, name)

    def point(self, alias: str, number: str) -> None:
        self.client.set_registered_model_alias(self.model, alias, number)

    def release(self, alias: str) -> None:
        self.client.delete_registered_model_alias(self.model, alias)

    # set-up

    def _uri(self, given: str) -> str:
        if given != "sqlite":
            return given
        if self._folder is None:
            raise SetupError(
                "mlflow `sqlite` needs a lake folder; set mlflow.tracking and mlflow.registry in the target's file"
            )
        self._folder.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{self._folder / 'mlflow.db'}"

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = (self._folder / "artifacts").as_uri() if self._folder and self.tracking.startswith("sqlite") else None
        try:
            return str(self.client.create_experiment(name, artifact_location=place))
        except MlflowException:
            found = self.client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)


def pinned(packages: Sequence[str]) -> list[str]:
    """`name==version` of those that are installed."""
    made = []
    for name in packages:
        try:
            made.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return made


def _signature(features: Sequence[str]) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    inputs = Schema([ColSpec(DataType.double, name, required=False) for name in features])
    outputs = Schema(
        [
            ColSpec(DataType.double, "probability"),
            ColSpec(DataType.string, "decision"),
            ColSpec(DataType.string, "reasons"),
        ]
    )
    return ModelSignature(inputs, outputs, ParamSchema([ParamSpec("reasons", DataType.integer, 0)]))
