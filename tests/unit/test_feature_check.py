"""What is said about feature definitions before any data is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from finlake.config import survey
from finlake.errors import LeakageError
from finlake.features.check import check_features
from finlake.features.leakage.declared import audit
from finlake.features.leakage.findings import refuse_leaks

SOURCES = {
    "payments": """
source: payments
about: a
owner: o
read: {from: x, format: csv}
columns:
  payment_id: {type: text}
  card: {type: text}
  paid_at: {type: timestamp}
  amount: {type: money, currency: EUR}
  foreign_amount: {type: money, currency: currency}
  currency: {type: text}
  entry: {type: text, codes: {"05": chip, "81": ecommerce}}
  outcome: {type: text}
  settled_on: {type: timestamp}
key: payment_id
happened_at: paid_at
known_at: paid_at
known_later: [{columns: [outcome], known_at: settled_on}]
""",
    "reports": """
source: reports
about: a
owner: o
read: {from: x, format: csv}
columns:
  report_id: {type: text}
  payment_id: {type: text}
  verdict: {type: text}
  channel: {type: text}
  told_at: {type: timestamp}
key: report_id
happened_at: told_at
known_at: told_at
""",
}
USE_CASE = """
use_case: fraud
purpose: p
owner: o
approver: a
materiality: low
score: {each: payments, as_of: happened_at}
label: {name: fraud, positive: "verdict = 'confirmed'", from: {source: reports, match: payment_id}, matures_after: 14d}
features: [%s]
never: [verdict, channel]
split: {train: 9d, choose: 2d, test: 2d}
baseline_rule: "this.amount > 5"
policy: {alerts_per_day: 3, one_alert_per: card}
"""


def conf(
    tmp_path: Path,
    features: str,
    group: str = "entity: card\nsource: payments",
    use: str = "card",
    text: str = USE_CASE,
):
    files = {f"sources/{name}.yml": text for name, text in SOURCES.items()}
    files["features/card.yml"] = f"group: card\nabout: a\n{group}\nfeatures:\n{features}"
    files["use_cases/fraud.yml"] = text % use
    files["targets/local.yml"] = "target: local\n"
    for name, written in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written)
    found = survey(tmp_path)
    assert not found.problems
    return found


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (
            "n: {count: rows, windows: [1d], where: amout > 3}",
            "card.yml:6: n: where: 'amout' (character 1 of 'amout > 3'): no column of payments",
        ),
        ("n: {sum: currency, windows: [1d]}", "'currency' is text, not a number"),
        ("n: {sum: nothing, windows: [1d]}", "source payments has no column 'nothing'"),
        ("n: {sum: foreign_amount, windows: [1d]}", "in the currency of each row"),
        ("n: {share: label(frau) = 1, windows: [1d]}", "no use case 'frau' labels these rows; did you mean 'fraud'?"),
        ("n: {share: label(fraud) = 1, windows: [1d], including_this: true}", "label of the decision's own row"),
        ("n: {ratio: [this.amount, m]}", "no feature of group card 'm'"),
        ("n: {row: this.currency}", "is a text where a number is needed; map it to numbers"),
        ("n: {row: this.amuont > 1}", "the scored row has no column 'amuont'; did you mean 'amount'"),
        ("n: {time_since: last row, unit: fortnights}", "'fortnights' is not a unit of time"),
        ('n: {count: rows, windows: [1d], say: "{valu} payments"}', "nothing is called {valu}; did you mean 'value'?"),
        ('n: {row: this.amount > 1, say: "{value} in {window}"}', "{window} says nothing here"),
        ("a: {row: b + 1}\n  b: {row: a + 1}", "in a circle"),
        ("a_{window}: {count: rows, windows: [1d]}\n  a_1d: {row: this.amount > 1}", "are both called 'a_1d'"),
        ("n: {row: this.outcome = 'bad'}", "payments says under known_later"),
        (
            "n: {count: rows, windows: [1d], where: entry = 'ecomerce'}",
            "n: where: entry is never 'ecomerce' in payments",
        ),
        (
            "n: {share: \"'entry' <> entry\", windows: [1d]}",
            "entry is never 'entry' in payments; there are: chip, ecommerce",
        ),
        ("n: {row: this.entry = '81'}", "entry is never '81' in payments; '81' is 'ecommerce' from silver on"),
        ("n: {row: \"this.entry in ('chip', 'swipe')\"}", "entry is never 'swipe' in payments"),
        ("n: {row: case this.entry when 'chp' then 1 else 0 end}", "did you mean 'chip'?"),
    ],
)
def test_a_mistake_is_reported_once_with_its_line(tmp_path, feature, said):
    problems = check_features(conf(tmp_path, f"  {feature}\n"))
    assert len(problems) == 1, problems
    assert said in str(problems[0])
    assert problems[0].line is not None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("\"verdict = 'confirmed'\"", "verdict", "label.positive: 'verdict' is a text where a condition is needed"),
        ("verdict = 'confirmed'", "verdict = 3", "label.positive: 'verdict = 3': puts a number beside a text"),
        ("this.amount > 5", "this.entry > 5", "baseline_rule: 'this.entry > 5': puts a number beside a text"),
        ("this.amount > 5", "this.entry", "baseline_rule: 'this.entry' is a text where a number is needed"),
    ],
)
def test_a_label_or_rule_of_the_wrong_kind_is_reported_at_its_line(tmp_path, before, after, said):
    found = conf(tmp_path, "  n: {row: this.amount > 1}\n", text=USE_CASE.replace(before, after))
    (problem,) = check_features(found)
    assert problem.message.startswith(said)
    assert problem.line == next(n for n, line in enumerate(USE_CASE.splitlines(), 1) if before in line)


def test_sound_definitions_have_no_problems(tmp_path):
    features = (
        "  n_{window}: {count: rows, windows: [1d, 7d], say: '{value} in {window}'}\n"
        "  usd: {sum: foreign_amount, windows: [1d], where: \"currency = 'USD' and amount > 0\"}\n"
        "  bad: {share: outcome = 'bad', windows: [7d]}\n"
        "  risky: {share: label(fraud) = 1, windows: [7d], ends_before: 14d}\n"
        "  more: {ratio: [n_1d, n_7d]}\n"
        "  chip: {row: \"this.entry = 'chip' or coalesce(this.entry, 'none') = 'none'\"}\n"
    )
    assert check_features(conf(tmp_path, features, use="card, this.amount")) == []


def test_the_auditor_follows_a_forbidden_column_through_other_features(tmp_path):
    features = (
        "  told: {count: rows, where: channel = 'phone', windows: [7d]}\n"
        "  twice: {row: told * 2}\n"
        "  fine: {row: this.amount > 1}\n"
    )
    found = conf(tmp_path, features, group="entity: payment_id\nsource: reports", use="card.twice, card.fine")
    (finding,) = audit(found.use_cases["fraud"], found)
    assert (finding.feature, finding.column) == ("twice", "channel")
    assert "conf/features/card.yml: told" in str(finding)
    with pytest.raises(LeakageError, match="twice uses channel: the use case says it may never reach a model"):
        refuse_leaks([finding])


def test_a_text_column_is_refused_with_what_to_write(tmp_path):
    problems = check_features(conf(tmp_path, "  n: {row: this.amount > 1}\n", use="card, this.currency"))
    assert "row feature, for example row: \"this.currency = '…'\"" in str(problems[0])
