"""Small charts as inline SVG, coloured by the page's style so that light and dark both work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

Point = tuple[float, float]


def stacked_bars(
    batches: Sequence[Mapping[str, float]],
    parts: Sequence[str],
    labels: Sequence[str],
    about: str,
    classes: Sequence[str] = ("s0", "s1", "s2", "s3"),
) -> Markup:
    """One bar a batch, its parts stacked; the middle of long series is not dropped, bars become thin.

    The highest bar's size stands at the right of its top.
    """
    width, height, floor = 640.0, 132.0, 20.0
    highest = max((sum(batch[part] for part in parts) for batch in batches), default=0) or 1
    step = min(width / max(len(batches), 1), 52.0)
    width = max(step * len(batches), 200.0)
    shapes = []
    for number, (batch, label) in enumerate(zip(batches, labels, strict=True)):
        below = height - floor
        tip = f"{label}: " + ", ".join(f"{part} {batch[part]:,.0f}" for part in parts)
        drawn = []
        for place, part in enumerate(parts):
            tall = batch[part] / highest * (height - floor - 8)
            below -= tall
            left, wide = number * step + step * 0.12, step * 0.76
            drawn.append(
                f'<rect class="{classes[place]}" x="{left:.1f}" y="{below:.1f}" width="{wide:.1f}" height="{tall:.2f}"/>'
            )
        shapes.append(f"<g><title>{escape(tip)}</title>{''.join(drawn)}</g>")
    ends = (
        [(0.0, "start", labels[0]), (width, "end", labels[-1])]
        if len(labels) > 1
        else [(0.0, "start", labels[0])]
        if labels
        else []
    )
    for x, anchor, label in ends:
        shapes.append(f'<text x="{x}" y="{height - 5}" text-anchor="{anchor}">{escape(label)}</text>')
    shapes.insert(0, f'<line class="grid" x1="0" x2="{width}" y1="8" y2="8"/>')
    shapes.append(f'<text x="{width + 6}" y="12">{highest:,.0f}</text>')
    return svg(width + 60, height, about, shapes, "bars")


def spark_line(values: Sequence[float | None], about: str, limit: float | None = None) -> Markup:
    """A share over batches, without axes; a dot marks the last one."""
    width, height = 120.0, 26.0
    known = [value for value in values if value is not None]
    top = max([*known, limit or 0.0, 1e-9])
    step = (width - 8) / max(len(values) - 1, 1)
    points = [
        (4 + i * step, height - 4 - value / top * (height - 8)) for i, value in enumerate(values) if value is not None
    ]
    shapes = []
    if limit is not None and limit > 0:
        y = height - 4 - limit / top * (height - 8)
        shapes.append(f'<line class="limit" x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if len(points) > 1:
        shapes.append(f'<polyline class="line l0" points="{points_of(points)}"/>')
    if points:
        shapes.append(f'<circle class="s0" cx="{points[-1][0]:.1f}" cy="{points[-1][1]:.1f}" r="2.6"/>')
    return svg(width, height, about, shapes, "spark")


def lines(
    series: Mapping[str, Sequence[Point]],
    across: str,
    up: str,
    about: str,
    classes: Mapping[str, str],
    marks: Sequence[tuple[float, float, str]] = (),
) -> Markup:
    """Curves in the unit square: precision and recall, gains. Marks are points (x, y) with words above the axis."""
    left, top, wide, tall = 40.0, 24.0, 360.0, 240.0
    shapes = list(_square(left, top, wide, tall, across, up, 1.0, 1.0))
    for name, points in series.items():
        placed = [(left + x * wide, top + (1 - y) * tall) for x, y in points]
        kind = classes.get(name, "l3")
        shapes.append(
            f'<polyline class="line {kind}" points="{points_of(placed)}"><title>{escape(name)}</title></polyline>'
        )
    for number, (across_at, up_at, text) in enumerate(marks):
        x, y = left + across_at * wide, top + (1 - up_at) * tall
        side, away = ("start", 8) if across_at < 0.6 else ("end", -8)
        shapes += [
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y:.1f}" y2="{top + tall}"/>',
            f'<circle class="s0 ringed" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(text)}</title></circle>',
            f'<text class="said" x="{x + away:.1f}" y="{top + tall - 8 - 14 * number:.1f}" text-anchor="{side}">{escape(text)}</text>',
        ]
    return svg(left + wide + 12, top + tall + 40, about, shapes)


def reliability(predicted: Sequence[float], observed: Sequence[float], about: str) -> Markup:
    """Predicted against observed, beside the diagonal that a calibrated model follows."""
    left, top, wide, tall = 46.0, 24.0, 360.0, 240.0
    end = _round_end(max([*predicted, *observed, 1e-9]))
    shapes = list(_square(left, top, wide, tall, "predicted", "observed", end, end))
    shapes.append(f'<line class="limit" x1="{left}" y1="{top + tall}" x2="{left + wide}" y2="{top}"/>')
    placed = [(left + x / end * wide, top + (1 - y / end) * tall) for x, y in zip(predicted, observed, strict=True)]
    shapes.append(f'<polyline class="line l0" points="{points_of(placed)}"/>')
    for (x, y), p, o in zip(placed, predicted, observed, strict=True):
        shapes.append(
            f'<circle class="s0" cx="{x:.1f}" cy="{y:.1f}" r="3.5"><title>predicted {p:.2%}, observed {o:.2%}</title></circle>'
        )
    return svg(left + wide + 12, top + tall + 40, about, shapes)


def intervals(
    rows: Sequence[tuple[str, float, float | None, float | None]], about: str, lines_at: Sequence[float]
) -> Markup:
    """One row a period: its value as a dot, its interval as a line, limits as dashed lines."""
    left, wide, each = 20.0 + 6.6 * max((len(name) for name, *_ in rows), default=10), 320.0, 22.0
    ends = [number for _, value, low, high in rows for number in (value, low, high) if number is not None] + list(
        lines_at
    )
    least, most = min(ends, default=0.0), max(ends, default=1.0)
    spread = (most - least) or 1.0
    least, most = least - 0.06 * spread, most + 0.06 * spread
    tall = each * len(rows) + 6

    def place(value: float) -> float:
        return left + (value - least) / (most - least) * wide

    shapes = [f'<line class="limit" x1="{place(x):.1f}" x2="{place(x):.1f}" y1="2" y2="{tall}"/>' for x in lines_at]
    for number, (name, value, low, high) in enumerate(rows):
        y = each * number + 14
        shapes.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        tip = f"{name}: {value:.3g}" + (f" [{low:.3g} – {high:.3g}]" if low is not None and high is not None else "")
        drawn = f'<circle class="s0" cx="{place(value):.1f}" cy="{y}" r="4"/>'
        if low is not None and high is not None:
            drawn = f'<line class="line l0" x1="{place(low):.1f}" x2="{place(high):.1f}" y1="{y}" y2="{y}"/>' + drawn
        shapes.append(f"<g><title>{escape(tip)}</title>{drawn}</g>")
    for x in lines_at or (least, most):
        shapes.append(f'<text x="{place(x):.1f}" y="{tall + 14}" text-anchor="middle">{x:.3g}</text>')
    return svg(left + wide + 30, tall + 20, about, shapes)


def timeline(rows: Sequence[tuple[str, Sequence[tuple[datetime, str, str]]]], about: str) -> Markup:
    """One row a source, one mark a file at its arrival; the class of a mark is the file's status."""
    moments = [when for _, files in rows for when, _, _ in files]
    if not moments:
        return Markup("")
    first, last = min(moments), max(moments)
    if last - first < timedelta(hours=1):
        first, last = first - timedelta(hours=12), last + timedelta(hours=12)
    left, wide, each = 160.0, 720.0, 30.0
    tall = each * len(rows) + 8
    span = (last - first).total_seconds()
    shapes = []
    for when, text in ticks(first, last):
        x = left + (when - first).total_seconds() / span * wide
        shapes.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{tall}"/>')
        shapes.append(f'<text x="{x:.1f}" y="{tall + 14}" text-anchor="middle">{text}</text>')
    for number, (name, files) in enumerate(rows):
        y = each * number + 20
        shapes.append(f'<text x="{left - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        shapes.append(f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{y}" y2="{y}"/>')
        for when, status, tip in files:
            x = left + (when - first).total_seconds() / span * wide
            shapes.append(
                f'<circle class="f-{escape(status)}" cx="{x:.1f}" cy="{y}" r="4"><title>{escape(tip)}</title></circle>'
            )
    return svg(left + wide + 30, tall + 20, about, shapes, "wide")


def ticks(first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """Starts of days, months or years, at most about eight."""
    days = (last - first).total_seconds() / 86400
    begin = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if days <= 75:
        every = next(step for step in (1, 2, 3, 5, 7, 10) if days / step <= 9 or step == 10)
        days_shown = [begin + timedelta(days=every * i) for i in range(1, 10)]
        return [(when, f"{when.day} {when:%b}") for when in days_shown if first <= when <= last]
    months = max(1, math.ceil(days / 30.4 / 8))
    months = next((m for m in (1, 2, 3, 6, 12, 24, 60, 120) if m >= months), 120)
    marks: list[tuple[datetime, str]] = []
    when = begin.replace(day=1)
    for _ in range(200):
        if when > last:
            break
        if (
            when >= first
            and (when.month - 1) % min(months, 12) == 0
            and (months <= 12 or when.year % (months // 12) == 0)
        ):
            marks.append((when, f"{when:%Y}" if months >= 12 else f"{when:%b %Y}"))
        when = (when + timedelta(days=32)).replace(day=1)
    return marks


def _square(
    left: float, top: float, wide: float, tall: float, across: str, up: str, most_x: float, most_y: float
) -> list[str]:
    shapes = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + share * wide, top + (1 - share) * tall
        shapes.append(f'<line class="grid" x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}"/>')
        shapes.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{_percent(share * most_y)}</text>')
        shapes.append(
            f'<text x="{x:.1f}" y="{top + tall + 16:.1f}" text-anchor="middle">{_percent(share * most_x)}</text>'
        )
    shapes.append(
        f'<text class="axis" x="{left + wide / 2}" y="{top + tall + 33:.1f}" text-anchor="middle">{escape(across)}</text>'
    )
    shapes.append(f'<text class="axis" x="{left - 34}" y="{top - 9}">{escape(up)}</text>')
    return shapes


def _round_end(most: float) -> float:
    """The end of an axis whose quarters are short numbers."""
    size = 10.0 ** math.floor(math.log10(most))
    return min((step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= most), default=most)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def points_of(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def svg(width: float, height: float, about: str, shapes: Sequence[str], kind: str = "chart") -> Markup:
    inside = "".join(shapes)
    return Markup(
        f'<svg class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(about)}">'
        f"<title>{escape(about)}</title>{inside}</svg>"
    )
