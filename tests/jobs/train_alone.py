"""A process that trains on the synthetic training set and scores: `python train_alone.py <lake> <model as JSON>` prints what it made."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from finlake.config import Config, Target
from finlake.errors import TrainingError
from finlake.lakehouse import open_lake
from finlake.pipelines.score import score
from finlake.pipelines.train import train_on

sys.path.append(str(Path(__file__).parents[1] / "spark"))
TABLE = "features.training_late_visits"


def main(root: Path, model: dict[str, object]) -> dict[str, object]:
    from synthetic import FEATURES, use_case
    from test_model_steps import fill, make_step

    lake = open_lake(Config(root, Target(target="local", lake=str(root))))
    if not lake.exists(TABLE):
        fill(lake, 2000)
    found: dict[str, object] = {"session": type(lake.spark).__module__, "refused": ""}
    try:
        made = train_on(make_step(lake, "train", "a"), use_case(model=model), TABLE, FEATURES, definition="f1")
    except TrainingError as error:
        return {**found, "refused": str(error)}
    rows = lake.read("ops.trials").orderBy("trial").collect()
    trials = [[row["trial"], row["metric"], row["status"], row["params"], row["curve"]] for row in rows]
    score(make_step(lake, "score", "b"), "late_visits")
    scored = lake.read("scores.late_visits").orderBy("decision_key")
    scores = [list(row) for row in scored.select("decision_key", "raw_score", "probability", "decision").collect()]
    return {**found, "digest": made["digest"], "trials": trials, "scores": scores}


if __name__ == "__main__":
    sys.stdout.write("RESULT" + json.dumps(main(Path(sys.argv[1]), json.loads(sys.argv[2]))) + "\n")
