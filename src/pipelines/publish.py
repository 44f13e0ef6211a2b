"""Step: the views that SQL warehouses and dashboards read."""

from __future__ import annotations

from finlake.config import UseCase
from finlake.pipelines.step import Step, Values
from finlake.pipelines.view import View, first_of
from finlake.pipelines.view_words import COLUMNS
from finlake.pipelines.views_data import data_views
from finlake.pipelines.views_models import model_views
from finlake.pipelines.views_queue import queue_views
from finlake.pipelines.views_scores import score_views

_USE_CASES = (
    "use_case string, purpose string, owner string, approver string, materiality string, zone string, label string, "
    "matures_after string, policy string, scored string, limits array<string>"
)


def publish(step: Step) -> Values:
    """Describes the use cases in ops.use_cases and creates every view whose tables exist."""
    lake, config = step.lake, step.config
    lake.overwrite(
        "ops.use_cases",
        lake.spark.createDataFrame([_described(use_case) for use_case in config.use_cases.values()], _USE_CASES),
        about="Use cases as configured",
    )
    scored = [use_case for use_case in config.use_cases.values() if lake.exists(f"scores.{use_case.use_case}")]
    scores = score_views(scored, lambda table: lake.read(table).columns)
    wanted = [*scores, *queue_views(scored, lake.exists), *data_views(), *model_views(lake.exists)]
    made: list[str] = []
    for view in wanted:
        if all(name in made or lake.exists(name) for name in view.needs):
            lake.view(view.name, view.sql, about=view.about, comments=_comments(view))
            made.append(view.name)
            step.say(f"{view.name}: {view.about}")
    _figures_of_data(step)
    _figures_of_queue(step)
    return {"views": made}


def _comments(view: View) -> dict[str, str]:
    """What the columns are; a view may say it of its own."""
    return {**COLUMNS, **view.comments}


def _described(use_case: UseCase) -> tuple[object, ...]:
    label = use_case.label
    scored = f"{use_case.score.each}, as of {use_case.score.as_of}"
    return (
        use_case.use_case, use_case.purpose, use_case.owner, use_case.approver, use_case.materiality, use_case.zone,
        label.name, label.matures_after.text, use_case.policy.in_words, scored, use_case.limits,
    )  # fmt: skip


def _figures_of_data(step: Step) -> None:
    """What became of the received rows, by source, with the commonest reasons."""
    lake = step.lake
    if not lake.exists("ops.batches"):
        return
    counts = ("received", "silver", "superseded", "duplicate", "quarantined")
    sums = ", ".join(f"sum({count}) AS {count}" for count in counts)
    for row in lake.sql(f"SELECT source, {sums}, every(adds_up) AS adds_up FROM bi.batches GROUP BY source").collect():
        for count in counts:
            step.figure(
                f"rows_{count}.{row['source']}",
                row[count],
                unit="rows",
                tables=["ops.batches"],
            )
        step.figure(f"adds_up.{row['source']}", int(row["adds_up"]), tables=["ops.batches"])
    if lake.exists("ops.quality"):
        broken = lake.sql(
            first_of(
                "(SELECT source, severity, rule, max(reason) AS reason, sum(failed) AS rows FROM bi.quality "
                "WHERE failed > 0 GROUP BY ALL)",
                "source, severity",
                "rows DESC, rule",
                most=3,
            )
        )
        for row in broken.collect():
            name = f"broken.{row['source']}.{row['severity']}.{row['rule']}"
            step.figure(name, row["rows"], unit="rows", text=row["reason"], tables=["ops.quality"])


def _figures_of_queue(step: Step) -> None:
    """The first call of the newest queue day of each use case."""
    if "bi.alert_queue" not in step.lake.views():
        return
    first = first_of("bi.alert_queue", "use_case", "queue_day DESC, place")
    for row in step.lake.sql(first).collect():
        about = {"use_case": row["use_case"], "tables": [f"scores.{row['use_case']}"]}
        text = f"{row['queue_day']:%d %b %Y}|{row['entity']}|{row['decision_key']}|{row['event_ts']:%a %d %b %H:%M} UTC"
        step.figure("first_call.probability", row["probability"], text=text, **about)
        step.figure("first_call.value", row["value"], **about)
        for number in (1, 2, 3):
            if row[f"reason_{number}"]:
                step.figure(
                    f"first_call.reason.{number}",
                    None,
                    text=row[f"reason_{number}"],
                    **about,
                )
