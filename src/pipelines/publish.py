"""Step: the views that SQL warehouses and dashboards read."""

from __future__ import annotations

from collections.abc import Callable

from finlake.config import UseCase
from finlake.pipelines.step import Step, Values

_USE_CASES = (
    "use_case string, purpose string, owner string, approver string, materiality string, zone string, label string, "
    "matures_after string, policy string"
)


def publish(step: Step) -> Values:
    """Describes the use cases in ops.use_cases and creates every view whose tables exist."""
    lake, config = step.lake, step.config
    rows = [
        (
            u.use_case,
            u.purpose,
            u.owner,
            u.approver,
            u.materiality,
            u.zone,
            u.label.name,
            u.label.matures_after.text,
            u.policy.in_words,
        )
        for u in config.use_cases.values()
    ]
    lake.overwrite(
        "ops.use_cases",
        lake.spark.createDataFrame(rows, _USE_CASES),
        about="Use cases as configured",
    )
    scored = [use_case for use_case in config.use_cases.values() if lake.exists(f"scores.{use_case.use_case}")]
    made = []
    for name, about, sql in [*_score_views(scored), *_ops_views(lake.exists)]:
        lake.view(name, sql, about=about)
        made.append(name)
        step.say(f"{name}: {about}")
    _figures_of_data(step)
    _figures_of_queue(step)
    return {"views": made}


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
            _first(
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
    first = _first("bi.alert_queue", "use_case", "queue_day DESC, place")
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


def _first(table: str, by: str, order: str, most: int = 1) -> str:
    """A query for the first rows of each group; QUALIFY is Databricks' alone."""
    numbered = f"SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY {order}) AS _first FROM {table}"
    return f"SELECT * EXCEPT (_first) FROM ({numbered}) WHERE _first <= {most}"


def queue_day(use_case: UseCase, moment: str = "decision_ts") -> str:
    """SQL: the business day on whose queue a decision stands, the first opening after it."""
    clock, _, zone = (use_case.policy.queue_opens or f"00:00 {use_case.zone}").partition(" ")
    hours, minutes = (int(part) for part in clock.split(":"))
    local = f"from_utc_timestamp({moment}, '{zone or use_case.zone}')"
    return f"date_add(to_date({local} - INTERVAL '{hours * 60 + minutes}' MINUTE), 1)"


def _score_views(scored: list[UseCase]) -> list[tuple[str, str, str]]:
    if not scored:
        return []
    history = " UNION ALL ".join(f"SELECT * FROM scores.{use_case.use_case}" for use_case in scored)
    views = [
        ("bi.score_history", "Every score ever given, shadow scores too", history),
        (
            "bi.decisions",
            "The decision that stands for each scored row",
            "SELECT * FROM bi.score_history WHERE kind = 'first'",
        ),
        (
            "bi.latest_score",
            "The newest decision for each entity",
            _first("bi.decisions", "use_case, entity", "decision_ts DESC, decision_key"),
        ),
    ]
    alerting = [use_case for use_case in scored if use_case.policy.alerts_per_day]
    if alerting:
        queue = " UNION ALL ".join(
            f"SELECT {queue_day(u)} AS queue_day, * FROM scores.{u.use_case} WHERE kind = 'first' AND decision = 'alert'"
            for u in alerting
        )
        views.append(
            (
                "bi.alert_queue",
                "Whom to call on each day, most likely first, with reasons in words",
                (
                    "SELECT use_case, queue_day, row_number() OVER (PARTITION BY use_case, queue_day ORDER BY probability DESC, "
                    "decision_key) AS place, entity, decision_key, event_ts, decision_ts, probability, value, expected_loss, "
                    "try_element_at(reasons, 1).text AS reason_1, try_element_at(reasons, 2).text AS reason_2, "
                    f"try_element_at(reasons, 3).text AS reason_3, model_name, model_version FROM ({queue}) ORDER BY use_case, "
                    "queue_day DESC, place"
                ),
            )
        )
    return views


def _ops_views(exists: Callable[[str], bool]) -> list[tuple[str, str, str]]:
    wanted = [
        (
            "bi.freshness",
            "ops.freshness",
            "When data last arrived, and whether that is as agreed",
            "source",
            "checked_at",
        ),
        (
            "bi.batches",
            "ops.batches",
            "What became of every received row, by batch",
            "source, batch",
            "refined_at",
        ),
        (
            "bi.quality",
            "ops.quality",
            "Expectations and how many rows broke them, by batch",
            "source, batch, rule",
            "measured_at",
        ),
        (
            "bi.figures",
            "ops.figures",
            "The latest value of every figure",
            "use_case, figure",
            "recorded_at",
        ),
    ]
    views = [
        (view, about, _first(table, key, f"{time} DESC")) for view, table, about, key, time in wanted if exists(table)
    ]
    if exists("ops.runs"):
        views.append(("bi.runs", "Every step that ran", "SELECT * FROM ops.runs"))
    if exists("ops.models"):
        views.append(
            (
                "bi.model_card",
                "Each model version with purpose, owner and approver",
                (
                    "SELECT m.*, u.purpose, u.owner, u.approver, u.materiality, u.label, u.matures_after, u.policy "
                    "FROM ops.models m LEFT JOIN ops.use_cases u ON m.model = u.use_case"
                ),
            )
        )
    return views
