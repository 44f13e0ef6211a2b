"""The demo's last page. Every number on it is a row of ops.figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finlake.config import Config, UseCase
from finlake.lakehouse import Lake

MODELS = {
    "baseline_rule": "rule used today",
    "logistic_regression": "logistic regression",
    "champion": "champion",
    "finlake": "finlake",
}


@dataclass(frozen=True)
class Figure:
    value: float | None
    low: float | None
    high: float | None
    unit: str
    text: str


class Figures:
    """The latest figures, by use case and name."""

    def __init__(self, lake: Lake) -> None:
        asked = "SELECT use_case, figure, value, low, high, unit, text, run_id, recorded_at FROM bi.figures"
        rows = lake.sql(asked).collect()
        self._found = {(r[0], r[1]): Figure(*r[2:7]) for r in rows}
        self._run = {(r[0], r[1]): (r["recorded_at"], r["run_id"]) for r in rows}

    def get(self, name: str, use_case: str = "") -> Figure | None:
        return self._found.get((use_case, name))

    def value(self, name: str, use_case: str = "") -> float:
        found = self.get(name, use_case)
        return found.value if found and found.value is not None else float("nan")

    def text(self, name: str, use_case: str = "") -> str:
        found = self.get(name, use_case)
        return found.text if found else ""

    def named(self, prefix: str) -> list[str]:
        """Names that begin so, of any run."""
        return sorted(name for case, name in self._found if not case and name.startswith(prefix))

    def starting(self, prefix: str, use_case: str = "") -> list[tuple[str, Figure]]:
        """Those of the run that wrote the newest of them: an earlier run may have had more."""
        named = [key for key in self._found if key[0] == use_case and key[1].startswith(prefix)]
        newest = max((self._run[key] for key in named), default=None)
        return sorted((key[1], self._found[key]) for key in named if newest and self._run[key][1] == newest[1])


def render(lake: Lake, config: Config, report: Path) -> str:
    """The page as text, at most 118 columns wide."""
    figures = Figures(lake)
    root = _shown(lake.root)
    blocks = [list(_head(figures, root)), list(_data(figures))]
    blocks += [list(_use_case(figures, use_case)) for _, use_case in sorted(config.use_cases.items())]
    refused = figures.text("demo.refused")
    if refused:
        blocks.append([" REFUSED, AS PLANTED", *(f"   {line}" for line in refused.splitlines())])
    blocks += [list(_first_call(figures, name)) for name in sorted(config.use_cases)]
    query = 'finlake sql "select {}"'
    blocks.append(
        [
            f" Look     {_shown(report)}",
            f" Ask      {query.format('* from bi.alert_queue limit 40')}",
            f" Check    {query.format('* from ops.figures')}          every number above, with the table versions it came from",
            " Yours    finlake draft payments.csv          proposes the source file; then docs/your-own-table.md",
        ]
    )
    return "\n\n".join("\n".join(block) for block in blocks if block)


def interval(figure: Figure | None, digits: int = 2) -> str:
    """`.66 [.62–.70]`; whole numbers where `digits` is 0."""
    if figure is None or figure.value is None:
        return "–"
    numbers = [_number(x, digits) for x in (figure.value, figure.low, figure.high) if x is not None]
    return f"{numbers[0]} [{numbers[1]}–{numbers[2]}]" if len(numbers) == 3 else numbers[0]


def _number(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    return text.replace("0.", ".", 1) if digits and text.startswith(("0.", "-0.")) else text


def _shown(path: Path | None) -> str:
    if path is None:
        return "in the catalog"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _head(figures: Figures, root: str) -> Iterator[str]:
    minutes, seconds = divmod(int(figures.value("demo.seconds")), 60)
    warnings = figures.starting("demo.warning.")
    count = f", {len(warnings)} warning{'s' if len(warnings) > 1 else ''}" if warnings else ""
    yield (
        f" finlake demo · done in {minutes} min {seconds} s · lake {root} · data as of {figures.text('demo.as_of')[:10]} · "
        f"seed {figures.value('demo.seed'):.0f} · {figures.text('demo.tasks_ok')}{count}"
    )
    for _, warning in warnings:
        yield f"   warning: {warning.text}"


def _data(figures: Figures) -> Iterator[str]:
    counts = ("received", "silver", "superseded", "duplicate", "quarantined")
    yield " DATA                   " + "".join(f"{count:>12}" for count in counts)
    for name in figures.named("rows_received."):
        source = name.removeprefix("rows_received.")
        cells = "".join(f"{figures.value(f'rows_{count}.{source}'):12,.0f}" for count in counts)
        yield f"   {source:21}{cells}   {'adds up' if figures.value(f'adds_up.{source}') else 'DOES NOT ADD UP'}"
        for severity, words in (
            ("quarantine", "quarantined"),
            ("warn", "kept, with a warning"),
        ):
            broken = [f for _, f in figures.starting(f"broken.{source}.{severity}.")]
            if broken:
                broken.sort(key=lambda figure: -(figure.value or 0))
                yield f"     {words}: " + " · ".join(f"{figure.text} {figure.value:,.0f}" for figure in broken)


def _use_case(figures: Figures, use_case: UseCase) -> Iterator[str]:
    name, policy = use_case.use_case, use_case.policy
    status = figures.text("promotion.status", name)
    if not status:
        return
    yield f" {name} · {status} · {figures.text('split', name)}"
    columns = [
        ("average_precision", "average precision", 2),
        ("roc_auc", "ROC AUC", 3),
        ("ks", "KS", 2),
    ]
    if policy.alerts_per_day:
        opens = (policy.queue_opens or "the opening").split()[0]
        columns = [
            ("positives_at_budget", f"hits in {policy.alerts_per_day} alerts a day", 1),
            ("average_precision", "average precision", 2),
            ("value_found", "value found", 0),
            ("value_stoppable", f"stoppable at {opens}", 0),
        ]
    yield f"   {'':24}" + "".join(f"{title:>26}" for _, title, _ in columns)
    for model, words in MODELS.items():
        if figures.get(f"{columns[0][0]}.{model}", name):
            cells = "".join(
                f"{interval(figures.get(f'{metric}.{model}', name), digits):>26}" for metric, _, digits in columns
            )
            yield f"   {words:24}{cells}"
    notes = [figure.text for _, figure in figures.starting("note.", name) if figure.text]
    yield "   " + " · ".join([*notes, "brackets: 95% intervals"])
    for _, gate in figures.starting("gate.", name):
        yield f"   gate {gate.text}"


def _first_call(figures: Figures, use_case: str) -> Iterator[str]:
    text = figures.text("first_call.probability", use_case)
    if not text:
        return
    day, entity, key, when = text.split("|")
    value = figures.get("first_call.value", use_case)
    worth = f" · {value.value:,.2f}" if value and value.value is not None else ""
    yield (
        f" FIRST CALL OF {day} · {use_case} · {entity} · {key}{worth} · {when} · chance "
        + (f"{100 * figures.value('first_call.probability', use_case):.0f}%")
    )
    for number, (_, reason) in enumerate(figures.starting("first_call.reason.", use_case), 1):
        yield f"   {number}. {reason.text}"
