"""Mistakes in what a policy names are found at their line, with a hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_conf import FILES, write_small_conf

from finlake.config import survey
from finlake.config.check import check_config

USE = "use_cases/claim_fraud.yml"
BEFORE = (
    'policy: {alerts_per_day: 5, one_alert_per: policy_no, value: this.claimed, queue_opens: "07:00 Europe/Berlin"}\n'
)
WHOLE = """\
policy:
  alerts_per_day: 5
  one_alert_per: policy_no
  contexts: [this.region, {hours: [0, 7, 19]}]
  verdicts:
    source: claims
    entity: policy_no
    state: outcome
    states: {fraud: confirmed, paid: dismissed}
    at: happened
    by: region
"""


def found(conf: Path, text: str) -> list[str]:
    (conf / USE).write_text(FILES[USE].replace(BEFORE, text), "utf-8")
    return [f"{problem.line}: {problem.message}" for problem in check_config(survey(conf))]


def test_a_whole_policy_has_no_problems(tmp_path: Path) -> None:
    assert FILES[USE].count(BEFORE) == 1
    assert found(write_small_conf(tmp_path), WHOLE) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("this.region,", "region,", "write this.<column>"),
        ("this.region,", "this.regon,", "did you mean 'region'"),
        ("this.region,", "this.outcome,", "only known later"),
        ("hours: [0, 7, 19]", "hours: [0, 25]", "between 0 and 23"),
        ("source: claims", "source: claim", "no source 'claim'; did you mean 'claims'"),
        ("entity: policy_no", "entity: policy", "did you mean 'policy_no'"),
        ("state: outcome", "state: result", "policy.verdicts.state"),
        ("paid: dismissed", "paid: dismised", "did you mean 'dismissed'"),
        ("at: happened", "at: closed", "'closed' is date"),
        ("by: region", "by: regoin", "did you mean 'region'"),
    ],
)
def test_a_planted_mistake_is_found_at_its_line(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert WHOLE.count(before) == 1
    text = WHOLE.replace(before, after)
    told = found(write_small_conf(tmp_path), text)
    assert len(told) == 1 and words in told[0], told
    start = FILES[USE][: FILES[USE].index(BEFORE)].count("\n") + 1
    line = start + text[: text.index(after)].count("\n")
    assert int(told[0].split(":")[0]) in (line, line - 1)


def test_words_of_verdicts_that_their_source_never_holds_are_said(tmp_path: Path) -> None:
    conf = write_small_conf(tmp_path)
    claims = conf / "sources" / "claims.yml"
    held = "outcome: {type: text, codes: {F: fraud, P: paid}}"
    claims.write_text(claims.read_text("utf-8").replace("outcome: {type: text}", held), "utf-8")
    assert found(conf, WHOLE) == []
    (said,) = found(conf, WHOLE.replace("{fraud: confirmed", "{fruad: confirmed"))
    assert said.endswith("policy.verdicts.states: outcome is never 'fruad' in claims; did you mean 'fraud'?")
    unsaid = found(conf, WHOLE.replace("    states: {fraud: confirmed, paid: dismissed}\n", ""))
    assert len(unsaid) == 3, "none of the words that stand where none are written"
    claims.write_text(claims.read_text("utf-8").replace("P: paid", "P: confirmed"), "utf-8")
    assert not any(
        "states" in text for text in found(conf, WHOLE.replace("    states: {fraud: confirmed, paid: dismissed}\n", ""))
    )
