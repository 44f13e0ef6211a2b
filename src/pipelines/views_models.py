"""Views over models: the model card, gates, promotions, trials and the leaderboard."""

from __future__ import annotations

from collections.abc import Callable

from finlake.pipelines.view import View, first_of

_USE_CASE = ", ".join(
    f"u.{column}"
    for column in ("purpose", "owner", "approver", "materiality", "label", "matures_after", "policy", "limits")
)


def model_views(exists: Callable[[str], bool]) -> list[View]:
    """The model card has gates and promotions as far as there are any."""
    return [
        View(
            "bi.gates",
            "The verdicts of each model version when it was last judged",
            "SELECT g.* FROM ops.gates g JOIN (SELECT use_case, version, max_by(run_id, judged_at) AS judged FROM ops.gates "
            "GROUP BY use_case, version) latest ON g.use_case = latest.use_case AND g.version = latest.version "
            "AND g.run_id = latest.judged",
            ("ops.gates",),
        ),
        View("bi.promotions", "Every time a model came into charge or left it, by whom and why",
             "SELECT * FROM ops.promotions", ("ops.promotions",)),
        View("bi.model_card", "Each model version with purpose, owner, approver, gates and promotions",
             _card(exists), ("ops.models", "ops.use_cases")),
        View("bi.trials", "Every trial of every search, and the best one so far when it ended",
             "SELECT *, max(metric) OVER (PARTITION BY use_case, study ORDER BY trial ROWS UNBOUNDED PRECEDING) AS best_so_far "
             "FROM ops.trials", ("ops.trials",)),
        View(
            "bi.leaderboard",
            "Models measured on the newest test rows of each use case, with intervals and the paired difference",
            "SELECT l.* FROM ops.leaderboard l JOIN (SELECT use_case, max_by(test_digest, measured_at) AS newest "
            "FROM ops.leaderboard GROUP BY use_case) n ON l.use_case = n.use_case AND l.test_digest = n.newest",
            ("ops.leaderboard",),
        ),
        View("bi.test_reads", "Every time a model was measured on a test period",
             "SELECT * FROM ops.test_reads", ("ops.test_reads",)),
    ]  # fmt: skip


def _card(exists: Callable[[str], bool]) -> str:
    parts, columns = ["ops.models m LEFT JOIN ops.use_cases u ON m.use_case = u.use_case"], ["m.*", _USE_CASE]
    if exists("ops.gates"):
        counted = (
            "SELECT use_case, version, count_if(passed) AS gates_passed, count(*) AS gates_asked, "
            "array_join(collect_list(CASE WHEN NOT passed THEN concat(gate, ': ', reason) END), '; ') AS why_not "
            "FROM bi.gates GROUP BY use_case, version"
        )
        parts.append(f"LEFT JOIN ({counted}) g ON m.use_case = g.use_case AND m.version = g.version")
        columns.append("g.gates_passed, g.gates_asked, g.why_not")
    if exists("ops.promotions"):
        last = first_of("ops.promotions", "use_case, version", "at DESC, alias")
        parts.append(f"LEFT JOIN ({last}) p ON m.use_case = p.use_case AND m.version = p.version")
        columns.append(
            "p.action AS last_action, p.at AS last_action_at, p.by AS last_action_by, p.reason AS last_action_reason"
        )
    return f"SELECT {', '.join(columns)} FROM {' '.join(parts)}"
