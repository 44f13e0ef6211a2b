"""Views over scores: every score, the decision that stands, the newest one of each entity, and how scores move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from finlake.config import UseCase
from finlake.pipelines.view import View, first_of, psi

_EARLY, _TENTHS = 28, ", ".join(f"{tenth / 10:g}" for tenth in range(1, 10))


def score_views(scored: Sequence[UseCase], columns: Callable[[str], Sequence[str]]) -> list[View]:
    """Empty where no use case has scores. `columns` of a table: a use case that was last scored by an earlier version
    of finlake lacks the newest ones, which are null in the view.
    """
    if not scored:
        return []
    tables = tuple(f"scores.{use_case.use_case}" for use_case in scored)
    decided = "count(*) AS decisions, avg(probability) AS mean_probability, sum(expected_loss) AS expected_loss"
    return [
        View(
            "bi.score_history",
            "Every score ever given, shadow scores too",
            _united({table: columns(table) for table in tables}),
            tables,
        ),
        View(
            "bi.decisions",
            "The decision that stands for each scored row",
            "SELECT * FROM bi.score_history WHERE kind = 'first'",
            ("bi.score_history",),
        ),
        View(
            "bi.latest_score",
            "The newest decision for each entity",
            first_of("bi.decisions", "use_case, entity", "decision_ts DESC, decision_key"),
            ("bi.decisions",),
        ),
        View(
            "bi.decisions_by_day",
            "How many decisions of each kind were taken on each day",
            f"SELECT use_case, to_date(decision_ts) AS day, decision, {decided} FROM bi.decisions "
            "GROUP BY use_case, to_date(decision_ts), decision",
            ("bi.decisions",),
        ),
        View(
            "bi.reasons_by_week",
            "How often each feature was a reason for an alert or a decision against somebody, by week",
            "SELECT use_case, to_date(date_trunc('WEEK', decision_ts)) AS week, reason.feature AS feature, "
            "count(*) AS decisions, avg(reason.contribution) AS mean_contribution FROM (SELECT use_case, decision_ts, "
            "explode(reasons) AS reason FROM bi.score_history WHERE kind IN ('first', 'review') AND "
            "decision NOT IN ('pass', 'approve')) GROUP BY ALL",
            ("bi.score_history",),
        ),
        View(
            "bi.score_drift",
            f"How far the scores of each week lie from those of the version's first {_EARLY} days",
            _drift(),
            ("bi.score_history",),
        ),
    ]


def _united(tables: Mapping[str, Sequence[str]]) -> str:
    every = list(dict.fromkeys(name for columns in tables.values() for name in columns))

    def select(table: str, columns: Sequence[str]) -> str:
        return f"SELECT {', '.join(name if name in columns else f'NULL AS {name}' for name in every)} FROM {table}"

    return " UNION ALL ".join(select(table, columns) for table, columns in tables.items())


def _drift() -> str:
    """PSI over tenths of the version's first scores, and the difference of mean log odds in standard deviations."""
    version = "use_case, model_version"
    of_week = f"{version}, to_date(date_trunc('WEEK', decision_ts)) AS week"
    begun = f"SELECT {version}, min(decision_ts) AS began FROM bi.score_history GROUP BY {version}"
    early = (
        f"SELECT {version}, percentile_approx(raw_score, array({_TENTHS})) AS edges, avg(raw_score) AS mean, "
        f"stddev(raw_score) AS std, count(*) AS rows FROM bi.score_history JOIN begun USING ({version}) "
        f"WHERE decision_ts < began + INTERVAL {_EARLY} DAYS GROUP BY {version}"
    )
    binned = (
        f"SELECT {of_week}, size(filter(edges, edge -> edge < raw_score)) AS bin, "
        f"decision_ts < began + INTERVAL {_EARLY} DAYS AS is_early, raw_score "
        f"FROM bi.score_history JOIN begun USING ({version}) JOIN early USING ({version})"
    )
    bins = ", ".join(f"count_if(bin = {place})" for place in range(10))
    reference = f"SELECT {version}, array({bins}) AS expected FROM binned WHERE is_early GROUP BY {version}"
    weekly = (
        f"SELECT {version}, week, array({bins}) AS seen, count(*) AS rows, avg(raw_score) AS mean, "
        f"stddev(raw_score) AS std FROM binned GROUP BY {version}, week"
    )
    spread = "sqrt((weekly.std * weekly.std + early.std * early.std) / 2)"
    return (
        f"WITH begun AS ({begun}), early AS ({early}), binned AS ({binned}), reference AS ({reference}), "
        f"weekly AS ({weekly}) SELECT use_case, model_version, week, weekly.rows AS decisions, "
        f"{psi('expected', 'seen')} AS psi, 9 * (1 / weekly.rows + 1 / early.rows) AS psi_by_chance, "
        f"try_divide(weekly.mean - early.mean, {spread}) AS mean_difference "
        f"FROM weekly JOIN reference USING ({version}) JOIN early USING ({version})"
    )
