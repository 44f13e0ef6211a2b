"""Values over days: lines, or steps where a value stands until the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time

from markupsafe import Markup, escape

from finlake.reporting.charts import points_of, svg, ticks
from finlake.reporting.feature_charts import number, scale

_LEFT, _WIDE, _TOP, _TALL = 56.0, 560.0, 12.0, 150.0


def over_time(
    series: Mapping[str, Sequence[tuple[date, float]]],
    about: str,
    *,
    classes: Mapping[str, str],
    limits: Sequence[float] = (),
    label: Callable[[float], str] = number,
    until: date | None = None,
    steps: bool = False,
) -> Markup:
    """One line a series from zero or its lowest value up; `until` is the end of the axis if later than the last day.

    Args:
        series: name -> days and values, in order of days.
        about: for readers of the screen.
        classes: name -> l0 to l3.
        limits: drawn as dashed lines, and kept inside.
        label: how a value is written.
        until: how far the last steps reach.
        steps: whether a value stands until the next one.
    """
    days = [day for points in series.values() for day, _ in points]
    if not days:
        return Markup("")
    values = [value for points in series.values() for _, value in points]
    least, most, marks = scale(min(0.0, *values), max([*values, *limits]))
    first, last = min(days), max([*days, until or min(days)])
    span = max((last - first).days, 1)

    def x(day: date) -> float:
        return _LEFT + (day - first).days / span * _WIDE

    def y(value: float) -> float:
        return _TOP + (most - value) / (most - least) * _TALL

    shapes = []
    for value, _ in marks:
        shapes.append(f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        shapes.append(f'<text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(label(value))}</text>')
    for limit in limits:
        shapes.append(
            f'<line class="limit" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y(limit):.1f}" y2="{y(limit):.1f}"/>'
        )
    for name, points in series.items():
        kind = classes.get(name, "l3")
        placed = [(x(day), y(value)) for day, value in points]
        if steps:
            placed = _steps(placed, x(last))
        shapes.append(f'<polyline class="line {kind}" points="{points_of(placed)}"/>')
        for day, value in points:
            tip = f"{name}, {day.day} {day:%b %Y}: {label(value)}"
            shapes.append(
                f'<circle class="s{kind[1:]}" cx="{x(day):.1f}" cy="{y(value):.1f}" r="2.6"><title>{escape(tip)}</title></circle>'
            )
    shapes += [
        f'<text x="{place:.1f}" y="{_TOP + _TALL + 18}" text-anchor="middle">{text}</text>'
        for place, text in _days(first, last, x)
    ]
    return svg(_LEFT + _WIDE + 24, _TOP + _TALL + 24, about, shapes, "course")


def _steps(points: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    made: list[tuple[float, float]] = []
    for x, y in points:
        made += [(x, made[-1][1])] if made else []
        made.append((x, y))
    return [*made, (end, made[-1][1])]


def _days(first: date, last: date, x: Callable[[date], float]) -> list[tuple[float, str]]:
    begin, end = (datetime.combine(day, time(), UTC) for day in (first, last))
    marks = [(x(when.date()), text) for when, text in ticks(begin, end)] if last > first else []
    return marks or [(x(first), f"{first.day} {first:%b %Y}")]
