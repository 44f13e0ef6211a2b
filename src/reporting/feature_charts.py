"""Charts of one feature: its course over time, its unknown share, its distribution before and now."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from markupsafe import Markup, escape

from finlake.reporting.charts import points_of, svg, ticks

Row = Mapping[str, Any]
_LEFT, _WIDE, _TOP, _TALL = 64.0, 636.0, 12.0, 190.0


def course(periods: Sequence[Row], marked: Mapping[date, str], about: str) -> Markup:
    """Median with the band that holds 90% of values, and the mean; a dot marks a period with findings.

    Args:
        periods: rows with period_start, mean and low, median, high (5, 50 and 95 per cent), None where all is unknown.
        marked: period -> what was found, shown when pointed at.
        about: for readers of the screen.
    """
    seen = [row[part] for row in periods for part in ("low", "median", "high", "mean") if row[part] is not None]
    if not seen:
        return Markup("")
    least, most, marks = scale(min(seen), max(seen))
    x = _across(periods)

    def y(value: float) -> float:
        return _TOP + (most - value) / (most - least) * _TALL

    shapes = list(_frame(periods, [(y(value), label) for value, label in marks], x))
    for run in _runs(periods, "median"):
        top = [(x[row["period_start"]], y(row["high"])) for row in run]
        bottom = [(x[row["period_start"]], y(row["low"])) for row in reversed(run)]
        shapes.append(f'<polygon class="band" points="{points_of([*top, *bottom])}"/>')
        for part, kind in (("mean", "l1"), ("median", "l0")):
            placed = [(x[row["period_start"]], y(row[part])) for row in run]
            shapes.append(f'<polyline class="line {kind}" points="{points_of(placed)}"/>')
    for row in periods:
        shapes.append(_mark(row, x, y(row["median"]) if row["median"] is not None else _TOP + _TALL, marked))
    return svg(_LEFT + _WIDE + 16, _TOP + _TALL + 24, about, shapes, "wide")


def unknown_share(periods: Sequence[Row], marked: Mapping[date, str], about: str) -> Markup:
    """Share of decisions whose value is unknown, from zero up."""
    tall = 84.0
    most = max(max((row["unknown"] for row in periods), default=0.0), 0.01)
    end = next(share for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if share >= most)
    x = _across(periods)

    def y(value: float) -> float:
        return _TOP + (1 - value / end) * tall

    levels = [(y(share), f"{100 * share:.3g}%") for share in (0.0, end / 2, end)]
    shapes = list(_frame(periods, levels, x, tall))
    shapes.append(
        f'<polyline class="line l0" points="{points_of([(x[r["period_start"]], y(r["unknown"])) for r in periods])}"/>'
    )
    shapes += [_mark(row, x, y(row["unknown"]), marked) for row in periods]
    return svg(_LEFT + _WIDE + 16, _TOP + tall + 24, about, shapes, "wide")


def distribution(bins: Sequence[str], before: Sequence[float], now: Sequence[float], about: str) -> Markup:
    """Two bars for each bin: its share of the rows before, and now."""
    left, wide, each = 150.0, 400.0, 24.0
    most = max([*before, *now, 1e-9])
    shapes = []
    for number, (name, was, is_now) in enumerate(zip(bins, before, now, strict=True)):
        y = each * number
        tip = f"{name}: {was:.1%} before, {is_now:.1%} now"
        drawn = f'<text x="{left - 10}" y="{y + 14:.0f}" text-anchor="end">{escape(name)}</text>'
        for place, (share, kind) in enumerate(((was, "s2"), (is_now, "s0"))):
            drawn += f'<rect class="{kind}" x="{left}" y="{y + 2 + 8 * place:.0f}" width="{share / most * wide:.1f}" height="8"/>'
        end = left + max(was, is_now) / most * wide
        drawn += f'<text x="{end + 8:.1f}" y="{y + 14:.0f}">{was:.1%} → {is_now:.1%}</text>'
        shapes.append(f"<g><title>{escape(tip)}</title>{drawn}</g>")
    return svg(left + wide + 110, each * len(bins) + 4, about, shapes, "bins")


def spark_band(periods: Sequence[Row], about: str, wrong: bool) -> Markup:
    """Median and band without axes; the dot of the newest period is red where something was found."""
    width, height = 120.0, 26.0
    seen = [row[part] for row in periods for part in ("low", "median", "high") if row[part] is not None]
    if not seen:
        return Markup("")
    least, most = min(seen), max(seen)
    step = (width - 8) / max(len(periods) - 1, 1)
    x = {row["period_start"]: 4 + number * step for number, row in enumerate(periods)}

    def y(value: float) -> float:
        return height - 4 - (value - least) / ((most - least) or 1.0) * (height - 8)

    shapes = []
    for run in _runs(periods, "median"):
        top = [(x[row["period_start"]], y(row["high"])) for row in run]
        bottom = [(x[row["period_start"]], y(row["low"])) for row in reversed(run)]
        middle = [(x[row["period_start"]], y(row["median"])) for row in run]
        shapes.append(f'<polygon class="band" points="{points_of([*top, *bottom])}"/>')
        shapes.append(f'<polyline class="line l0" points="{points_of(middle)}"/>')
    last = periods[-1]
    if last["median"] is not None:
        shapes.append(
            f'<circle class="{"s3" if wrong else "s0"}" cx="{x[last["period_start"]]:.1f}" cy="{y(last["median"]):.1f}" r="2.8"/>'
        )
    return svg(width, height, about, shapes, "spark")


def bin_names(ends: Sequence[float]) -> list[str]:
    """Names of the bins that `ends` close, and of the one for unknown values.

    The first end lies just below the lowest value that was seen before, so the first bin is what lies lower.
    """
    if not ends:
        return ["any value", "unknown"]
    names, lowest = [f"below {number(ends[0])}"], ends[0]
    a_value_each = all(high - low == 1 for low, high in zip(ends[1:-1], ends[2:], strict=True))
    for low, high in zip(ends[:-1], ends[1:], strict=True):
        one = a_value_each or (low == lowest and math.nextafter(high, -math.inf) == low)
        names.append(number(high) if one else f"{number(low)} to {number(high)}")
    return [*names, f"above {number(ends[-1])}", "unknown"]


def number(value: float | None) -> str:
    """A number in few digits."""
    if value is None:
        return "–"
    if abs(value) < 1e-12:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3g}"
    digits = max(0, 3 - math.floor(math.log10(abs(value)))) if abs(value) < 1000 else 0
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scale(least: float, most: float) -> tuple[float, float, list[tuple[float, str]]]:
    """Ends of an axis that holds both, and its marks at round numbers."""
    spread = (most - least) or abs(most) or 1.0
    size = 10.0 ** math.floor(math.log10(spread / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= spread / 4)
    first, last = math.floor(least / step), math.ceil(most / step)
    if first == last:
        first, last = first - 1, last + 1
    return first * step, last * step, [(n * step, number(round(n * step, 12))) for n in range(first, last + 1)]


def _across(periods: Sequence[Row]) -> dict[date, float]:
    first, last = periods[0]["period_start"], periods[-1]["period_start"]
    days = max((last - first).days, 1)
    return {row["period_start"]: _LEFT + (row["period_start"] - first).days / days * _WIDE for row in periods}


def _frame(
    periods: Sequence[Row], levels: Sequence[tuple[float, str]], x: Mapping[date, float], tall: float = _TALL
) -> Iterator[str]:
    for y, label in levels:
        yield f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    first, last = (datetime.combine(row["period_start"], time(), UTC) for row in (periods[0], periods[-1]))
    span = (last - first).total_seconds()
    marks = ticks(first, last) if span else []
    for when, text in marks or [(first, f"{first.day} {first:%b %Y}")]:
        place = _LEFT + ((when - first).total_seconds() / span * _WIDE if span else 0.0)
        yield f'<text x="{place:.1f}" y="{_TOP + tall + 18:.1f}" text-anchor="middle">{text}</text>'


def _mark(row: Row, x: Mapping[date, float], y: float, marked: Mapping[date, str]) -> str:
    """A point that tells its period when pointed at; red where something was found."""
    when = row["period_start"]
    found = marked.get(when)
    values = f"median {number(row['median'])}, mean {number(row['mean'])}, unknown {row['unknown']:.1%}, {row['rows']:,} rows"
    tip = f"{when.day} {when:%b %Y}: {values}" + (f" – {found}" if found else "")
    kind, size = ("s3", 4.5) if found else ("s0", 2.2)
    return f'<circle class="{kind}" cx="{x[when]:.1f}" cy="{y:.1f}" r="{size}"><title>{escape(tip)}</title></circle>'


def _runs(periods: Sequence[Row], part: str) -> Iterator[list[Row]]:
    """Stretches of periods that have a value."""
    run: list[Row] = []
    for row in periods:
        if row[part] is not None:
            run.append(row)
        elif run:
            yield run
            run = []
    if run:
        yield run
