"""Pictures of a search: its convergence, and its trials as lines across their parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from finlake.reporting.charts import points_of, svg
from finlake.reporting.feature_charts import number, scale
from finlake.reporting.reading import Row

_SHADES = 5  # classes p0 (worst) to p4 (best)
_SPREAD = 20  # a parameter whose ends are further apart is drawn by its logarithm


def convergence(trials: Sequence[Row], metric: str, about: str) -> Markup:
    """Each trial's result as a dot and the best so far as a line; trials that failed or were pruned below the axis."""
    done = [row for row in trials if row["metric"] is not None]
    if not done:
        return Markup("")
    left, top, wide, tall = 56.0, 24.0, 380.0, 200.0
    least, most, marks = scale(min(row["metric"] for row in done), max(row["metric"] for row in done))
    end = max(row["trial"] for row in trials) or 1

    def x(row: Row) -> float:
        return left + row["trial"] / end * wide

    def y(value: float) -> float:
        return top + (most - value) / (most - least) * tall

    shapes = [f'<text class="axis" x="{left - 40}" y="{top - 10}">{escape(metric)}</text>']
    for value, label in marks:
        shapes.append(f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        shapes.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{label}</text>')
    best = -math.inf
    steps: list[tuple[float, float]] = []
    for row in done:
        if row["metric"] > best:
            steps += [(x(row), y(best))] if steps else []
            best = row["metric"]
            steps.append((x(row), y(best)))
    steps.append((left + wide, y(best)))
    shapes.append(f'<polyline class="line l0" points="{points_of(steps)}"/>')
    for row in trials:
        number_of, result = row["trial"] + 1, row["metric"]
        if result is None:
            tip, kind, height = f"trial {number_of}: {row['status']}", "s3", top + tall + 10
        else:
            tip, kind, height = (
                f"trial {number_of}: {result:.4f}, {row['rounds']} trees, {row['seconds']:.1f} s",
                "s2",
                y(result),
            )
        shapes.append(
            f'<circle class="{kind}" cx="{x(row):.1f}" cy="{height:.1f}" r="3.4"><title>{escape(tip)}</title></circle>'
        )
    for place, text in ((left, "1"), (left + wide, f"{end + 1}")):
        shapes.append(f'<text x="{place}" y="{top + tall + 26}" text-anchor="middle">{text}</text>')
    shapes.append(f'<text class="axis" x="{left + wide / 2}" y="{top + tall + 30}" text-anchor="middle">trial</text>')
    return svg(left + wide + 20, top + tall + 38, about, shapes)


@dataclass(frozen=True)
class Axis:
    """One parameter: its ends, and where a value lies between them."""

    name: str
    least: float
    most: float
    place: Callable[[float], float]


def parallel(trials: Sequence[Row], metric: str, about: str) -> Markup:
    """Parallel coordinates (Inselberg, 1985): one line a trial over its parameters and its result, better ones darker."""
    done = sorted((row for row in trials if row["metric"] is not None), key=lambda row: (row["metric"], -row["trial"]))
    axes = _axes(done, metric)
    if len(axes) < 2 or len(done) < 2:
        return Markup("")
    left, top, tall, each = 60.0, 40.0, 210.0, max(108.0, 640.0 / (len(axes) - 1))
    shapes = []
    for place, row in enumerate(done):
        values = {**row["params"], metric: row["metric"]}
        points = [
            (left + each * number_of, top + (1 - axis.place(values[axis.name])) * tall)
            for number_of, axis in enumerate(axes) if axis.name in values
        ]  # fmt: skip
        shade = min(place * _SHADES // len(done), _SHADES - 1)
        best = " best" if place == len(done) - 1 else ""
        tip = f"trial {row['trial'] + 1}: {row['metric']:.4f}; " + ", ".join(
            f"{name} {number(value)}" for name, value in row["params"].items()
        )
        shapes.append(
            f'<polyline class="line p{shade}{best}" points="{points_of(points)}"><title>{escape(tip)}</title></polyline>'
        )
    for number_of, axis in enumerate(axes):
        at = left + each * number_of
        shapes.append(f'<line class="axle" x1="{at}" x2="{at}" y1="{top}" y2="{top + tall}"/>')
        shapes.append(f'<text class="axis" x="{at}" y="{top - 22}" text-anchor="middle">{escape(axis.name)}</text>')
        for height, value in ((top - 6, axis.most), (top + tall + 15, axis.least)):
            shapes.append(f'<text x="{at}" y="{height}" text-anchor="middle">{number(value)}</text>')
    return svg(2 * left + each * (len(axes) - 1), top + tall + 24, about, shapes, "wide")


def _axes(done: Sequence[Row], metric: str) -> list[Axis]:
    """Parameters that vary, in the order of their names, then the result."""
    names = sorted({name for row in done for name in row["params"]})
    made = []
    for name in [*names, metric]:
        values = [row["metric"] if name == metric else row["params"].get(name) for row in done]
        known = [value for value in values if value is not None]
        if known and min(known) < max(known):
            made.append(_axis(name, min(known), max(known)))
    return made


def _axis(name: str, least: float, most: float) -> Axis:
    if least > 0 and most / least > _SPREAD:
        return Axis(name, least, most, lambda value: math.log(value / least) / math.log(most / least))
    return Axis(name, least, most, lambda value: (value - least) / (most - least))
