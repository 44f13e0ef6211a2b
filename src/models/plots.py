"""Pictures of an evaluation, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finlake.models.evaluation import MODEL, Evaluation

_NAMES = {"finlake": "finlake", "logistic_regression": "logistic regression", "baseline_rule": "rule used today"}
_COLOURS = {"finlake": "#0b6e4f", "logistic_regression": "#c17817", "baseline_rule": "#6b7280", "champion": "#4455aa"}


def draw(evaluation: Evaluation, importance: dict[str, float], folder: Path) -> list[Path]:
    """Precision and recall, gains, calibration and importance; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [
        _lines(
            evaluation,
            folder / "precision_recall.png",
            0,
            1,
            "share of positives found",
            "share of calls that are right",
        ),
        _lines(evaluation, folder / "gains.png", 2, 0, "share of rows called", "share of positives found"),
        _calibration(evaluation, folder / "calibration.png"),
        _importance(importance, folder / "importance.png"),
    ]
    return made


def _figure(across: str, up: str) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    return path


def _lines(evaluation: Evaluation, path: Path, across: int, up: int, label: str, title: str) -> Path:
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
    axes.legend(frameon=False)
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
