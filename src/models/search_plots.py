"""Pictures of a search: how it converged, and which parameters its trials had."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finlake.models.search import FAILED, OK, Trial
from finlake.models.search_space import key_of

CONVERGENCE, PARALLEL, DATA = "search_convergence.png", "search_parallel.png", "search.json"
_GREEN, _GREY, _AMBER = "#0b6e4f", "#9ca3af", "#c17817"


def draw_search(trials: Sequence[Trial], metric: str, folder: Path) -> list[Path]:
    """Both pictures and the numbers in them; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    data = search_table(trials, metric)
    (folder / DATA).write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return [_convergence(data, folder / CONVERGENCE), _parallel(data, folder / PARALLEL), folder / DATA]


def search_table(trials: Sequence[Trial], metric: str) -> dict[str, Any]:
    """What the pictures show: each trial with the best metric so far, and the parameters that were varied."""
    rows: list[dict[str, Any]] = []
    best = -math.inf
    for trial in trials:
        if trial.kind == OK:
            best = max(best, trial.metric)
        rows.append(
            {
                "trial": trial.number + 1, "status": trial.kind,
                "metric": None if trial.kind == FAILED else trial.metric,
                "best": best if math.isfinite(best) else None, "seconds": trial.seconds, "rounds": trial.rounds,
                "parameters": trial.parameters, "curve": list(trial.curve), "folds": list(trial.folds),
            }
        )  # fmt: skip
    names = sorted({name for trial in trials for name in trial.parameters})
    varied = [name for name in names if len({key_of({name: t.parameters[name]}) for t in trials}) > 1]
    return {"metric": metric, "varied": varied, "trials": rows}


def _figure(width: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _convergence(data: dict[str, Any], path: Path) -> Path:
    figure, axes = _figure(6)
    axes.set_xlabel("trial")
    axes.set_ylabel(data["metric"].replace("_", " "))
    axes.xaxis.get_major_locator().set_params(integer=True)
    for status, marker, colour in ((OK, "o", _GREEN), ("pruned", "x", _AMBER)):
        shown = [row for row in data["trials"] if row["status"] == status]
        if shown:
            axes.scatter(
                [row["trial"] for row in shown], [row["metric"] for row in shown],
                marker=marker, color=colour, s=26, label="finished" if status == OK else "stopped early",
            )  # fmt: skip
    failed = [row["trial"] for row in data["trials"] if row["status"] == FAILED]
    if failed:
        axes.plot(failed, np.zeros(len(failed)), "|", color=_GREY, transform=axes.get_xaxis_transform(), label="failed")
    line = [row for row in data["trials"] if row["best"] is not None]
    axes.step([row["trial"] for row in line], [row["best"] for row in line], where="post", color=_GREEN, label="best")
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=110)
    return path


def _parallel(data: dict[str, Any], path: Path) -> Path:
    """A line for each trial over the varied parameters, ending in its metric; the best is drawn last and strong."""
    shown = sorted((row for row in data["trials"] if row["metric"] is not None), key=lambda row: row["metric"])
    names = data["varied"]
    figure, axes = _figure(max(6.0, 1.3 * (len(names) + 1)))
    columns = [_scale([row["parameters"][name] for row in shown]) for name in names]
    metrics = _scale([row["metric"] for row in shown], logarithmic=False)
    places = np.arange(len(names) + 1)
    best = max((row for row in shown if row["status"] == OK), key=lambda row: row["metric"], default=None)
    heights = np.array([*columns, metrics]).T
    from matplotlib import colormaps

    for row, height, level in zip(shown, heights, np.linspace(0, 1, len(shown)), strict=True):
        strong = row is best
        axes.plot(
            places, height, color=_GREEN if strong else colormaps["cividis_r"](level), linewidth=2.5 if strong else 1,
            alpha=1 if strong else 0.7, linestyle="-" if row["status"] == OK else ":", zorder=3 if strong else 2,
        )  # fmt: skip
    axes.set_xticks(places, [name.replace("_", "\n") for name in [*names, data["metric"]]])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(-0.12, 1.12)
    for place, values in enumerate([[row["parameters"][name] for row in shown] for name in names]):
        _ends(axes, place, values)
    _ends(axes, len(names), [row["metric"] for row in shown])
    figure.savefig(path, dpi=110)
    return path


def _ends(axes: Any, place: int, values: Sequence[float]) -> None:
    axes.axvline(place, color=_GREY, linewidth=0.8, zorder=1)
    for height, value, align in ((1.02, max(values), "bottom"), (-0.02, min(values), "top")):
        axes.text(place, height, f"{value:.4g}", ha="center", va=align, fontsize=8)


def _scale(values: Sequence[float], *, logarithmic: bool = True) -> np.ndarray:
    """From 0 (lowest) to 1 (highest), by logarithm where values span more than a factor of eight."""
    numbers = np.asarray(values, dtype="float64")
    if logarithmic and numbers.min() > 0 and numbers.max() / numbers.min() > 8:
        numbers = np.log(numbers)
    span = numbers.max() - numbers.min()
    return (numbers - numbers.min()) / span if span else np.full(len(numbers), 0.5)
