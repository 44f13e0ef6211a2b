"""The logged model is loaded and asked where finlake is not imported."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from finlake.config import Target
from finlake.models.artefact import Artefact, Card
from finlake.models.boosting import fit_here
from finlake.models.registry import Registry

FEATURES = ["visits_1h", "this_sum"]
ASK = """
import json, sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/late_visits@champion")
rows = pd.DataFrame({"visits_1h": [0.0, 9.0, None], "this_sum": [1.0, 5.0, float("inf")]})
made = model.predict(rows, params={"reasons": 2})
assert not [name for name in sys.modules if name.split(".")[0] == "finlake"], "the model needs finlake"
print("ANSWER" + json.dumps(made.to_dict("list")))
"""


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    rng = np.random.default_rng(3)
    matrix = np.column_stack([rng.poisson(2, 800), rng.normal(size=800)]).astype("float32")
    labels = (matrix[:, 0] + rng.normal(size=800) > 4).astype("float64")
    part = (matrix, labels, np.ones(800))
    fit = fit_here(part, part, FEATURES, {"max_depth": 3, "learning_rate": 0.3, "rounds": 20}, seed=1)
    card = Card(
        use_case="late_visits", features=FEATURES, rounds=fit.rounds, digest=fit.digest, parameters={}, usual={},
        calibration={"kind": "platt", "slope": 0.9, "offset": -0.1}, policy={"approve_below": 0.2, "decline_above": 0.7},
    )  # fmt: skip
    return Artefact(fit.booster, card)


def test_versions_aliases_and_tags_survive_and_the_model_needs_no_finlake(artefact: Artefact, tmp_path: Path):
    registry = Registry(Target(target="local"), tmp_path, "late_visits")
    run = registry.start("a run", {"use_case": "late_visits"})
    assert registry.version_at("champion") is None and registry.latest() is None
    version = registry.register(run, artefact, {"digest": artefact.card.digest})
    registry.end(run)
    registry.point("champion", version)
    registry.tag(version, {"approved_by": "risk"})
    assert mlflow.active_run() is None
    assert (registry.version_at("champion"), registry.latest()) == ("1", "1")
    assert registry.tags("1")["approved_by"] == "risk"
    assert registry.load("1") == artefact

    found = subprocess.run(
        [sys.executable, "-c", ASK, registry.tracking], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout.split("ANSWER")[1])
    scorer = artefact.scorer()
    matrix = np.array([[0, 1], [9, 5], [np.nan, np.nan]], dtype="float32")
    np.testing.assert_allclose(answer["probability"], scorer.probability(scorer.margin(matrix)))
    assert answer["decision"][:2] == ["approve", "decline"]
    assert json.loads(answer["reasons"][1])[0][0] == "visits_1h"


def test_a_model_without_its_card_is_refused(artefact: Artefact, tmp_path: Path) -> None:
    registry = Registry(Target(target="local"), tmp_path, "late_visits")
    run = registry.start("foreign", {})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("x")
    registry.log_files(run, tmp_path / "other", "model")
    registry.client.create_registered_model(registry.model)
    source = f"{registry.client.get_run(run).info.artifact_uri}/model"
    registry.client.create_model_version(registry.model, source, run_id=run)
    with pytest.raises(Exception, match="was not made by finlake"):
        registry.load("1")


ROWS = pd.DataFrame({"visits_1h": [0.0, 9.0, 4.0], "this_sum": [1.0, 5.0, -2.0]})


@pytest.fixture(scope="module")
def logged(artefact: Artefact, tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, str]:
    """A registry with one version, and the folder of its model."""
    registry = Registry(Target(target="local"), tmp_path_factory.mktemp("lake"), "late_visits")
    version = registry.register(registry.start("a run", {}), artefact, {})
    registry.point("champion", version)
    return registry, registry.client.get_model_version_download_uri(registry.model, version)


def expected(artefact: Artefact) -> list[float]:
    scorer = artefact.scorer()
    return list(scorer.probability(scorer.margin(scorer.matrix(ROWS))))


def test_mlflow_models_serve_answers(logged: tuple[Registry, str], artefact: Artefact, tmp_path: Path) -> None:
    registry, _ = logged
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/late_visits@champion", "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_TRACKING_URI": registry.tracking, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=environment, cwd=tmp_path, start_new_session=True
        )  # fmt: skip
        try:
            place = f"http://127.0.0.1:{port}"
            assert reached(place, server), (tmp_path / "log").read_text()
            question = {"dataframe_split": ROWS.to_dict("split"), "params": {"reasons": 1}}
            request = urllib.request.Request(
                f"{place}/invocations", json.dumps(question).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = json.load(response)["predictions"]
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)
    np.testing.assert_allclose([row["probability"] for row in answer], expected(artefact))
    assert answer[1]["decision"] == "decline" and json.loads(answer[1]["reasons"])[0][0] == "visits_1h"


def reached(place: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether the server answers; False once it has ended."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"{place}/ping", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            time.sleep(0.2)
    return False


def test_spark_udf_scores_a_frame(spark, logged: tuple[Registry, str], artefact: Artefact) -> None:
    _, folder = logged
    answer = mlflow.pyfunc.spark_udf(
        spark, folder, result_type="probability double, decision string, reasons string", env_manager="local"
    )
    frame = spark.createDataFrame(ROWS.reset_index())
    made = frame.select("index", answer("visits_1h", "this_sum").alias("made")).select("index", "made.*")
    rows = made.orderBy("index").collect()
    np.testing.assert_allclose([row["probability"] for row in rows], expected(artefact))
    assert [row["decision"] for row in rows] == ["approve", "decline", rows[2]["decision"]]
