"""Profiles on a small lake: against NumPy, kept while nothing changes, judged, and shown on pages."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from feature_cases import config
from report_lake import evaluation
from test_report import tags

from finlake.features.definitions import definition_digest
from finlake.lakehouse import Lake
from finlake.lakehouse.ops import FIGURES
from finlake.models.records import MODELS
from finlake.monitoring.edges import edges, place
from finlake.monitoring.profiles import SHARES, current, fixed_edges, profiles
from finlake.pipelines.profile import blocking, first_periods, periods_inside, profile
from finlake.pipelines.step import Step
from finlake.reporting import build_report
from finlake.reporting.feature_charts import bin_names
from finlake.reporting.feature_charts import number as shown

MONDAY = datetime(2025, 6, 2, tzinfo=UTC)
WEEKS, ROWS = 9, 60
GROUPS = {
    "card": {
        "entity": "card",
        "owner": "fraud-ops",
        "features": {
            "n_1d": {"count": "rows", "windows": ["1d"], "unit": "payments", "say": "{value} payments in the last day"},
            "spend_1d": {
                "sum": "amount",
                "windows": ["1d"],
                "unit": "EUR",
                "expect": {"unknown_below": 0.5, "mean_between": [0, 100]},
            },
            "abroad_1d": {"share": "outcome = 'bad'", "windows": ["1d"]},
        },
    }
}
CONF = config(GROUPS, "known_at")
NAMES = ("n_1d", "spend_1d", "abroad_1d", "this_amount")
SCHEMA = "decision_key string, card string, event_ts timestamp, decision_ts timestamp, n_1d double, spend_1d double, abroad_1d double, this_amount double, _definition string"
Rows = list[tuple[object, ...]]


def week(number: int, factor: float = 1.0) -> Rows:
    """A week of decisions; a tenth of the spend is unknown, NaN or null."""
    draw = np.random.default_rng(number)
    digest = definition_digest(CONF.use_case("fraud"), CONF)
    made: Rows = []
    for place_in_week in range(ROWS):
        when = MONDAY + timedelta(days=7 * number, minutes=160 * place_in_week)
        spend = [None, float("nan")][place_in_week % 2] if draw.random() < 0.1 else float(draw.normal(50, 10)) * factor
        made.append(
            (f"{number}-{place_in_week}", "c", when, when, float(draw.integers(0, 4)), spend, float(draw.beta(2, 5)), float(draw.lognormal(3, 1)), digest)
        )  # fmt: skip
    return made


def write(lake: Lake, weeks: list[Rows]) -> None:
    lake.overwrite("features.fraud", lake.spark.createDataFrame([row for rows in weeks for row in rows], SCHEMA))


def test_profiles_equal_numpy_week_by_week(spark) -> None:
    weeks = [week(0), week(1)]
    frame = spark.createDataFrame([row for rows in weeks for row in rows], SCHEMA)
    first = frame.where("decision_ts < TIMESTAMP '2025-06-09 00:00:00'")
    ends = fixed_edges(first, NAMES)
    assert ends["n_1d"][1:] == [0.0, 1.0, 2.0, 3.0]
    assert len(ends["this_amount"]) == 19
    found = {(row["feature"], row["period_start"]): row for row in profiles(frame, NAMES, "week", ends).collect()}
    assert len(found) == 2 * len(NAMES)
    for number, rows in enumerate(weeks):
        for column, name in enumerate(NAMES, start=4):
            row = found[name, date(2025, 6, 2) + timedelta(days=7 * number)]
            values = np.array([np.nan if r[column] is None else r[column] for r in rows], dtype="float64")
            known = values[~np.isnan(values)]
            assert row["rows"] == ROWS
            assert row["unknown"] == pytest.approx(np.isnan(values).mean())
            assert [row["mean"], row["std"]] == pytest.approx([known.mean(), known.std(ddof=1)])
            assert [row["min"], row["max"], row["zeros"]] == [known.min(), known.max(), (known == 0).mean()]
            assert row["quantiles"] == np.quantile(known, SHARES, method="inverted_cdf").tolist()
            bins = np.bincount(place(known, ends[name]), minlength=len(ends[name]) + 1)
            assert row["counts"] == [*bins, np.isnan(values).sum()]
    inner = found["this_amount", date(2025, 6, 2)]["counts"]
    assert (inner[0], inner[-2]) == (0, 0)
    assert max(inner[1:-2]) - min(inner[1:-2]) <= 1


def test_periods_follow_the_calendar_of_the_zone() -> None:
    late = datetime(2025, 6, 1, 23, 30, tzinfo=UTC)  # Monday already in Berlin
    assert current(late, "week", "UTC") == date(2025, 5, 26)
    assert current(late, "week", "Europe/Berlin") == date(2025, 6, 2)
    assert current(late, "month", "Europe/Berlin") == date(2025, 6, 1)
    assert current(late, "day", "UTC") == date(2025, 6, 1)


def champion(lake: Lake, trained: str) -> None:
    """What training and promotion leave behind of the model in charge."""
    row = (
        "fraud", "fraud", "1", "d", "r1", "m", {}, {}, "d", "t", ["spend_1d"], "", json.dumps(evaluation()), MONDAY,
        "champion", "champion", [], MONDAY, MONDAY, "s",
    )  # fmt: skip
    lake.append("ops.models", lake.spark.createDataFrame([row], MODELS))
    split = [("fraud", "r1", "split.train", trained), ("fraud", "r1", "split.test", "2025-08-01 to 2025-08-02")]
    figures = lake.spark.createDataFrame(split, "use_case string, run_id string, figure string, text string")
    lake.append("ops.figures", lake.spark.createDataFrame([], FIGURES).unionByName(figures, allowMissingColumns=True))


def test_the_reference_is_whole_periods_of_the_training() -> None:
    starts = [date(2025, 6, 2) + timedelta(days=7 * number) for number in range(5)]
    assert periods_inside(starts, None, "week") == []
    assert periods_inside(starts, ("2025-06-02", "2025-06-22"), "week") == starts[:3]
    assert periods_inside(starts, ("2025-06-03", "2025-06-21"), "week") == starts[1:2]
    assert periods_inside(starts, ("the beginning", "2025-06-15"), "week") == starts[:2]
    assert [len(first_periods(starts[:count])) for count in (1, 2, 3, 4, 5)] == [1, 2, 2, 4, 4]
    assert periods_inside([date(2025, 1, 1), date(2025, 2, 1)], ("2025-01-01", "2025-02-27"), "month") == [
        date(2025, 1, 1)
    ]


def test_bins_have_names_for_people() -> None:
    assert bin_names(edges(0.0, [0.0, 1.0, 2.0])) == ["below 0", "0", "1", "2", "above 2", "unknown"]
    assert bin_names(edges(0.0, [0.0, 0.5, 12.25])) == [
        "below 0",
        "0",
        "0 to 0.5",
        "0.5 to 12.25",
        "above 12.25",
        "unknown",
    ]
    assert bin_names([]) == ["any value", "unknown"]
    assert [shown(value) for value in (None, 0.0, 0.1234567, 1234567.0, 41.5, -3.0)] == [
        "–",
        "0",
        "0.1235",
        "1.23e+06",
        "41.5",
        "-3",
    ]


def test_a_factor_of_a_hundred_stops_publication_until_it_is_mended(lake: Lake, tmp_path: Path) -> None:
    weeks = [week(number) for number in range(WEEKS)]
    champion(lake, "2025-06-02 to 2025-07-20")
    write(lake, [*weeks, week(WEEKS, factor=100), week(WEEKS + 1)])  # the last one is not complete yet
    said: list[str] = []
    step = Step(lake, CONF, MONDAY + timedelta(days=7 * (WEEKS + 1), hours=9), "profile", say=said.append)
    assert blocking(step, "fraud") == []
    assert profile(step, "fraud")["blocking"]
    stored = lake.read("ops.feature_profiles").collect()
    assert len(stored) == (WEEKS + 1) * len(NAMES)
    assert {row["base"] for row in stored} == {"training 2025-06-02 to 2025-07-14"}
    found = lake.read("ops.feature_findings").collect()
    assert {row["feature"] for row in found} == {"spend_1d"}
    assert {(row["kind"], row["effect"]) for row in found} >= {
        ("expectation", "mean_between"),
        ("drift", "psi"),
        ("drift", "rank"),
    }
    assert any(
        reason.startswith("spend_1d, the week of 4 Aug 2025: its mean is 5,") for reason in blocking(step, "fraud")
    )
    assert step.warnings == [
        "fraud: 1 feature drifted in the week of 4 Aug 2025: spend_1d",
        "fraud: 1 feature not as expected in the week of 4 Aug 2025: spend_1d",
    ]

    versions = [lake.version(name) for name in ("ops.feature_profiles", "ops.feature_findings")]
    assert profile(step, "all") == {"findings": len(found), "blocking": True}
    assert [lake.version(name) for name in ("ops.feature_profiles", "ops.feature_findings")] == versions
    assert any(text.startswith("features.fraud: 0 of 10 weeks profiled") for text in said)

    pages(lake, tmp_path)

    write(lake, [*weeks, [*week(WEEKS), *week(WEEKS)[:1]]])  # mended, and one row more
    assert profile(step, "fraud") == {"findings": 0, "blocking": False}
    assert blocking(step, "fraud") == []
    assert lake.read("ops.feature_findings").isEmpty()
    mended = {row["rows"]: row["feature_version"] for row in lake.read("ops.feature_profiles").collect()}
    assert mended == {ROWS: 0, ROWS + 1: 1}


def pages(lake: Lake, out: Path) -> None:
    main = build_report(lake, out, CONF).read_text("utf-8")
    assert 'href="features/fraud/index.html"' in main
    assert f"{len(NAMES) - 1} of {len(NAMES)}</b>" in main
    index, page = ((out / "features/fraud" / f"{name}.html").read_text("utf-8") for name in ("index", "spend_1d"))
    assert index.index("spend_1d.html") < index.index("n_1d.html")  # what needs attention comes first
    for words in (
        "This stops an online publication",
        "payments.amount",
        "mean_between",
        "fraud-ops",
        "0, 100",
        "h-numbers",
        "PSI",
    ):
        assert words in page, words
    for text in (index, page):
        seen = tags(text)
        assert (seen.wrong, seen.open) == ([], [])
        assert len(seen.ids) == len(set(seen.ids))
        local = [address for address in seen.addresses if not address.startswith(("#", "data:"))]
        assert all((out / "features/fraud" / address).resolve().is_file() for address in local)
        assert "script" not in seen.names
