"""Pictures of a search, and the numbers in them."""

from __future__ import annotations

import json
import math
from pathlib import Path

from finlake.models.search import Trial
from finlake.models.search_plots import draw_search, search_table

FIXED = {"rounds": 400.0, "gamma": 0.0}
TRIALS = (
    Trial(0, {"max_depth": 3, "learning_rate": 0.03, **FIXED}, 0.41, 1.0, "ok", 80, (0.3, 0.4)),
    Trial(1, {"max_depth": 8, "learning_rate": 0.3, **FIXED}, math.nan, 1.0, "failed: memory"),
    Trial(2, {"max_depth": 5, "learning_rate": 0.1, **FIXED}, 0.5, 1.0, "ok", 90, (0.4, 0.45), (0.6, 0.4)),
    Trial(3, {"max_depth": 6, "learning_rate": 0.2, **FIXED}, 0.2, 0.5, "pruned: 0.2 after 20 rounds", 20, (0.1, 0.2)),
)


def test_the_table_has_the_best_so_far_and_only_varied_parameters() -> None:
    table = search_table(TRIALS, "average_precision")
    assert table["varied"] == ["learning_rate", "max_depth"]
    assert [row["best"] for row in table["trials"]] == [0.41, 0.41, 0.5, 0.5]
    assert [row["metric"] for row in table["trials"]] == [0.41, None, 0.5, 0.2]
    assert [row["status"] for row in table["trials"]] == ["ok", "failed", "ok", "pruned"]
    assert table["trials"][2]["folds"] == [0.6, 0.4]


def test_pictures_are_drawn_for_any_search_and_the_same_search_gives_the_same_files(tmp_path: Path) -> None:
    for name, trials in (("all", TRIALS), ("one", TRIALS[:1]), ("failed first", TRIALS[1:3])):
        files = draw_search(trials, "average_precision", tmp_path / name)
        again = draw_search(trials, "average_precision", tmp_path / name / "again")
        assert [path.name for path in files] == ["search_convergence.png", "search_parallel.png", "search.json"]
        assert [path.read_bytes() for path in files] == [path.read_bytes() for path in again]
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in files[:2])
        assert len(json.loads(files[2].read_text())["trials"]) == len(trials)
