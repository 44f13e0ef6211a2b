"""The report: whole, offline, escaped, masked, and there even when the lake is empty."""

from __future__ import annotations

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_lake import CARD, SCRIPT, fill

from finlake.lakehouse import Lake
from finlake.reporting import build_report

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


@pytest.fixture(scope="module")
def page(spark, tmp_path_factory: pytest.TempPathFactory) -> str:
    from finlake.config import Config, Target
    from finlake.lakehouse import open_lake
    from finlake.lakehouse.names import SCHEMAS

    for schema in SCHEMAS:
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{schema} CASCADE")
    root = tmp_path_factory.mktemp("report")
    lake = open_lake(Config(root, Target(target="local", lake=str(root / "claims_lake"))), spark)
    fill(lake)
    path = build_report(lake, root / "out")
    if kept := os.environ.get("FINLAKE_KEEP_REPORT"):
        shutil.copy(path, kept)
    assert path == root / "out" / "index.html"
    return path.read_text("utf-8")


def test_every_part_is_filled(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    for words in (
        "adds up", "the policy exists", "broken rule: claims are not negative", "the file is cut off", "arrived as agreed",
        "champion, unopposed", "not promoted", "0.660 [0.620 – 0.700]", "38,900", "9 claims on this policy", "features.claim_fraud @ 3",
        "rows kept, although", "nightly", "silver.claims", "2025-07-15 to 2025-08-31", "approve", "tier", "lapse scores, for review only", "Highest chances",
        "scored for review only, nothing was decided",
    ):  # fmt: skip
        assert words in text, words


def test_a_script_in_a_received_value_is_shown_as_text(page: str) -> None:
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    assert "script" not in tags(page).names


def test_card_numbers_are_masked(page: str) -> None:
    assert CARD not in page
    assert "4111" not in page


def test_the_page_needs_no_network(page: str) -> None:
    assert all(address.startswith(("#", "data:")) for address in tags(page).addresses)
    assert "@import" not in page
    assert not re.search(r"url\(", page)
    assert "default-src 'none'" in page


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: str) -> None:
    seen = tags(page)
    assert seen.wrong == []
    assert seen.open == []
    assert len(seen.ids) == len(set(seen.ids))
    assert {address[1:] for address in seen.addresses if address.startswith("#")} <= set(seen.ids)
    assert page.count("<svg") == page.count('role="img"') > 10


def test_an_empty_lake_gives_a_page_that_says_so(lake: Lake, tmp_path: Path) -> None:
    page = build_report(lake, tmp_path / "out").read_text("utf-8")
    assert "Nothing has been refined yet" in page
    assert "No model has been trained yet" in page
    assert "Nothing has been scored yet" in page
