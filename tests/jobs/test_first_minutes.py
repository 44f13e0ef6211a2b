"""What a newcomer sees: the demo's page, the README's commands, a second run that adds nothing."""

from __future__ import annotations

import re
import shlex
from contextlib import chdir
from pathlib import Path

import pytest

from tests.jobs.conftest import ROOT, Demo, finlake

pytestmark = pytest.mark.long


def test_the_demo_ends_in_figures_that_are_all_recorded(demo: Demo):
    assert "DATA" in demo.page and "adds up" in demo.page and "DOES NOT" not in demo.page
    figures = {(row["use_case"], row["figure"]): row for row in demo.query("select * from bi.figures")}
    for use_case, metric in (("card_fraud", "average_precision"), ("credit_default", "roc_auc")):
        for model in ("finlake", "logistic_regression", "baseline_rule"):
            figure = figures[(use_case, f"{metric}.{model}")]
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert figure["tables"], "a figure names the table versions it came from"
    received = figures[("", "rows_received.card_transactions")]["value"]
    assert f"{received:,.0f}" in demo.page


def test_the_planted_leak_is_refused_by_the_name_of_its_column(demo: Demo):
    assert "REFUSED, AS PLANTED" in demo.page
    assert "report_channel" in demo.page.split("REFUSED, AS PLANTED")[1].split("\n\n")[0]


def test_received_rows_add_up_after_every_batch(demo: Demo):
    rows = demo.query("select * from ops.batches")
    assert rows
    for row in rows:
        parts = row["silver"] + row["superseded"] + row["duplicate"] + row["quarantined"]
        assert row["received"] == parts, row
    received = demo.query("select count(*) as n from bronze.card_transactions")[0]["n"]
    assert received == sum(row["received"] for row in rows if row["source"] == "card_transactions")


def test_the_alert_queue_has_one_alert_a_day_for_each_card_with_reasons_in_words(demo: Demo):
    rows = demo.query("select * from bi.alert_queue")
    assert rows
    assert len({(row["queue_day"], row["entity"]) for row in rows}) == len(rows)
    assert all(row["reason_1"] and not row["reason_1"].startswith("{") for row in rows)


def test_any_decision_says_why_in_the_words_that_alerts_keep(demo: Demo):
    called, passed = (
        demo.query(
            "select decision_key, reasons from bi.decisions where use_case = 'card_fraud' "
            f"and decision = '{decision}' order by decision_key limit 1"
        )[0]
        for decision in ("alert", "pass")
    )
    asked = [word for row in (called, passed) for word in ("--decision", row["decision_key"])]
    done = demo.inside("reasons", "--use-case", "card_fraud", *asked)
    assert done.returncode == 0, done.stderr
    of_called, of_passed = done.stdout.split(f"{passed['decision_key']}: pass")
    assert called["reasons"] and all(reason["text"] in of_called for reason in called["reasons"])
    assert not passed["reasons"] and "1. " in of_passed
    unknown = demo.inside("reasons", "--use-case", "card_fraud", "--decision", "nothing")
    assert unknown.returncode == 2 and "no score of 'nothing'" in unknown.stderr


def test_running_the_jobs_again_changes_no_table_of_data(demo: Demo):
    def state() -> list[dict[str, object]]:
        counts = [
            f"select '{table}' as t, count(*) as n from {table}"
            for table in (
                "bronze.card_transactions",
                "silver.card_transactions",
                "quarantine.card_transactions",
                "scores.card_fraud",
                "scores.credit_default",
                "silver.loans",
                "ops.models",
                "ops.gates",
                "ops.test_reads",
            )
        ]
        return demo.query(" union all ".join(counts) + " order by t")

    before = state()
    done = demo.inside("run", "nightly")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("nothing new since") == 2, done.stderr
    assert done.stderr.count("learnt from these very rows, which were audited then") == 2, done.stderr
    done = demo.inside("score")
    assert done.returncode == 0 and done.stderr.count("nothing new") == 2, done.stderr
    assert state() == before


def test_the_commands_of_the_readme_run(demo: Demo, tmp_path: Path):
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    commands = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    assert {"make demo", "make test", "finlake run nightly"} < set(commands), (
        "run by this very suite and the test above"
    )
    wanted = [c for c in commands if c not in ("", "make demo", "make test", "finlake run nightly")]
    assert {shlex.split(c)[1] for c in wanted} == {"draft", "sql", "report"}
    lines = [f"P{n},2025-10-{n % 28 + 1:02d} 12:00:00,{n / 7:.2f}" for n in range(200)]
    (tmp_path / "payments.csv").write_text("\n".join(["number,paid_at,amount", *lines]), "utf-8")
    for command in wanted:
        with chdir(tmp_path):
            done = demo.inside(*shlex.split(command)[1:])
        assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["scroe"], "did you mean 'score'"),
        (["run", "nightli"], "did you mean 'nightly'"),
        (["ingest", "--source", "card_transaction"], "did you mean 'card_transactions'"),
        (["train", "--use-case", "card_frod"], "did you mean 'card_fraud'"),
        (["sql", "select * from bi.alert_que"], "did you mean 'bi.alert_queue'"),
        (["sql", "selec 1 from bi.alert_queue"], "not valid SQL"),
        (["sql", "delete from ops.runs"], "finlake sql reads: one SELECT, SHOW or DESCRIBE; got DELETE"),
        (["check", "--conf", "nowhere"], "no configuration folder"),
        (["check", "--target", "prd"], "did you mean 'prod'"),
        (["score", "--as-of", "yesterday"], "is not a date or time"),
    ],
)
def test_a_users_mistake_gets_one_clear_message(demo: Demo, arguments: list[str], hint: str):
    done = demo.inside(*arguments)
    assert done.returncode == 2, done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_the_help_lists_every_step():
    done = finlake("--help")
    for command in (
        "demo",
        "run",
        "check",
        "sql",
        "report",
        "draft",
        "doctor",
        "ingest",
        "refine",
        "networks",
        "marts",
        "features",
        "train",
        "promote",
        "score",
        "publish",
    ):
        assert f"\n  {command} " in done.stdout
