"""Views over alert queues and what came of them: the queue, its days, verdicts, value found and missed, thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from finlake.config import UseCase
from finlake.pipelines.view import View, wilson

ALERTS, OUTCOMES, THRESHOLDS = "ops.alerts", "ops.outcomes", "ops.thresholds"
_OPEN = "state IN ('new', 'in_work')"
_REASONS = ", ".join(f"try_element_at(reasons, {n}).text AS reason_{n}" for n in (1, 2, 3))
_WHAT = f"entity, decision_key, event_ts, decision_ts, probability, value, expected_loss, {_REASONS}, model_name, model_version"


def queue_day(use_case: UseCase, moment: str = "decision_ts") -> str:
    """SQL: the business day on whose queue a decision stands, the first opening after it."""
    clock, _, zone = (use_case.policy.queue_opens or f"00:00 {use_case.zone}").partition(" ")
    hours, minutes = (int(part) for part in clock.split(":"))
    local = f"from_utc_timestamp({moment}, '{zone or use_case.zone}')"
    return f"date_add(to_date({local} - INTERVAL '{hours * 60 + minutes}' MINUTE), 1)"


def queue_views(scored: Sequence[UseCase], exists: Callable[[str], bool]) -> list[View]:
    """The queue with its states where one is kept, else the alerts as they were scored."""
    alerting = [use_case for use_case in scored if use_case.policy.alerts_per_day]
    made = [*_kept()] if exists(ALERTS) else [_as_scored(alerting)] if alerting else []
    return [*made, *_value(), _thresholds()]


def _as_scored(alerting: Sequence[UseCase]) -> View:
    queued = " UNION ALL ".join(
        f"SELECT {queue_day(u)} AS queue_day, * FROM scores.{u.use_case} WHERE kind = 'first' AND decision = 'alert'"
        for u in alerting
    )
    return View(
        "bi.alert_queue",
        "Whom to call on each day, most likely first, with reasons in words",
        "SELECT use_case, queue_day, row_number() OVER (PARTITION BY use_case, queue_day ORDER BY probability DESC, "
        f"decision_key) AS place, {_WHAT} FROM ({queued}) ORDER BY use_case, queue_day DESC, place",
        tuple(f"scores.{use_case.use_case}" for use_case in alerting),
    )


def _kept() -> list[View]:
    age = "datediff(max(queue_day) OVER (PARTITION BY use_case), queue_day) AS age_days"
    state = "alert_id, state, state_since, verdict_by, expires_on, origin"
    order = "probability DESC, raw_score DESC, decision_key"
    return [
        View(
            "bi.alert_queue",
            "Whom to call on each day, most likely first, with reasons in words and what became of it",
            f"SELECT use_case, queue_day, row_number() OVER (PARTITION BY use_case, queue_day ORDER BY {order}) AS place, "
            f"{_WHAT}, {state}, {age} FROM {ALERTS} ORDER BY use_case, queue_day DESC, place",
            (ALERTS,),
        ),
        View(
            "bi.open_queue",
            "What is still to be worked on, carried over from earlier days or new, most likely first",
            "SELECT use_case, row_number() OVER (PARTITION BY use_case ORDER BY probability DESC, queue_day, decision_key) "
            "AS place, age_days > 0 AS carried_over, * EXCEPT (use_case, place) FROM bi.alert_queue "
            # nights run before the queue opens, at which the oldest ones expire
            f"WHERE {_OPEN} AND expires_on > date_add(queue_day, age_days) ORDER BY use_case, place",
            ("bi.alert_queue",),
        ),
        View("bi.queue_days", "Each day's queue: what was new, what was carried over, and what became of it", _days(), (ALERTS,)),
        View(
            "bi.verdicts",
            "What analysts found, among alerts of the model and in a random sample, with 95% intervals",
            "SELECT *, try_divide(confirmed, answered) AS share_confirmed, "
            f"{wilson('confirmed', 'answered', -1)} AS low, {wilson('confirmed', 'answered', 1)} AS high FROM (SELECT "
            f"use_case, origin, count(*) AS alerts, count_if({_OPEN}) AS open, count_if(state = 'confirmed') AS confirmed, "
            "count_if(state = 'dismissed') AS dismissed, count_if(state = 'expired') AS expired, "
            f"count_if(state IN ('confirmed', 'dismissed')) AS answered FROM {ALERTS} GROUP BY use_case, origin)",
            (ALERTS,),
        ),
    ]  # fmt: skip


def _days() -> str:
    """An alert is carried over to every later day of its queue on which it was not closed yet."""
    days = f"SELECT DISTINCT use_case, queue_day FROM {ALERTS}"
    carried = (
        "SELECT d.use_case, d.queue_day, count(*) AS carried_over, avg(datediff(d.queue_day, a.queue_day)) AS mean_age_days "
        f"FROM ({days}) d JOIN {ALERTS} a ON a.use_case = d.use_case AND a.queue_day < d.queue_day "
        f"AND (a.{_OPEN} OR to_date(a.state_since) >= d.queue_day) GROUP BY d.use_case, d.queue_day"
    )
    states = ", ".join(f"count_if(state = '{state}') AS {state}" for state in ("confirmed", "dismissed", "expired"))
    own = (
        f"SELECT use_case, queue_day, count(*) AS alerts, {states}, count_if({_OPEN}) AS open, "
        f"count_if(origin = 'sample') AS sampled, sum(expected_loss) AS expected_loss FROM {ALERTS} GROUP BY use_case, queue_day"
    )
    return (
        f"SELECT use_case, queue_day, alerts, sampled, confirmed, dismissed, expired, open, expected_loss, "
        f"coalesce(carried_over, 0) AS carried_over, mean_age_days FROM ({own}) LEFT JOIN ({carried}) USING (use_case, queue_day)"
    )


def _value() -> list[View]:
    made = []
    for length, day in (("day", "{day}"), ("month", "to_date(date_trunc('MONTH', {day}))")):
        period = day.format(day="coalesce(queue_day, to_date(decision_ts))")
        counts = (
            f"SELECT use_case, {period} AS {length}, count(*) AS decisions, count_if(outcome <> 'unknown') AS matured, "
            "count_if(outcome = 'positive') AS positives, count_if(outcome = 'positive' AND alerted) AS positives_alerted, "
            "count_if(alerted) AS alerts, coalesce(sum(found), 0) AS found, coalesce(sum(missed), 0) AS missed "
            f"FROM {OUTCOMES} GROUP BY use_case, {period}"
        )
        made.append(
            View(
                f"bi.value_by_{length}",
                f"Value found and missed by {length} of decision, as far as labels have matured",
                "SELECT *, try_divide(found, found + missed) AS share_found, try_divide(matured, decisions) AS share_known "
                f"FROM ({counts})",
                (OUTCOMES,),
            )
        )
    return made


def _thresholds() -> View:
    return View(
        "bi.threshold_history",
        "The cut-offs in force, where and since when, and the rows they were derived from",
        "SELECT *, lead(valid_from) OVER (PARTITION BY use_case, context ORDER BY valid_from) AS valid_until "
        f"FROM {THRESHOLDS}",
        (THRESHOLDS,),
    )
