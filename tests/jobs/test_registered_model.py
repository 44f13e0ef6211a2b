"""The logged model is loaded and asked where finlake is not imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import numpy as np
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
