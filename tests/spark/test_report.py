"""The report: whole, offline, escaped, masked, readable in a browser, and there even when the lake is empty."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession
from queue_lake import NEWEST
from report_lake import CARD, SCRIPT, fill
from tests.chromium import IN_A_BROWSER, Browser
from tests.conftest import forget_lakes

from finlake.config import Config, Target
from finlake.lakehouse import Lake, open_lake
from finlake.models.metrics import psi
from finlake.models.periods import wilson
from finlake.pipelines.view_words import COLUMNS
from finlake.reporting import build_report

pytest_plugins = ("tests.chromium",)

DASHBOARDS = sorted((Path(__file__).parents[2] / "resources").glob("*.lvdash.json"))
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Tags(HTMLParser):
    """Collects tags and ids, and notices tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.addresses += [value for key, value in attrs if key in ("href", "src") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def tags(page: str) -> Tags:
    parser = Tags()
    parser.feed(page)
    return parser


@dataclass(frozen=True)
class Built:
    """A filled lake and its report."""

    lake: Lake
    out: Path
    pages: dict[str, str]

    @property
    def everything(self) -> str:
        return "".join(self.pages.values())


@pytest.fixture(scope="module")
def built(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Built:
    forget_lakes(spark)
    root = tmp_path_factory.mktemp("report")
    lake = open_lake(Config(root, Target(target="local", lake=str(root / "claims_lake"))), spark)
    fill(lake, root)
    out = root / "out"
    assert build_report(lake, out) == out / "index.html"
    if kept := os.environ.get("FINLAKE_KEEP_REPORT"):
        shutil.copytree(out, kept, dirs_exist_ok=True)
    pages = {path.relative_to(out).as_posix(): path.read_text("utf-8") for path in sorted(out.rglob("*.html"))}
    return Built(lake, out, pages)


WORDS = {
    "index.html": ("policies is late", "claims: 828 rows kept, although the policy does not exist", "lapse v1 failed 1 gate", "5</b>", "carried over",
                   "champion, unopposed", "0.660 [0.620 – 0.700]", "scores, for review only", "adds up"),
    "queue/claim_fraud.html": ("9 claims on this policy", "in work", "carried over from earlier days", "random sample", "Value found and missed", "hour 22 to 6",
                               "alert above", "5 alerts a day at night", "P0003", "this_claimed"),
    "queue/lapse.html": ("approve", "scored for review only, nothing was decided", "Highest chances"),
    "queue/lending.html": ("Decisions of lending", "that stand,", "approve", "Highest chances"),
    "models/claim_fraud.html": ("champion, unopposed", "0.660 [0.620 – 0.700]", "38,900", "features.claim_fraud", "2025-07-15 to 2025-08-31", "logistic regression",
                                "claims@insurer.example", "Not for claims above 10,000 EUR.", "read 2 times", "at the budget: 25 alerts a day", "Value found and missed, by week", "By region",
                                "-0.060 [-0.090 – -0.030]", "lightgbm", "0.050 [0.030 – 0.070]", "pruned: 0.31", "min_child_weight", "risk@insurer.example",
                                "(PSI)"),
    "models/lapse.html": ("Why not", "2025-08: 1.36 [1.14–1.54]", "not promoted"),
    "data.html": ("adds up", "the policy exists", "broken rule: claims are not negative", "the file is cut off", "arrived as agreed", "tier"),
    "runs.html": ("nightly", "ops.batches", "rows kept, although"),
}  # fmt: skip


def test_every_page_is_filled(built: Built) -> None:
    assert set(built.pages) == set(WORDS)
    for name, wanted in WORDS.items():
        text = re.sub(r"\s+", " ", re.sub(r"<(?!/?b>)[^>]+>", " ", built.pages[name]))
        for words in wanted:
            assert words in text, f"{name}: {words}"
        assert re.search(r"made .* UTC", text), name
    assert re.search(r"<code>ops.alerts</code> version \d", built.pages["queue/claim_fraud.html"])


def test_a_script_in_a_received_value_is_shown_as_text(built: Built) -> None:
    assert SCRIPT not in built.everything
    assert "&lt;script&gt;" in built.pages["data.html"]
    assert all("script" not in tags(page).names for page in built.pages.values())


def test_card_numbers_are_masked(built: Built) -> None:
    assert CARD not in built.everything
    assert "4111" not in built.everything


def test_the_pages_are_well_formed_offline_and_lead_to_each_other(built: Built) -> None:
    for name, page in built.pages.items():
        seen = tags(page)
        assert (seen.wrong, seen.open) == ([], []), name
        assert len(seen.ids) == len(set(seen.ids)), name
        named = len(re.findall(r'role="img" aria-label="[^"]+"><title>', page))
        assert page.count("<svg") == named, name
        assert "default-src 'none'" in page
        assert not re.search(r"@import|url\(", page), name
        for address in seen.addresses:
            if not address.startswith("data:"):
                path, _, part = address.partition("#")
                led = (built.out / name).parent / path if path else built.out / name
                assert led.resolve().is_relative_to(built.out.resolve()), f"{name}: {address}"
                assert led.is_file(), f"{name}: {address}"
                assert not part or part in tags(led.read_text("utf-8")).ids, f"{name}: {address}"
    assert built.everything.count("<svg") > 25


# What is wrong with the page as it is drawn: pictures without size or content, text beside the window.
DRAWN = """(() => {
  const wrong = [];
  for (const picture of document.querySelectorAll("svg, img")) {
    if (!picture.checkVisibility()) continue;
    const box = picture.getBoundingClientRect();
    const marks = picture.querySelectorAll("polyline, rect, circle, line").length;
    const drawn = picture.tagName === "IMG" ? picture.naturalWidth : marks;
    if (box.width < 40 || box.height < 15 || !drawn) wrong.push(picture.outerHTML.slice(0, 120));
  }
  for (const part of document.querySelectorAll("h1, h2, h3, h4, p, li, .tile, .card, .scroll, nav a, footer")) {
    if (part.closest(".scroll") && !part.matches(".scroll")) continue;
    const box = part.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1) && !part.matches(".skip")) wrong.push(part.outerHTML.slice(0, 120));
  }
  for (const text of document.querySelectorAll("svg text")) {
    const inside = text.getBoundingClientRect(), around = text.ownerSVGElement.getBoundingClientRect();
    if (inside.width && (inside.left < around.left - 24 || inside.right > around.right + 24)) wrong.push("outside: " + text.textContent);
  }
  if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page is wider than the window");
  return wrong;
})()"""


@IN_A_BROWSER
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_every_page_without_complaint(built: Built, browser: Browser, width: int) -> None:
    for name in built.pages:
        seen = browser.open(built.out / name, width, dark=width < 400)
        assert seen.errors == [], name
        assert all(address.startswith(("file://", "data:")) for address in seen.requests), name
        assert browser.ask(DRAWN) == [], name
        assert browser.ask("document.querySelector('main').innerText.length") > 200, name
        assert browser.ask("document.querySelectorAll('nav [aria-current=page]').length") in (1, 2), name


@IN_A_BROWSER
def test_the_browser_would_have_complained(tmp_path: Path, browser: Browser) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'\"><script>1</script><img src='http://localhost:9/x.png'>"
        "<p style='position:absolute;left:900px'>far</p><svg width='300' height='100'></svg>"
    )
    seen = browser.open(page, 390)
    assert any("Content Security Policy" in error for error in seen.errors)
    assert len(browser.ask(DRAWN)) >= 3


def test_every_column_of_every_view_is_explained(built: Built) -> None:
    views = built.lake.views()
    assert {"bi.alert_queue", "bi.open_queue", "bi.queue_days", "bi.verdicts", "bi.value_by_day", "bi.value_by_month", "bi.threshold_history", "bi.gates",
            "bi.promotions", "bi.model_card", "bi.trials", "bi.leaderboard", "bi.score_drift", "bi.decisions", "bi.latest_score",
            "bi.reasons_by_week", "bi.freshness", "bi.quality", "bi.batches", "bi.files", "bi.runs", "bi.figures", "bi.feature_drift", "bi.test_reads"} <= set(views)  # fmt: skip
    for name in views:
        columns = built.lake.sql(f"SELECT * FROM {name} LIMIT 0").columns
        assert [column for column in columns if not COLUMNS.get(column)] == [], name
    assert built.lake.views()["bi.open_queue"].comments["carried_over"]
    described = built.lake.sql("DESCRIBE bi.open_queue").collect()
    assert {row["col_name"]: row["comment"] for row in described}["carried_over"] == COLUMNS["carried_over"]


def _rows(built: Built, sql: str) -> list[dict[str, Any]]:
    return [row.asDict() for row in built.lake.sql(sql).collect()]


def test_views_of_the_queue_count_as_one_counts_by_hand(built: Built) -> None:
    alerts = _rows(built, "SELECT * FROM ops.alerts")
    waiting = ("new", "in_work")
    for day in _rows(built, "SELECT * FROM bi.queue_days"):
        own = [row for row in alerts if row["queue_day"] == day["queue_day"]]
        older = [row for row in alerts if row["queue_day"] < day["queue_day"]]
        taken = [row for row in older if row["state"] in waiting or row["state_since"].date() >= day["queue_day"]]
        assert (day["alerts"], day["carried_over"]) == (len(own), len(taken)), day
        assert day["open"] == sum(row["state"] in waiting for row in own)
        ages = [(day["queue_day"] - row["queue_day"]).days for row in taken]
        assert day["mean_age_days"] == (pytest.approx(sum(ages) / len(ages)) if ages else None)
    still = _rows(built, "SELECT * FROM bi.open_queue ORDER BY place")
    assert {row["alert_id"] for row in still} == {row["alert_id"] for row in alerts if row["state"] in waiting}
    assert [row["place"] for row in still] == list(range(1, len(still) + 1))
    assert [row["age_days"] for row in still] == [(NEWEST - row["queue_day"]).days for row in still]
    assert any(row["carried_over"] for row in still)
    (asked,) = _rows(built, "SELECT * FROM bi.verdicts WHERE origin = 'score'")
    assert (asked["low"], asked["high"]) == pytest.approx(wilson(asked["confirmed"], asked["answered"]), abs=1e-6)


def test_value_is_found_or_missed_once_outcomes_are_known(built: Built) -> None:
    outcomes = _rows(built, "SELECT * FROM ops.outcomes")
    days = _rows(built, "SELECT * FROM bi.value_by_day")
    for part in ("found", "missed"):
        total = sum(row[part] for row in outcomes)
        assert total == sum(row[part] for row in days) > 0
        assert total == sum(row[part] for row in _rows(built, "SELECT * FROM bi.value_by_month"))
    newest = max(days, key=lambda row: row["day"])
    assert (newest["matured"], newest["share_known"], newest["share_found"]) == (0, 0.0, None)


def test_one_view_holds_scores_of_use_cases_that_have_other_columns(built: Built) -> None:
    found = _rows(built, "SELECT use_case, context, count(*) AS n FROM bi.score_history GROUP BY use_case, context")
    contexts = {row["use_case"]: row["context"] for row in found}
    assert contexts["claim_fraud"] is None and contexts["lending"] == "north"
    assert {row["use_case"]: row["n"] for row in found}["lending"] == 40


def test_drift_is_the_index_that_gates_are_judged_on(built: Built) -> None:
    weeks = _rows(built, "SELECT * FROM bi.score_drift WHERE use_case = 'claim_fraud' ORDER BY week")
    scores = _rows(built, "SELECT decision_ts, raw_score FROM scores.claim_fraud")
    begun = min(row["decision_ts"] for row in scores)
    early = np.sort([row["raw_score"] for row in scores if row["decision_ts"] < begun + timedelta(days=28)])
    edges = [early[math.ceil(len(early) * tenth / 10) - 1] for tenth in range(1, 10)]
    for week in weeks:
        start = datetime.combine(week["week"], datetime.min.time())
        now = [row["raw_score"] for row in scores if start <= row["decision_ts"] < start + timedelta(days=7)]
        counts = [np.bincount(np.searchsorted(edges, part), minlength=10) for part in (early, np.array(now))]
        assert week["decisions"] == len(now)
        assert week["psi"] == pytest.approx(float(psi(*counts)), rel=1e-9)
    assert weeks[-1]["psi"] > max(week["psi"] for week in weeks[:-2])
    assert weeks[-1]["mean_difference"] > 0.3
    features = _rows(built, "SELECT * FROM bi.feature_drift ORDER BY feature, period_start")
    assert [row["psi"] > 0.25 for row in features] == [False] * 15 + [True]
    usual = np.array([[40, 35, 23 + week % 3, 2] for week in range(6)]).sum(axis=0)
    assert features[-1]["psi"] == pytest.approx(float(psi(usual, np.array([5, 20, 75, 0]))), rel=1e-9)
    assert features[-1]["mean_difference"] == pytest.approx((9 - 4.1) / 2, rel=0.01)


def test_the_model_card_has_verdicts_and_who_put_it_in_charge(built: Built) -> None:
    cards = {row["use_case"]: row for row in _rows(built, "SELECT * FROM bi.model_card")}
    assert (
        cards["claim_fraud"]["gates_passed"],
        cards["claim_fraud"]["gates_asked"],
        cards["claim_fraud"]["why_not"],
    ) == (2, 2, "")
    assert cards["claim_fraud"]["last_action_by"] == "risk@insurer.example"
    assert cards["claim_fraud"]["limits"] == ["Not for claims above 10,000 EUR."]
    assert cards["lapse"]["why_not"].startswith("calibrated: 2025-08")
    assert {row["test_digest"] for row in _rows(built, "SELECT * FROM bi.leaderboard")} == {"t1"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name.partition(".")[0])
def test_every_query_of_a_dashboard_gives_what_its_widgets_show(built: Built, path: Path) -> None:
    content = json.loads(path.read_text("utf-8"))
    widgets = [cell["widget"] for page in content["pages"] for cell in page["layout"]]
    queries = [query["query"] for widget in widgets for query in widget["queries"]]
    for item in content["datasets"]:
        found = built.lake.sql("".join(item["queryLines"]))
        for query in (query for query in queries if query["datasetName"] == item["name"]):
            shown = ", ".join(field["expression"] for field in query["fields"])
            rows = built.lake.spark.sql(f"SELECT {shown} FROM {{found}}", found=found).collect()
            assert rows, item["name"]
            assert any(value is not None for row in rows for value in row), item["name"]


def test_an_empty_lake_gives_pages_that_say_so(lake: Lake, tmp_path: Path) -> None:
    out = build_report(lake, tmp_path / "out").parent
    assert sorted(path.name for path in out.iterdir()) == ["data.html", "index.html", "runs.html"]
    page = (out / "index.html").read_text("utf-8")
    assert "Nothing has been refined yet" in page
    assert "No model has been trained yet" in page
    assert "Nothing has been scored yet" in page
    assert "No step has run yet" in page
