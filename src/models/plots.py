"""Pictures of an evaluation, as PNG files."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from finlake.models.evaluation import MODEL, Evaluation

_NAMES = {"finlake": "finlake", "logistic_regression": "logistic regression", "baseline_rule": "rule used today"}
_COLOURS = {"finlake": "#0b6e4f", "logistic_regression": "#c17817", "baseline_rule": "#6b7280", "champion": "#4455aa"}
_CALLED = {"refer": "referred or declined", "decline": "declined"}


def draw(evaluation: Evaluation, importance: dict[str, float], folder: Path) -> list[Path]:
    """Precision and recall, gains, value over time, calibration, segments and importance; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        _precision_recall(evaluation, folder / "precision_recall.png"),
        _gains(evaluation, folder / "gains.png"),
        _value_over_time(evaluation, folder / "value_over_time.png"),
        _calibration(evaluation, folder / "calibration.png"),
        _importance(importance, folder / "importance.png"),
    ]
    if any(evaluation.segments.values()):
        made.append(_segments(evaluation, folder / "segments.png"))
    return made


def _figure(across: str, up: str, tall: float = 4.2) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, tall), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    return path


def _lines(evaluation: Evaluation, across: int, up: int, label: str, title: str) -> tuple[Any, Any]:
    figure, axes = _figure(label, title)
    for name, curve in sorted(evaluation.curves.items()):
        model = name.removeprefix("ranking.")
        if name.startswith("ranking."):
            axes.plot(
                curve[across], curve[up], label=_NAMES.get(model, model), color=_COLOURS.get(model),
                linewidth=2 if model == MODEL else 1.3,
            )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    return figure, axes


def _precision_recall(evaluation: Evaluation, path: Path) -> Path:
    """Curves over rows; a dot is the daily budget's alerts, each for an entity and a day, a ring a cut-off."""
    figure, axes = _lines(evaluation, 0, 1, "share of positives found", "share of calls that are right")
    alerts = evaluation.figures.get(f"alerts.{MODEL}")
    for name, (found, right) in _points(evaluation):
        kind, _, of = name.partition(".")
        if kind == "budget":
            said = f"{alerts.value:.0f} alerts a day" if of == MODEL and alerts and alerts.value is not None else None
            axes.plot(found, right, marker="o", markersize=8, linestyle="", color=_COLOURS.get(of), label=said)
        else:
            axes.plot(
                found, right, marker="o", markersize=8, linestyle="", color=_COLOURS[MODEL],
                fillstyle="none" if of == "refer" else "full", label=_CALLED[of],
            )  # fmt: skip
    axes.legend(frameon=False)
    return _save(figure, path)


def _points(evaluation: Evaluation) -> list[tuple[str, list[list[float]]]]:
    return sorted((name, at) for name, at in evaluation.curves.items() if name.startswith(("budget.", "cut_off.")))


def _gains(evaluation: Evaluation, path: Path) -> Path:
    """How many positives the highest scores hold; the dashed line is a draw by lot."""
    figure, axes = _lines(evaluation, 2, 0, "share of rows called", "share of positives found")
    axes.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1, linestyle="--", label="by lot")
    axes.legend(frameon=False)
    return _save(figure, path)


def _value_over_time(evaluation: Evaluation, path: Path) -> Path:
    """Value at stake since the test began, and how much of it each model found; dotted: still stoppable."""
    from matplotlib.dates import AutoDateLocator

    figure, axes = _figure("", "value since the test began")
    for name, curve in sorted(evaluation.curves.items(), reverse=True):
        kind, _, model = name.partition(".")
        if kind != "value":
            continue
        days = [date.fromordinal(int(day)) for day in curve[0]]
        total = model == "total"
        said = "lost in all" if total else f"found, {_NAMES.get(model, model)}"
        colour = "#111827" if total else _COLOURS.get(model)
        axes.plot(days, np.cumsum(curve[1]), label=said, color=colour, linewidth=2 if model == MODEL else 1.3)
        if model == MODEL and len(curve) > 2:
            axes.plot(days, np.cumsum(curve[2]), label="stoppable, finlake", color=colour, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(AutoDateLocator(maxticks=6))
    axes.tick_params(axis="x", rotation=30)
    axes.legend(frameon=False)
    return _save(figure, path)


def _segments(evaluation: Evaluation, path: Path) -> Path:
    """Each segment's ROC AUC with its interval."""
    rows = [
        (result.segment, result.figures[f"roc_auc.{MODEL}"])
        for results in evaluation.segments.values()
        for result in results
        if result.figures[f"roc_auc.{MODEL}"].value is not None
    ]
    figure, axes = _figure("ROC AUC", "", tall=1.2 + 0.26 * max(len(rows), 1))
    for place, (_, found) in enumerate(reversed(rows)):
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [place, place], color=_COLOURS[MODEL], linewidth=1.3)
        axes.plot([found.value], [place], marker="o", color=_COLOURS[MODEL])
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)])
    return _save(figure, path)


def _calibration(evaluation: Evaluation, path: Path) -> Path:
    figure, axes = _figure("predicted probability", "observed share")
    predicted, observed = evaluation.curves["calibration"]
    end = max([*predicted, *observed, 1e-6]) * 1.05
    axes.plot([0, end], [0, end], color="#9ca3af", linewidth=1, linestyle="--")
    axes.plot(predicted, observed, marker="o", color=_COLOURS[MODEL])
    return _save(figure, path)


def _importance(importance: dict[str, float], path: Path) -> Path:
    figure, axes = _figure("share of the trees' total gain", "")
    top = sorted(importance.items(), key=lambda item: item[1])[-15:]
    axes.barh([name for name, _ in top], [share for _, share in top], color=_COLOURS[MODEL])
    return _save(figure, path)


def gain_importance(booster: bytes, features: list[str]) -> dict[str, float]:
    """Feature -> its share of total gain; 0 where no tree uses it."""
    import xgboost as xgb

    loaded = xgb.Booster()
    loaded.load_model(bytearray(booster))
    gains = {
        name: float(gain)
        for name, gain in loaded.get_score(importance_type="total_gain").items()
        if isinstance(gain, float)
    }
    total = sum(gains.values()) or 1.0
    return {name: gains.get(name, 0.0) / total for name in features}
