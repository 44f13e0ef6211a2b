"""The marts step on a lake: a mart is built again only when its definition or what it reads has changed."""

from __future__ import annotations

from dataclasses import replace

from feature_cases import PAYMENTS, START, config, rows, world

from finlake.config import Mart
from finlake.pipelines.marts import marts
from finlake.pipelines.step import Step

SELECTS = {
    "by_card": ("SELECT card, count(*) AS n FROM silver.payments_current GROUP BY card", ["card", "n"]),
    "cards": ("SELECT count(*) AS n FROM gold.by_card", ["n"]),
    "today": ("SELECT current_date() AS day, count(*) AS n FROM silver.payments", ["day", "n"]),
    "lost": ("SELECT verdict FROM silver.reports", ["verdict"]),
}


def mart(name: str, more: str = "") -> Mart:
    sql, columns = SELECTS[name]
    return Mart(mart=name, about="A mart.", columns=dict.fromkeys(columns, "what it says"), sql=sql + more)


def test_a_mart_is_built_again_when_what_it_reads_or_says_has_changed(lake, spark):
    payments, _ = world(5, keys=20)
    lake.overwrite("silver.payments", spark.createDataFrame(rows(payments, PAYMENTS), PAYMENTS))
    lake.view("silver.payments_current", "SELECT * FROM silver.payments WHERE known_to IS NULL", about="Now.")
    conf = config({}, "known_at")
    conf.marts.update({name: mart(name) for name in SELECTS})
    said: list[str] = []
    step = Step(lake, conf, START, "marts", say=said.append)

    def built(step: Step = step, rebuild: bool = False) -> set[str]:
        before = {name: lake.version(f"gold.{name}") if lake.exists(f"gold.{name}") else -1 for name in SELECTS}
        said.clear()
        found = marts(step, rebuild)["rows"]
        assert found == {name: lake.read(f"gold.{name}").count() for name in ("by_card", "cards", "today")}
        return {name for name in found if lake.version(f"gold.{name}") != before[name]}

    assert built() == {"by_card", "cards", "today"}
    assert any("mart lost is not built: there is no table or view silver.reports" in line for line in said)
    assert built() == {"today"}, "only what asks for the day"
    assert said[0].startswith("gold.by_card: nothing new")
    lake.overwrite("silver.payments", lake.read("silver.payments").limit(3))
    assert built() == {"by_card", "cards", "today"}
    lake.overwrite("gold.by_card", lake.read("gold.by_card").limit(0))
    assert built() == {"by_card", "cards", "today"}, "another job wrote into it"
    changed = replace(conf, marts={**conf.marts, "cards": mart("cards", " WHERE n > 1")})
    assert built(replace(step, config=changed)) == {"cards", "today"}
    assert built(replace(step, config=changed), rebuild=True) == {"by_card", "cards", "today"}
