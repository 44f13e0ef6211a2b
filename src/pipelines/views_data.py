"""Views over data: arrivals, batches, expectations, drift of features, figures and runs."""

from __future__ import annotations

from finlake.pipelines.view import View, first_of, psi


def data_views() -> list[View]:
    """The newest row of each key of the operational tables."""
    newest = [
        ("bi.freshness", "ops.freshness", "When data last arrived, and whether that is as agreed", "source", "checked_at"),
        ("bi.batches", "ops.batches", "What became of every received row, by batch", "source, batch", "refined_at"),
        ("bi.quality", "ops.quality", "Expectations and how many rows broke them, by batch", "source, batch, rule", "measured_at"),
        ("bi.figures", "ops.figures", "The latest value of every figure", "use_case, figure", "recorded_at"),
    ]  # fmt: skip
    made = [
        View(view, about, first_of(table, key, f"{time} DESC"), (table,)) for view, table, about, key, time in newest
    ]
    return [
        *made,
        View("bi.files", "Every received file, when it arrived and whether it was taken", "SELECT * FROM ops.files", ("ops.files",)),
        View(
            "bi.batches_by_day",
            "What became of received rows, by source and day of refinement",
            "SELECT source, to_date(refined_at) AS day, sum(received) AS received, sum(silver) AS silver, sum(superseded) AS "
            "superseded, sum(duplicate) AS duplicate, sum(quarantined) AS quarantined, every(adds_up) AS adds_up "
            "FROM bi.batches GROUP BY source, to_date(refined_at)",
            ("bi.batches",),
        ),
        View("bi.runs", "Every step that ran", "SELECT * FROM ops.runs", ("ops.runs",)),
        View("bi.feature_findings", "Features that drifted or are not as expected", "SELECT * FROM ops.feature_findings",
             ("ops.feature_findings",)),
        View(
            "bi.feature_drift",
            "How far the features of each period lie from those of training, or of the first periods",
            _drift(),
            ("ops.feature_profiles",),
        ),
    ]  # fmt: skip


def _drift() -> str:
    """PSI over the profile's own bins, and the difference of means in standard deviations."""
    key = "use_case, definition, feature, period, base"
    first, last = (f"to_date(split(base, ' ')[{place}])" for place in (1, 3))
    inside = f"ops.feature_profiles WHERE period_start BETWEEN {first} AND {last}"
    known = "rows * (1 - unknown)"
    counts = (
        f"SELECT {key}, place, sum(one) AS counted FROM (SELECT {key}, posexplode(counts) AS (place, one) FROM {inside}) "
        f"GROUP BY {key}, place"
    )
    expected = (
        f"SELECT {key}, transform(array_sort(collect_list(struct(place, counted))), x -> x.counted) AS expected "
        f"FROM ({counts}) GROUP BY {key}"
    )
    usual = (
        f"SELECT {key}, sum(rows) AS rows, try_divide(sum(mean * {known}), sum(CASE WHEN mean IS NOT NULL THEN {known} END)) "
        f"AS mean, sqrt(avg(std * std)) AS std FROM {inside} GROUP BY {key}"
    )
    return (
        f"SELECT use_case, definition, feature, period, period_start, p.rows AS decisions, p.unknown, "
        f"{psi('expected', 'counts')} AS psi, (size(counts) - 1) * (1 / p.rows + 1 / usual.rows) AS psi_by_chance, "
        "try_divide(p.mean - usual.mean, sqrt((p.std * p.std + usual.std * usual.std) / 2)) AS mean_difference, base "
        f"FROM ops.feature_profiles p JOIN ({expected}) expected USING ({key}) JOIN ({usual}) usual USING ({key})"
    )
